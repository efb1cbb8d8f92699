import cluster from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inTime } from '../faults/in-time.ts';
import type { Order, ServerAddress } from './listen.ts';
import type { Instruction, Report } from './worker.ts';

/** How a worker ended, and the faults it reported. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly faults: readonly string[];
}

/** Milliseconds for reading the last messages of a worker that has ended. */
const farewell = 100;

/** Call it once, before the first worker starts. */
export function prepareWorkers(): void {
  // Node's default except on Windows. There the default loses connections when a worker ends.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // The published package has `cli.js`, a checkout `cli.ts`.
  const cli = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));
  cluster.setupPrimary({ exec: cli, args: ['serve', '--worker'] });
}

/** The primary's view of a worker. */
export type WorkerProcess = ReturnType<typeof startWorker>;

/** Starts a worker with the code that is now on disk. */
export function startWorker() {
  const worker = cluster.fork();
  const listening = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<ServerAddress>();
  const ended = Promise.withResolvers<End>();
  let state: 'starting' | 'listening' | 'ready' = 'starting';
  let faults: readonly string[] = [];

  worker.once('listening', () => {
    state = 'listening';
    listening.resolve();
  });
  worker.on('message', (message: Report | null) => {
    if (message?.janua === 'faults') faults = message.faults;
    if (message?.janua !== 'ready') return;
    state = 'ready';
    ready.resolve({ url: message.url, port: message.port });
  });
  worker.once('exit', async (code, signal) => {
    // The primary may not have read its last message yet. Node does not disconnect a worker that dies while it is handed a connection.
    if (worker.isConnected()) await inTime(once(worker, 'disconnect'), farewell).catch(() => worker.disconnect());
    ended.resolve({ code, signal, faults });
  });
  worker.on('error', (error) => {
    // Without a pid, the worker could not start. Any other error is an order that came too late, and the exit follows.
    if (worker.process.pid === undefined) ended.resolve({ code: null, signal: null, faults: [error.message] });
  });
  const kill = () => void worker.process.kill('SIGKILL');

  return {
    pid: worker.process.pid,
    /** Resolves when the worker listens on its port. */
    listening: listening.promise,
    /** Resolves when the worker serves with its stores. */
    ready: ready.promise,
    ended: ended.promise,
    isReady: () => state === 'ready',
    setDebug: (debug: boolean) => void worker.send({ debug } satisfies Instruction),
    kill,
    /** Orders the worker to end, and kills it after `deadline` milliseconds. @returns whether it ended by itself */
    async end(order: Order, deadline: number): Promise<boolean> {
      // A worker that does not listen yet has nothing to finish.
      if (state === 'starting') kill();
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
