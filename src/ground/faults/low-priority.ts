import { setPriority } from 'node:os';

/** The usual "nice" level of background work: such threads share the processor with each other, after requests. */
const niceness = 10;

/** Lowers the priority of the calling thread, so that requests of signed-in users do not wait for its work. */
export function lowerPriority(): void {
  // Only Linux gives each thread its own priority. Elsewhere this would slow down the whole process.
  if (process.platform !== 'linux') return;
  try {
    setPriority(niceness);
  } catch {
    // A sandbox may forbid the change. The work is done without it.
  }
}
