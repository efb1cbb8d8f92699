// A hashing thread. It runs one computation at a time.
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { computations } from './computations.ts';
import type { Computed, Task } from './threads.ts';

/** Lowers the priority of hashing, so that requests of signed-in users do not wait for logins. */
const niceness = 10;

// Only Linux gives each thread its own priority. Elsewhere this would slow down the whole process.
if (process.platform === 'linux') {
  try {
    setPriority(niceness);
  } catch {
    // A sandbox may forbid the change. Hashing works without it.
  }
}

parentPort?.on('message', ({ name, input }: Task) => {
  const start = performance.now();
  const result = computations[name](input as never);
  parentPort?.postMessage({ result, milliseconds: performance.now() - start } satisfies Computed);
});
