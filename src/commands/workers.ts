import { setTimeout } from 'node:timers/promises';
import type { Logger } from 'pino';
import { inTime } from '../faults/in-time.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { Order } from './listen.ts';
import { createReplacementPace } from './replacement-pace.ts';
import { type End, prepareWorkers, startWorker, type WorkerProcess } from './worker-process.ts';

/** Longest that a worker may take to be ready in the place of another, or to listen in that of one that ended, in milliseconds. */
const readyDeadline = 30_000;

/** Processes that serve behind one port, which the primary opens: it hands out the connections in turn. */
export interface Workers {
  /**
   * Starts them. Gives the port, once all are ready.
   * @throws {Misconfiguration} when the first cannot start, as none could
   */
  start(): Promise<number>;
  /** Puts new ones in the place of all, one after the other. Said meanwhile, it is done once more. */
  reload(): Promise<void>;
  /** Has all that there are, and that come, say more in the log, or as much as is set. */
  setDebug(debug: boolean): void;
  /** Ends them. Said again, they wait no longer than for the requests under way. */
  stop(): Promise<void>;
}

interface WorkersOptions {
  readonly count: number;
  readonly log: Logger;
  /** Longest that one may take to end, in milliseconds; then it is killed. */
  readonly endDeadline: number;
}

export function createWorkers({ count, log, endDeadline }: WorkersOptions): Workers {
  /** Those that are to serve. */
  const members = new Set<WorkerProcess>();
  /** Those that have not ended, whether they are to or not. */
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
    // Once there were some, one that gets nowhere is no reason to have fewer. It is replaced as one that ended.
    if (wasReady) inTime(Promise.race([worker.listening, worker.ended]), readyDeadline).catch(worker.kill);
    worker.ended.then((end) => {
      living.delete(worker);
      if (members.delete(worker)) replace(worker, end);
    });
    return worker;
  }

  /** For one that ended and was not told to. Before any was ready, that is the end of all. */
  function replace({ pid }: WorkerProcess, end: End): void {
    if (!wasReady) {
      complete.reject(reasonOf(end));
      return;
    }
    log.error({ event: 'worker_ended', worker: pid, ...end }, 'a worker has ended');
    fill();
  }

  async function fill(): Promise<void> {
    // Those that end meanwhile are replaced with it.
    if (isFilling || members.size >= count) return;
    isFilling = true;
    const pause = nextPause();
    if (pause > 0) log.warn({ event: 'worker_replacement', seconds: pause / 1000 }, 'it is replaced after a pause');
    await setTimeout(pause, undefined, stopping).catch(() => {});
    isFilling = false;
    while (members.size < count && !stopping.signal.aborted) if (tryToHire() === undefined) return void fill();
  }

  /** Undefined where the machine has no room for another process. */
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

  /** Gives whether all were replaced: the first that does not get ready is the last that is tried. Ends early where all are to end. */
  async function renew(): Promise<boolean> {
    for (const old of [...members]) {
      if (stopping.signal.aborted) return false;
      // It ended by itself, and so is replaced already.
      if (!members.has(old)) continue;
      const successor = tryToHire();
      if (successor === undefined) return false;
      const isReady = await isReadyInTime(successor);
      // Both have been told then, and a second order would end their wait.
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
      // What keeps the first from starting would keep them all, and is to be said once.
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
        // One that ended meanwhile had a successor then, which was given up since.
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
