// A hashing thread. It runs one computation at a time.
import { parentPort } from 'node:worker_threads';
import { lowerPriority } from '../../../ground/faults/low-priority.ts';
import { computations } from './computations.ts';
import type { Computed, Task } from './threads.ts';

lowerPriority();

parentPort?.on('message', ({ name, input }: Task) => {
  const start = performance.now();
  const result = computations[name](input as never);
  parentPort?.postMessage({ result, milliseconds: performance.now() - start } satisfies Computed);
});
