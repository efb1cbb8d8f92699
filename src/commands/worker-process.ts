import cluster, { type Worker } from 'node:cluster';
import { extname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { inTime } from '../faults/in-time.ts';
import { followConnections } from './handed-connections.ts';
import type { Order } from './listen.ts';
import type { Instruction, Report } from './worker.ts';

/** A worker, as the primary sees it. */
export interface WorkerProcess {
  readonly pid: number | undefined;
  /** It has asked for its port. */
  readonly listening: Promise<void>;
  /** The port, once it serves with its stores. */
  readonly ready: Promise<number>;
  readonly isReady: boolean;
  readonly ended: Promise<End>;
  setDebug(debug: boolean): void;
  kill(): void;
  /** Tells it to end, and kills it after so many milliseconds. Gives whether it ended by itself. */
  end(order: Order, deadline: number): Promise<boolean>;
}

/** How it ended, and what it said was wrong. */
export interface End {
  readonly code: number | null;
  readonly signal: string | null;
  readonly faults: readonly string[];
}

/** Turns of the event loop until the channel of a worker that has ended is closed. It takes one or two. */
const mostTurns = 1000;

/** To be called once, before the first is started. */
export function prepareWorkers(): void {
  // On Windows too, where Node has another way by itself: in that one connections are lost with a worker that ends.
  cluster.schedulingPolicy = cluster.SCHED_RR;
  // In the package it is JavaScript.
  const cli = fileURLToPath(new URL(`../cli${extname(import.meta.url)}`, import.meta.url));
  cluster.setupPrimary({ exec: cli, args: ['serve', '--worker'] });
}

/** Starts a worker, with the code as it is on the disk now. */
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
  const handOn = followConnections(worker);
  let faults: readonly string[] = [];
  worker.on('message', (message: Report | null) => {
    if (message?.janua === 'faults') faults = message.faults;
  });
  worker.once('exit', async (code, signal) => {
    // What it said last may still be in the channel, which is closed thereafter.
    for (let turn = 0; worker.isConnected() && turn < mostTurns; turn += 1) await setImmediate();
    // Node does so by itself only where no connection was under way.
    worker.disconnect();
    handOn();
    resolve({ code, signal, faults });
  });
  worker.on('error', (error) => {
    // It could not be started at all. Any other is of an order that came too late, and its end is heard of too.
    if (worker.process.pid === undefined) resolve({ code: null, signal: null, faults: [error.message] });
  });
  return promise;
}
