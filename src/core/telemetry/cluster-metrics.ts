import cluster from 'node:cluster';
import { AggregatorRegistry, Registry } from '@prometheus-io/client';
import { inTime } from '../../ground/faults/in-time.ts';
import { addGauge } from './instruments.ts';

/** Milliseconds that an ending worker takes at most to send its last metrics. */
const lastFiguresMilliseconds = 1000;

/**
 * Returns a function for the primary of a cluster. It reads the sum of all workers' metrics in Prometheus' text format, including the
 * counts of workers that ended in an orderly way. It fails if a worker does not answer within five seconds.
 * @param expected number of workers that should run
 */
export function createClusterReader(expected: number): () => Promise<string> {
  const own = new Registry();
  addExpected(own, expected);
  // With `first`, this value replaces those of the workers: the server started with this process.
  const startTime = Math.round(Date.now() / 1000 - process.uptime());
  addGauge(own, 'process_start_time_seconds', 'Start time of the process in Unix seconds.', () => startTime, 'first');
  AggregatorRegistry.setRegistries(own);
  const all = new AggregatorRegistry();
  return () => all.clusterMetrics();
}

const addExpected = (registry: Registry, count: number) =>
  addGauge(registry, 'janua_processes_expected', 'Processes that should serve: WORKERS.', () => count);

/** Lets the primary read the metrics of this worker. @returns a function that sends the last metrics to the primary */
export function announceMetrics(registry: Registry): () => Promise<void> {
  addGauge(
    registry,
    'janua_processes_answered',
    'Processes whose figures are included. Fewer, if one has ended.',
    () => 1,
  );
  if (!cluster.isWorker) {
    addExpected(registry, 1);
    return async () => {};
  }
  AggregatorRegistry.setRegistries(registry);
  const announced = new AggregatorRegistry();
  return async () => {
    // Only counts remain meaningful after the process has ended. Gauges, such as memory, do not.
    const others = (await registry.getMetricsAsJSON()).filter(({ type }) => String(type) === 'gauge');
    for (const { name } of others) registry.removeSingleMetric(name);
    await inTime(announced.shutdown(), lastFiguresMilliseconds).catch(() => {});
  };
}
