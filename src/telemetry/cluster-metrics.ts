import cluster from 'node:cluster';
import { ClusterRegistry, type Registry } from '@prometheus-io/client';

/** Milliseconds that the primary is given to take over the counts of a worker that ends. */
const farewell = 1000;

/** For the primary of a cluster: reads the figures of all its workers as one, in Prometheus' text format. */
export function createClusterReader(): () => Promise<string> {
  const workers = new ClusterRegistry();
  return () => workers.clusterMetrics();
}

/**
 * For a worker of a cluster: tells the primary that here are figures to be added. Elsewhere it does nothing.
 * @returns what hands them over for good, so that a worker that ends takes no counts away
 */
export function announceMetrics(registry: Registry): () => Promise<void> {
  if (!cluster.isWorker) return async () => {};
  ClusterRegistry.setRegistries(registry);
  // Its types leave `shutdown` out, which its documentation has.
  const worker = new ClusterRegistry() as ClusterRegistry<never> & { shutdown(timeout: number): Promise<void> };
  return () => worker.shutdown(farewell).catch(() => {});
}
