import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inTime } from '../faults/in-time.ts';
import type { Order } from './listen.ts';
import type { Instruction, Report } from './worker.ts';

/** The primary's view of a worker. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Resolves when the worker listens on its port. */
  readonly listening: Promise<void>;
  /** Resolves to the port when the worker serves with its stores. */
  readonly ready: Promise<number>;
  readonly isReady: boolean;
  readonly ended: Promise<End>;
  setDebug(debug: boolean): void;
  kill(): void;
  /** Orders the worker to end, and kills it after `deadline` milliseconds. @returns whether it ended by itself */
  end(order: Order, deadline: number): Promise<boolean>;
}

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

/** Starts a worker with the code that is now on disk. */
export function startWorker(): WorkerProcess {
  const worker = cluster.fork();
  const listening = Promise.withResolvers<void>();
  const ready = Promise.withResolvers<number>();
  let hears = false;
  let isReady = false;
  worker.once('listening', () => {
    hears = true;
    listening.resolve();
  });
  worker.on('message', (message: Report | null) => {
    if (message?.janua !== 'ready') return;
    isReady = true;
    ready.resolve(message.port);
  });
  const ended = endOf(worker);
  const kill = () => void worker.process.kill('SIGKILL');

  return {
    pid: worker.process.pid,
    listening: listening.promise,
    ready: ready.promise,
    get isReady() {
      return isReady;
    },
    ended,
    setDebug: (debug) => void worker.send({ debug } satisfies Instruction),
    kill,
    async end(order, deadline) {
      if (hears) worker.send({ janua: order } satisfies Instruction);
      // A worker that does not listen yet has nothing to finish.
      else kill();
      try {
        await inTime(ended, deadline);
        return true;
      } catch {
        kill();
        await ended;
        return false;
      }
    },
  };
}

function endOf(worker: Worker): Promise<End> {
  const { promise, resolve } = Promise.withResolvers<End>();
  let faults: readonly string[] = [];
  worker.on('message', (message: Report | null) => {
    if (message?.janua === 'faults') faults = message.faults;
  });
  worker.once('exit', async (code, signal) => {
    // The primary may not have read its last message yet. Node does not disconnect a worker that dies while it is handed a connection.
    if (worker.isConnected()) await inTime(once(worker, 'disconnect'), farewell).catch(() => worker.disconnect());
    resolve({ code, signal, faults });
  });
  worker.on('error', (error) => {
    // Without a pid, the worker could not start. Any other error is an order that came too late, and the exit follows.
    if (worker.process.pid === undefined) resolve({ code: null, signal: null, faults: [error.message] });
  });
  return promise;
}
