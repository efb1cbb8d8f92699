// A hashing thread: computes one thing after the other, as it is told.
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import { computations } from './computations.ts';
import type { Answer, Task } from './threads.ts';

/** How far hashing gives way: whoever is signed in must not wait for those who are about to be. */
const niceness = 10;

giveWay();

/** Only on Linux is a priority the thread's own; elsewhere the whole process would give way. */
function giveWay(): void {
  if (process.platform !== 'linux') return;
  try {
    setPriority(niceness);
  } catch {
    // A sandbox may forbid it: then passwords are hashed all the same.
  }
}

parentPort?.on('message', ({ id, name, input }: Task) => {
  const start = performance.now();
  const result = computations[name](input as never);
  parentPort?.postMessage({ id, result, milliseconds: performance.now() - start } satisfies Answer);
});
