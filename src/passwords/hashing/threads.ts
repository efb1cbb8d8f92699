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
  /** How long the computation took. */
  readonly milliseconds: number;
}

export interface Computed<Result> {
  readonly result: Result;
  readonly milliseconds: number;
  /** Milliseconds that the task waited, without the computation itself. */
  readonly waited: number;
}

/** Separate threads for computations that occupy a core. */
export interface HashingThreads {
  /**
   * Computes on the thread with the fewest tasks. Tasks beyond the capacity of the threads wait in order.
   * @throws {Unavailable} when the thread has died
   */
  compute<Name extends keyof Computations>(
    name: Name,
    input: Parameters<Computations[Name]>[0],
  ): Promise<Computed<ReturnType<Computations[Name]>>>;
  /** How many tasks are under way or wait. */
  readonly size: number;
}

interface Thread {
  readonly worker: Worker;
  readonly tasks: Map<number, PromiseWithResolvers<Answer>>;
}

/**
 * How many tasks a thread holds: the one that it computes, and the next. So it need not wait until the main thread sends another one. This
 * made logins a fifth faster when every core was hashing.
 */
const tasksAhead = 2;

/** A `.ts` file in the sources, and a `.js` file in the published package. */
const file = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

/** @param count most threads. Each takes 10 MB, so it starts only when there is a task for it. */
export function createHashingThreads(count: number): HashingThreads {
  const threads = new Set<Thread>();
  const limit = pLimit(count * tasksAhead);
  let lastId = 0;

  function start(): Thread {
    // Options of the process, such as `--input-type` or a loader, are not for its threads.
    const worker = new Worker(file, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    const thread: Thread = { worker, tasks: new Map() };
    worker.on('message', (answer: Answer) => {
      thread.tasks.get(answer.id)?.resolve(answer);
      thread.tasks.delete(answer.id);
      // An idle thread must not keep the process alive.
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

  /** An idle thread, else a new one, else the one with the fewest tasks. */
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
    get size() {
      return limit.activeCount + limit.pendingCount;
    },
  };
}
