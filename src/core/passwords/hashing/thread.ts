// A hashing thread: runs one computation after the other.
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { computations } from './computations.ts';
import type { Computed, Task } from './threads.ts';

/** Lowers the priority of hashing. Requests of signed-in users must not wait for logins. */
const niceness = 10;

// Only Linux gives each thread its own priority. Elsewhere this would slow down the whole process.
if (process.platform === 'linux') {
  try {
    setPriority(niceness);
  } catch {
    // A sandbox may forbid it. Hashing works without it.
  }
}

parentPort?.on('message', ({ name, input }: Task) => {
  const start = performance.now();
  const result = computations[name](input as never);
  parentPort?.postMessage({ result, milliseconds: performance.now() - start } satisfies Computed);
});
