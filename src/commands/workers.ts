import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { inTime } from '../faults/in-time.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Order } from './listen.ts';
import { createReplacementPace } from './replacement-pace.ts';
import { type End, prepareWorkers, startWorker, type WorkerProcess } from './worker-process.ts';

/** Milliseconds in which a new worker must be ready. A worker that replaces an ended one must only listen by then. */
const readyDeadline = 30_000;

/** Processes behind one port. The primary opens the port and hands out connections in turn. */
export interface Workers {
  /**
   * Starts all workers and gives the port once they are ready.
   * @throws {Misconfiguration} when the first worker cannot start, because then none can
   */
  start(): Promise<number>;
  /** Replaces all workers, one after the other. A call during a reload queues another reload. */
  reload(): Promise<void>;
  /** Switches the log of all current and later workers to `debug`, or back. */
  setDebug(debug: boolean): void;
  /** Ends all workers. A second call cuts their drain time short. */
  stop(): Promise<void>;
}

interface WorkersOptions {
  readonly count: number;
  readonly log: Logger;
  /** Milliseconds that a worker may take to end before it is killed. */
  readonly endDeadline: number;
}

export function createWorkers({ count, log, endDeadline }: WorkersOptions): Workers {
  /** Workers that serve or are starting. */
  const members = new Set<WorkerProcess>();
  /** All workers that have not ended, including retiring ones. */
  const living = new Set<WorkerProcess>();
  const complete = Promise.withResolvers<number>();
  const stopping = new AbortController();
  const nextPause = createReplacementPace();
  let wasReady = false;
  let inDebug = false;
  let isFilling = false;
  let isReloading = false;
  let mustReload = false;

  function hire(): WorkerProcess {
    const worker = startWorker();
    members.add(worker);
    living.add(worker);
    worker.ready.then((port) => {
      log.info({ event: 'worker_ready', worker: worker.pid }, 'a worker is ready');
      wasReady = true;
      if (inDebug) worker.setDebug(true);
      if (members.size >= count && [...members].every(({ isReady }) => isReady)) complete.resolve(port);
    });
    // After the first start, a worker that does not listen in time is killed and replaced.
    if (wasReady) inTime(Promise.race([worker.listening, worker.ended]), readyDeadline).catch(worker.kill);
    worker.ended.then((end) => {
      living.delete(worker);
      if (members.delete(worker)) replace(worker, end);
    });
    return worker;
  }

  /** Replaces a worker that ended by itself. If no worker was ready yet, the start has failed. */
  function replace({ pid }: WorkerProcess, end: End): void {
    if (!wasReady) {
      complete.reject(reasonOf(end));
      return;
    }
    log.error({ event: 'worker_ended', worker: pid, ...end }, 'a worker has ended');
    fill();
  }

  async function fill(): Promise<void> {
    // Workers that end during the pause are replaced after it.
    if (isFilling || members.size >= count) return;
    isFilling = true;
    const pause = nextPause();
    if (pause > 0) log.warn({ event: 'worker_replacement', seconds: pause / 1000 }, 'it is replaced after a pause');
    await setTimeout(pause, undefined, stopping).catch(() => {});
    isFilling = false;
    while (members.size < count && !stopping.signal.aborted) if (tryToHire() === undefined) return void fill();
  }

  /** Gives undefined if the machine cannot start another process. */
  function tryToHire(): WorkerProcess | undefined {
    try {
      return hire();
    } catch (error) {
      log.error({ event: 'worker_ended', err: error }, 'a worker cannot be started');
      return undefined;
    }
  }

  async function dismiss(worker: WorkerProcess, order: Order): Promise<void> {
    members.delete(worker);
    if (await worker.end(order, endDeadline)) return;
    log.error({ event: 'worker_killed', worker: worker.pid }, 'a worker did not end in time');
  }

  /** Stops at the first worker that does not get ready, and when all workers get an order to end. @returns whether all were replaced */
  async function renew(): Promise<boolean> {
    for (const old of [...members]) {
      if (stopping.signal.aborted) return false;
      // This worker ended by itself and has been replaced.
      if (!members.has(old)) continue;
      const successor = tryToHire();
      if (successor === undefined) return false;
      const isReady = await isReadyInTime(successor);
      // Both workers already have their order. A second order would cut their drain time short.
      if (stopping.signal.aborted) return false;
      if (!isReady) {
        await dismiss(successor, 'stop');
        return false;
      }
      await dismiss(old, 'retire');
    }
    return true;
  }

  return {
    async start() {
      prepareWorkers();
      // The first worker starts alone, so that a fault common to all is reported once.
      hire().listening.then(() => {
        while (members.size < count && !stopping.signal.aborted) hire();
      });
      return await complete.promise;
    },

    async reload() {
      mustReload = true;
      if (isReloading) return;
      isReloading = true;
      while (mustReload && !stopping.signal.aborted) {
        mustReload = false;
        log.info({ event: 'reload' }, 'new workers take the place of all');
        const isRenewed = await renew();
        if (stopping.signal.aborted) break;
        // A worker may have ended while the reload gave up.
        fill();
        if (isRenewed) log.info({ event: 'reloaded' }, 'all workers are new');
        else log.error({ event: 'reload_failed' }, 'a new worker did not get ready: the others are kept');
      }
      isReloading = false;
    },

    setDebug(debug) {
      inDebug = debug;
      for (const worker of living) if (worker.isReady) worker.setDebug(debug);
    },

    async stop() {
      stopping.abort();
      await Promise.all([...living].map((worker) => dismiss(worker, 'stop')));
    },
  };
}

const isReadyInTime = ({ ready, ended }: WorkerProcess): Promise<boolean> =>
  inTime(Promise.race([ready.then(() => true), ended.then(() => false)]), readyDeadline).catch(() => false);

/** The reason why the start failed. */
const reasonOf = ({ code, signal, faults }: End): Error =>
  faults.length > 0
    ? new Misconfiguration(...faults)
    : new Error(`a worker ended before it could serve (${signal ?? `code ${code}`})`);
