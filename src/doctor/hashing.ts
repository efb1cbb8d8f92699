import { randomBytes } from 'node:crypto';
import { availableParallelism, freemem } from 'node:os';
import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../config/settings.ts';
import { createPasswords } from '../passwords/passwords.ts';
import { today } from '../passwords/schemes/argon2.ts';

/** MiB that one hash of today's cost uses. */
const hashMebibytes = today.memoryCost / 1024;

/** Milliseconds that a hash should take at most. */
const slow = 1000;

/** The machine's capacity for hashing passwords. */
export interface Capacity {
  /** Milliseconds that one hash takes. */
  readonly milliseconds: number;
  /** Hashes at the same time, in one process. */
  readonly concurrency: number;
  /** Processes that hash. */
  readonly workers: number;
  readonly cores: number;
  /** Available memory in MiB. */
  readonly freeMebibytes: number;
}

/** Hashes a password a few times at today's cost, and judges the machine by the result. */
export async function* checkHashing({ HASHING_CONCURRENCY, WORKERS }: Settings): Check {
  const passwords = createPasswords({ concurrency: 1, queue: 0, rehashes: false, log: { warn() {} } });
  const times: number[] = [];
  while (times.length < 3 && !times.some((time) => time > slow)) {
    const start = performance.now();
    await passwords.hash(randomBytes(16).toString('hex'));
    times.push(performance.now() - start);
  }
  yield* judgeCapacity({
    milliseconds: times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0,
    concurrency: HASHING_CONCURRENCY,
    workers: WORKERS,
    cores: availableParallelism(),
    freeMebibytes: freeMebibytes(),
  });
}

export function* judgeCapacity({
  milliseconds,
  concurrency,
  workers,
  cores,
  freeMebibytes,
}: Capacity): Generator<Finding> {
  const by = workers === 1 ? '' : ` in each of ${workers} workers`;
  const atOnce = Math.min(workers * concurrency, cores);
  const speed =
    `Hashing a password takes ${Math.round(milliseconds)} ms: at most ${Math.floor((atOnce * 1000) / milliseconds)} logins ` +
    `a second, with HASHING_CONCURRENCY=${concurrency}${by} on ${cores} ${cores === 1 ? 'core' : 'cores'}.`;
  yield milliseconds > slow ? warning(speed, 'Give it a faster machine, or one that has less else to do.') : ok(speed);

  const most = workers * concurrency;
  const needed = most * hashMebibytes;
  const memory = `Hashing may take ${needed} MiB (${most} × ${hashMebibytes}); ${Math.floor(freeMebibytes)} MiB can be had.`;
  const share = Math.ceil(cores / workers);
  const fitting = Math.max(1, Math.min(share, Math.floor(freeMebibytes / hashMebibytes / workers)));
  yield needed > freeMebibytes ? wrong(memory, `HASHING_CONCURRENCY=${fitting}, or more memory.`) : ok(memory);

  if (concurrency > share)
    yield warning(
      `HASHING_CONCURRENCY${by} is beyond the ${cores} cores: more at the same time makes each slower, and takes memory.`,
      `HASHING_CONCURRENCY=${share}, which is the default here.`,
    );
}

/** Gives the machine's free memory, or less if a control group limits this process. */
function freeMebibytes(): number {
  const limit = process.constrainedMemory() || Number.POSITIVE_INFINITY;
  return Math.min(freemem(), Math.max(0, limit - process.memoryUsage.rss())) / 2 ** 20;
}
