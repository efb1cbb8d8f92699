import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inTime } from '../faults/in-time.ts';
import type { Order } from './listen.ts';
import type { Instruction, Report } from './worker.ts';

/** A worker, as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** Resolves when the worker has its port. */
  readonly listening: Promise<void>;
  /** Gives the port when the worker serves with its stores. */
  readonly ready: Promise<number>;
  readonly isReady: boolean;
  readonly ended: Promise<End>;
  setDebug(debug: boolean): void;
  kill(): void;
  /** Tells it to end, and kills it after so many milliseconds. Gives whether it ended by itself. */
  end(order: Order, deadline: number): Promise<boolean>;
}

/** How a worker ended, and the faults it reported. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly faults: readonly string[];
}

/** Milliseconds in which the last messages of a worker that has ended are read. */
const farewell = 100;

/** Call it once, before the first worker starts. */
export function prepareWorkers(): void {
  // Node's default everywhere but on Windows, where its other way loses connections with a worker that ends.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // The published package has JavaScript.
  const cli = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));
  cluster.setupPrimary({ exec: cli, args: ['serve', '--worker'] });
}

/** Starts a worker, with the code that is on the disk now. */
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
      // It has nothing to finish.
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
    // Its last message may be unread. Node doesn't disconnect a worker that died with a connection on its way to it.
    if (worker.isConnected()) await inTime(once(worker, 'disconnect'), farewell).catch(() => worker.disconnect());
    resolve({ code, signal, faults });
  });
  worker.on('error', (error) => {
    // It could not start. Any other error is of an order that came too late: its exit follows.
    if (worker.process.pid === undefined) resolve({ code: null, signal: null, faults: [error.message] });
  });
  return promise;
}
