import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { Computations } from './computations.ts';

export interface Task {
  readonly name: keyof Computations;
  readonly input: unknown;
}

export interface Computed {
  readonly result: unknown;
  readonly milliseconds: number;
}

interface Thread {
  readonly worker: Worker;
  /** The tasks sent to the thread, in the order of its answers. */
  readonly tasks: PromiseWithResolvers<Computed>[];
}

export type HashingThreads = ReturnType<typeof createHashingThreads>;

/** The file has the ending `.ts` in the sources, and `.js` in the published package. */
const ownFile = new URL(`./thread${extname(import.meta.url)}`, import.meta.url);

/**
 * @param count the most threads. A thread takes 10 MB, so it starts only when there is a task for it
 * @param file the code of a thread. Most tests pass a file with cheaper hashes
 */
export function createHashingThreads(count: number, file = ownFile) {
  const threads = new Set<Thread>();

  function start(): Thread {
    // Options of the process, such as `--input-type` or a loader, must not apply to its threads.
    const worker = new Worker(file, { execArgv: [], resourceLimits: { maxYoungGenerationSizeMb: 2 } });
    const thread: Thread = { worker, tasks: [] };
    worker.on('message', (computed: Computed) => {
      thread.tasks.shift()?.resolve(computed);
      // An idle thread must not keep the process alive.
      if (thread.tasks.length === 0) worker.unref();
    });
    function abandon(reason: unknown): void {
      threads.delete(thread);
      for (const { reject } of thread.tasks) reject(new Unavailable('Password hashing', 2, reason));
    }
    worker.on('error', abandon);
    worker.on('exit', abandon);
    threads.add(thread);
    return thread;
  }

  function choose(): Thread {
    const [least] = [...threads].sort((a, b) => a.tasks.length - b.tasks.length);
    return least === undefined || (least.tasks.length > 0 && threads.size < count) ? start() : least;
  }

  async function send(name: keyof Computations, input: unknown): Promise<Computed> {
    const { worker, tasks } = choose();
    const computed = Promise.withResolvers<Computed>();
    worker.postMessage({ name, input } satisfies Task);
    // Added after `postMessage`. If that throws, the task gets no answer, and must not be in the list.
    tasks.push(computed);
    worker.ref();
    return computed.promise;
  }

  return {
    /**
     * Computes on the thread with the fewest tasks. A new task waits on that thread, so the thread has it at hand when the previous task
     * ends. On busy cores, this made logins a fifth faster than a queue in the main thread.
     * @returns the result, the milliseconds that it took, and those that the task waited before
     * @throws {Unavailable} when the thread has died
     */
    async compute<Name extends keyof Computations>(name: Name, input: Parameters<Computations[Name]>[0]) {
      const start = performance.now();
      const { result, milliseconds } = await send(name, input);
      const waited = performance.now() - start - milliseconds;
      return { result: result as ReturnType<Computations[Name]>, milliseconds, waited };
    },
    get taskCount() {
      return [...threads].reduce((sum, { tasks }) => sum + tasks.length, 0);
    },
  };
}
