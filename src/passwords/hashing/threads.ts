import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import pLimit from 'p-limit';
import { Unavailable } from '../../faults/unavailable.ts';
import type { Computations } from './computations.ts';

export interface Task {
  readonly id: number;
  readonly name: keyof Computations;
  readonly input: unknown;
}

export interface Answer {
  readonly id: number;
  readonly result: unknown;
  /** How long it took to compute. */
  readonly milliseconds: number;
}

export interface Computed<Result> {
  readonly result: Result;
  readonly milliseconds: number;
  /** Milliseconds for which it was not being computed. */
  readonly waited: number;
}

/** Threads of their own for what takes a core for its time. */
export interface HashingThreads {
  /**
   * Computes on the thread that has least to do; more than it has hands for wait in order.
   * @throws {Unavailable} when the thread has died
   */
  compute<Name extends keyof Computations>(
    name: Name,
    input: Parameters<Computations[Name]>[0],
  ): Promise<Computed<ReturnType<Computations[Name]>>>;
}

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, PromiseWithResolvers<Answer>>;
}

/**
 * How many tasks a thread has at the same time: one that it computes, and the next, so that it need not wait for this thread to have
 * time for it. That made logins a fifth faster where every core was hashing.
 */
const tasksAhead = 2;

/** Types are stripped here, and gone in what is published. */
const file = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

/** @param count threads at the most, each started when there is something for it to do, since it takes 10 MB */
export function createHashingThreads(count: number): HashingThreads {
  const threads = new Set<Thread>();
  const limit = pLimit(count * tasksAhead);
  let lastId = 0;

  function start(): Thread {
    // Whatever the process was started with is not for its threads, as `--input-type` or a loader.
    const worker = new Worker(file, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    const thread: Thread = { worker, tasks: new Map() };
    worker.on('message', (answer: Answer) => {
      thread.tasks.get(answer.id)?.resolve(answer);
      thread.tasks.delete(answer.id);
      // Only what is under way keeps the process from ending.
      if (thread.tasks.size === 0) worker.unref();
    });
    let reason: unknown;
    worker.on('error', (error) => {
      reason = error;
    });
    worker.on('exit', () => {
      threads.delete(thread);
      for (const { reject } of thread.tasks.values()) reject(new Unavailable('Password hashing', 2, reason));
    });
    threads.add(thread);
    return thread;
  }

  /** One that is idle, else a new one, else the one that has least to do. */
  function choose(): Thread {
    const [least] = [...threads].sort((a, b) => a.tasks.size - b.tasks.size);
    return least === undefined || (least.tasks.size > 0 && threads.size < count) ? start() : least;
  }

  async function send(name: keyof Computations, input: unknown): Promise<Answer> {
    const { worker, tasks } = choose();
    lastId += 1;
    const answer = Promise.withResolvers<Answer>();
    tasks.set(lastId, answer);
    worker.ref();
    worker.postMessage({ id: lastId, name, input } satisfies Task);
    return answer.promise;
  }

  return {
    async compute(name, input) {
      const start = performance.now();
      const { result, milliseconds } = await limit(() => send(name, input));
      return { result: result as never, milliseconds, waited: performance.now() - start - milliseconds };
    },
  };
}
