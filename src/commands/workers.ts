import { setTimeout } from 'node:timers/promises';
import pLimit from 'p-limit';
import { inTime } from '../ground/faults/in-time.ts';
import type { Log } from '../ground/faults/log.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import type { Order, ServerAddress } from './listen.ts';
import { type End, forkWorker, prepareWorkers, type WorkerProcess } from './worker.ts';

/** Milliseconds in which a new worker must be ready. */
const readyMilliseconds = 30_000;

/** The pause before an ended worker is replaced: none after a calm minute, then 1, 2, 4, up to 30 seconds. Constants in milliseconds. */
const calmAfter = 60_000;
const firstPause = 1000;
const longestPause = 30_000;

/** @param endDeadline milliseconds that a worker may take to end before it is killed */
export function createWorkers(count: number, log: Log, endDeadline: number) {
  const members = new Set<WorkerProcess>();
  /** All workers that have not ended, including retiring ones. */
  const living = new Set<WorkerProcess>();
  const complete = Promise.withResolvers<ServerAddress>();
  const stopping = new AbortController();
  let pause = 0;
  let latestReplacement = Number.NEGATIVE_INFINITY;
  const reloads = pLimit(1);
  let wasReady = false;
  let isFilling = false;

  /** Starts a worker. Undefined if the machine cannot start another process. */
  function startWorker(): WorkerProcess | undefined {
    try {
      const worker = forkWorker();
      observe(worker);
      return worker;
    } catch (error) {
      complete.reject(error);
      log.error({ event: 'worker_ended', err: error }, 'a worker cannot be started');
      return undefined;
    }
  }

  function observe(worker: WorkerProcess): void {
    members.add(worker);
    living.add(worker);
    worker.ready.then((address) => {
      log.info({ event: 'worker_ready', worker: worker.pid }, 'a worker is ready');
      wasReady = true;
      if (members.size >= count && [...members].every((member) => member.isReady())) complete.resolve(address);
    });
    // After the first start, a worker that does not get ready in time is killed and replaced.
    if (wasReady) inTime(Promise.race([worker.ready, worker.ended]), readyMilliseconds).catch(worker.kill);
    worker.ended.then((end) => {
      living.delete(worker);
      const endedByItself = members.delete(worker);
      if (!endedByItself) return;
      if (!wasReady) return complete.reject(reasonOf(end));
      log.error({ event: 'worker_ended', worker: worker.pid, ...end }, 'a worker has ended');
      fillAtPace();
    });
  }

  /** Replaces workers that have ended. Those that end during the pause are replaced after it. */
  async function fillAtPace(): Promise<void> {
    if (isFilling || members.size >= count) return;
    isFilling = true;
    const isCalm = Date.now() - latestReplacement > calmAfter;
    pause = isCalm ? 0 : Math.min(Math.max(pause * 2, firstPause), longestPause);
    latestReplacement = Date.now() + pause;
    if (pause > 0)
      log.warn({ event: 'worker_replacement', seconds: pause / 1000 }, 'the next worker starts after a pause');
    await setTimeout(pause, undefined, stopping).catch(() => {});
    isFilling = false;
    fill();
  }

  function fill(): void {
    while (members.size < count && !stopping.signal.aborted) {
      if (startWorker() === undefined) return void fillAtPace();
    }
  }

  async function endWorker(worker: WorkerProcess, order: Order): Promise<void> {
    members.delete(worker);
    if (await worker.end(order, endDeadline)) return;
    log.error({ event: 'worker_killed', worker: worker.pid }, 'a worker did not end in time');
  }

  async function startWorkerAndWait(): Promise<boolean> {
    const worker = startWorker();
    if (worker === undefined) return false;
    const outcome = Promise.race([worker.ready.then(() => true), worker.ended.then(() => false)]);
    const isReady = await inTime(outcome, readyMilliseconds).catch(() => false);
    if (!isReady && !stopping.signal.aborted) await endWorker(worker, 'stop');
    return isReady;
  }

  /** Replaces all workers one by one. It stops at the first new one that does not get ready, and at an order to end. */
  async function renew(): Promise<void> {
    if (stopping.signal.aborted) return;
    log.info({ event: 'reload' }, 'new workers replace all workers');
    let isRenewed = true;
    for (const old of [...members]) {
      // A worker that ended by itself meanwhile has been replaced already.
      if (!members.has(old)) continue;
      isRenewed = await startWorkerAndWait();
      // If the server ends, the old worker already has an order. A second order would cut its drain time short.
      if (!isRenewed || stopping.signal.aborted) break;
      await endWorker(old, 'retire');
    }
    if (stopping.signal.aborted) return;
    // A worker may have ended while the reload gave up.
    fillAtPace();
    if (isRenewed) log.info({ event: 'reloaded' }, 'all workers are new');
    else log.error({ event: 'reload_failed' }, 'a new worker did not get ready: the other workers keep serving');
  }

  return {
    /**
     * Starts the workers.
     * @returns the address, once all are ready
     * @throws {Misconfiguration} when the first one cannot start
     */
    async start(): Promise<ServerAddress> {
      prepareWorkers();
      // The first worker starts alone, so that a fault common to all is reported once.
      startWorker()?.ready.then(fill);
      return await complete.promise;
    },

    reload(): void {
      // A reload that is already queued serves this call too.
      if (reloads.pendingCount === 0) reloads(renew);
    },

    /** Ends all workers. A second call cuts their drain time short. */
    async stop(): Promise<void> {
      stopping.abort();
      await Promise.all([...living].map((worker) => endWorker(worker, 'stop')));
    },
  };
}

const reasonOf = ({ code, signal, faults }: End): Error =>
  faults.length > 0
    ? new Misconfiguration(...faults)
    : new Error(`a worker ended before it could serve (${signal ?? `code ${code}`})`);
