import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { inTime } from '../faults/in-time.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Order } from './listen.ts';
import { createReplacementPace } from './replacement-pace.ts';
import { type End, prepareWorkers, startWorker, type WorkerProcess } from './worker-process.ts';

/** Milliseconds in which a new worker must be ready, or at least listen if it replaces one that ended. */
const readyDeadline = 30_000;

/** Processes that serve behind one port. The primary opens it and hands out the connections in turn. */
export interface Workers {
  /**
   * Starts them. Gives the port, once all are ready.
   * @throws {Misconfiguration} when the first cannot start, as none could
   */
  start(): Promise<number>;
  /** Replaces all workers, one after the other. A call during a reload queues one more. */
  reload(): Promise<void>;
  /** Sets the log of all workers, including later ones, to `debug` or back. */
  setDebug(debug: boolean): void;
  /** Ends all workers. A second call ends their drain time. */
  stop(): Promise<void>;
}

interface WorkersOptions {
  readonly count: number;
  readonly log: Logger;
  /** Longest that one may take to end, in milliseconds; then it is killed. */
  readonly endDeadline: number;
}

export function createWorkers({ count, log, endDeadline }: WorkersOptions): Workers {
  /** The workers that serve, or will. */
  const members = new Set<WorkerProcess>();
  /** All workers that have not ended. */
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
    // After the start, a worker that doesn't listen in time is killed and replaced.
    if (wasReady) inTime(Promise.race([worker.listening, worker.ended]), readyDeadline).catch(worker.kill);
    worker.ended.then((end) => {
      living.delete(worker);
      if (members.delete(worker)) replace(worker, end);
    });
    return worker;
  }

  /** For a worker that ended by itself. If none was ready yet, the start has failed. */
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

  /** Undefined if the machine cannot start another process. */
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

  /** Gives whether all were replaced. Stops at the first worker that doesn't get ready, and when all workers are told to end. */
  async function renew(): Promise<boolean> {
    for (const old of [...members]) {
      if (stopping.signal.aborted) return false;
      // It ended by itself and has been replaced.
      if (!members.has(old)) continue;
      const successor = tryToHire();
      if (successor === undefined) return false;
      const isReady = await isReadyInTime(successor);
      // Both have their order. A second one would end their drain time.
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
      // A fault that stops the first would stop all, and is reported once.
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
        // A worker may have ended while its successor was given up.
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

/** Why nothing can be started. */
const reasonOf = ({ code, signal, faults }: End): Error =>
  faults.length > 0
    ? new Misconfiguration(...faults)
    : new Error(`a worker ended before it could serve (${signal ?? `code ${code}`})`);
