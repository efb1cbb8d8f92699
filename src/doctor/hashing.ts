import { randomBytes } from 'node:crypto';
import { availableParallelism, freemem } from 'node:os';
import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import { createPasswords } from '../core/passwords/passwords.ts';
import { currentCost } from '../core/passwords/schemes/argon2.ts';
import type { Settings } from '../ground/config/settings.ts';

const hashMebibytes = currentCost.memoryCost / 1024;

/** Milliseconds that a hash should take at most. */
const slow = 1000;

/** No limits (`Work` in `ground/faults/turns.ts`), because the check competes with no other work. */
const noWork = { places: [], parties: [] };

export interface Capacity {
  readonly milliseconds: number;
  /** Hashes at the same time, in one process. */
  readonly concurrency: number;
  readonly workers: number;
  readonly cores: number;
  readonly freeMebibytes: number;
}

/** Measures `work`. A run of more than `enough` milliseconds is the last. @returns the median of the runs, in milliseconds */
export async function medianTime(runs: number, work: () => Promise<unknown>, enough = Number.POSITIVE_INFINITY) {
  const times: number[] = [];
  while (times.length < runs && !times.some((time) => time > enough)) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

export async function* checkHashing({ HASHING_CONCURRENCY, WORKERS }: Settings): Check {
  const passwords = createPasswords({ concurrency: 1, queue: 0, rehashes: false, log: { warn() {} } });
  yield* judgeCapacity({
    milliseconds: await medianTime(
      3,
      () => passwords.hash(noWork, randomBytes(16).toString('hex'), async () => {}),
      slow,
    ),
    concurrency: HASHING_CONCURRENCY,
    workers: WORKERS,
    cores: availableParallelism(),
    // A control group may allow this process less than the machine has.
    freeMebibytes: Math.min(freemem(), process.availableMemory()) / 2 ** 20,
  });
}

export function* judgeCapacity(capacity: Capacity): Generator<Finding> {
  const { milliseconds, concurrency, workers, cores, freeMebibytes } = capacity;
  const by = workers === 1 ? '' : ` in each of ${workers} workers`;
  const atOnce = Math.min(workers * concurrency, cores);
  const speed =
    `Hashing a password takes ${Math.round(milliseconds)} ms: at most ${Math.floor((atOnce * 1000) / milliseconds)} logins ` +
    `a second, with HASHING_CONCURRENCY=${concurrency}${by} on ${cores} ${cores === 1 ? 'core' : 'cores'}.`;
  yield milliseconds > slow ? warning(speed, 'Use a faster machine, or one with less other work.') : ok(speed);

  const most = workers * concurrency;
  const needed = most * hashMebibytes;
  const memory = `Hashing may take ${needed} MiB (${most} × ${hashMebibytes}); ${Math.floor(freeMebibytes)} MiB are free.`;
  const share = Math.ceil(cores / workers);
  const fitting = Math.max(1, Math.min(share, Math.floor(freeMebibytes / hashMebibytes / workers)));
  yield needed > freeMebibytes ? wrong(memory, `HASHING_CONCURRENCY=${fitting}, or add memory.`) : ok(memory);

  if (concurrency > share)
    yield warning(
      `HASHING_CONCURRENCY${by} is beyond the ${cores} cores: more hashes at the same time are each slower, and take memory.`,
      `HASHING_CONCURRENCY=${share}, which is the default here.`,
    );
}
