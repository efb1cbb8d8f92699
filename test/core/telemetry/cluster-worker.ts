import cluster from 'node:cluster';
import { createMetrics } from '../../../src/core/telemetry/metrics.ts';

/** A process of a cluster for `cluster-metrics.test.ts`. The primary forks two workers and prints the sum of their counts. */
const request = { method: 'GET', route: '/api/me', status: 200, format: 'json', milliseconds: 2 } as const;

if (cluster.isPrimary) {
  const { createClusterReader } = await import('../../../src/core/telemetry/cluster-metrics.ts');
  const read = createClusterReader(2);
  const counted = Promise.withResolvers<void>();
  let ready = 0;
  cluster.on('message', (_worker, message) => {
    if (message === 'counted') ready += 1;
    if (ready === 2) counted.resolve();
  });
  const workers = [cluster.fork(), cluster.fork()];
  await counted.promise;
  const both = await read();
  const gone = Promise.withResolvers<void>();
  workers[0]?.once('exit', () => gone.resolve());
  workers[0]?.send('end');
  await gone.promise;
  const one = await read();
  workers[1]?.send('end');
  process.stdout.write(JSON.stringify({ both, one }));
} else {
  const metrics = createMetrics({ events: [], refusals: [] });
  for (let times = 0; times < (cluster.worker?.id ?? 0) * 10; times += 1) metrics.observeRequest(request);
  process.on('message', async (message) => {
    if (message !== 'end') return;
    await metrics.close();
    process.disconnect?.();
  });
  process.send?.('counted');
}
