import cluster from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inTime } from '../ground/faults/in-time.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { type Order, Orders, type ServerAddress } from './listen.ts';

/** Messages to the primary. After an upgrade, new workers send them to an old primary until its restart, so fields may only be added. */
type Report =
  | ({ readonly janua: 'ready' } & ServerAddress)
  | { readonly janua: 'faults'; readonly faults: readonly string[] };

interface Instruction {
  readonly janua?: Order;
}

export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly faults: readonly string[];
}

/** Milliseconds in which the primary reads the last messages of a worker that has ended. */
const disconnectMilliseconds = 100;

export function prepareWorkers(): void {
  // Round robin is Node's default, except on Windows, where the default loses connections when a worker ends.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // The published package has `cli.js`, a checkout `cli.ts`.
  const cli = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));
  cluster.setupPrimary({ exec: cli, args: ['serve', '--worker'] });
}

export type WorkerProcess = ReturnType<typeof forkWorker>;

export function forkWorker() {
  const worker = cluster.fork();
  const ready = Promise.withResolvers<ServerAddress>();
  const ended = Promise.withResolvers<End>();
  let isReady = false;
  let faults: readonly string[] = [];

  worker.on('message', (message: Report | null) => {
    if (message?.janua === 'faults') faults = message.faults;
    if (message?.janua !== 'ready') return;
    isReady = true;
    ready.resolve({ url: message.url, port: message.port });
  });
  worker.once('exit', async (code, signal) => {
    // The primary may not have read the worker's last message yet, so it waits for the channel to close. The wait is short, because Node
    // does not disconnect a worker that dies while it is handed a connection.
    if (worker.isConnected())
      await inTime(once(worker, 'disconnect'), disconnectMilliseconds).catch(() => worker.disconnect());
    ended.resolve({ code, signal, faults });
  });
  worker.on('error', (error) => {
    // Without a pid, the process could not start. Otherwise, an order came too late for a worker that ends, and its exit follows.
    if (worker.process.pid === undefined) ended.resolve({ code: null, signal: null, faults: [error.message] });
  });
  const kill = () => void worker.process.kill('SIGKILL');

  return {
    pid: worker.process.pid,
    ready: ready.promise,
    ended: ended.promise,
    isReady: () => isReady,
    kill,
    /** Orders the worker to end, and kills it after `deadline` milliseconds. @returns whether it ended by itself */
    async end(order: Order, deadline: number): Promise<boolean> {
      // A worker that is not ready has nothing to finish.
      if (!isReady) kill();
      else worker.send({ janua: order } satisfies Instruction);
      try {
        await inTime(ended.promise, deadline);
        return true;
      } catch {
        kill();
        await ended.promise;
        return false;
      }
    },
  };
}

/** Serves as a worker. If the primary dies, this process gets no more connections, so Node's cluster ends it. */
export async function obeyPrimary(
  serve: (orders: Orders, onReady: (address: ServerAddress) => void) => Promise<void>,
): Promise<void> {
  // A terminal or supervisor signals all processes. Workers ignore the signals, because the primary instructs them.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  const orders = new Orders();
  process.on('message', (message: Instruction | null) => {
    if (message?.janua !== undefined) orders.emit('order', message.janua);
  });
  try {
    await serve(orders, (address) => report({ janua: 'ready', ...address }));
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    await report({ janua: 'faults', faults: error.lines });
    process.exitCode = 2;
  } finally {
    cluster.worker?.disconnect();
  }
}

const report = (message: Report) => new Promise<void>((resolve) => process.send?.(message, () => resolve()));
