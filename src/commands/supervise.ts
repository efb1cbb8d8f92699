import { createLog } from '../core/telemetry/log.ts';
import type { MetricsListener } from '../core/telemetry/metrics-listener.ts';
import { parseListenAddress } from '../ground/config/listen-address.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { Log } from '../ground/faults/log.ts';
import { closingDeadline, hearOrders } from './listen.ts';
import { createWorkers } from './workers.ts';

/** Milliseconds by which a worker may exceed its deadlines. */
const tolerance = 5000;

/**
 * Serves with several processes. This one, the primary, hands out connections and replaces workers that end. At SIGHUP it replaces all of
 * them. It opens no store, and itself answers only requests for the workers' metrics.
 * @param onLog is called once with the log, for warnings that concern all workers
 * @throws {Misconfiguration} when no worker can start
 */
export async function supervise(settings: Settings, onLog: (log: Log) => void): Promise<void> {
  const log = createLog(settings, () => undefined);
  onLog(log);
  const workers = createWorkers(settings.WORKERS, log, settings.DRAIN_SECONDS * 1000 + closingDeadline + tolerance);
  const orders = hearOrders();
  const firstOrder = orders.next();
  // Closed last, as in a single process.
  await using listener = await serveMetrics(settings);
  if (listener !== undefined) log.info({ url: listener.url }, 'figures for Prometheus');
  const started = workers.start().then((address) => {
    log.info({ ...address, workers: settings.WORKERS }, 'ready');
  });
  process.on('SIGHUP', () => started.then(workers.reload, () => {}));
  try {
    // Throws if the start fails. An order during the start ends the wait for it. After the start, only an order ends the service.
    await Promise.race([started, firstOrder]);
    await firstOrder;
    orders.next().then(workers.stop);
  } finally {
    await workers.stop();
  }
}

async function serveMetrics({ METRICS_LISTEN, WORKERS }: Settings): Promise<MetricsListener | undefined> {
  const address = parseListenAddress(METRICS_LISTEN ?? '');
  if (address === undefined) return undefined;
  const { createClusterReader } = await import('../core/telemetry/cluster-metrics.ts');
  const { listenForMetrics } = await import('../core/telemetry/metrics-listener.ts');
  return listenForMetrics(address, createClusterReader(WORKERS));
}
