import { randomBytes } from 'node:crypto';
import type { Log } from '../../ground/faults/log.ts';
import { createTurns, type Turn, type Work } from '../../ground/faults/turns.ts';
import { createFailureDurations } from './failure-durations.ts';
import type { ComparisonInput, Computations } from './hashing/computations.ts';
import { createHashingThreads, type HashingThreads } from './hashing/threads.ts';

/** The longest password that is hashed, in bytes of UTF-8 (long passwords cost time: OWASP Authentication CS). */
export const maxPasswordBytes = 1024;

/** The most kinds of stored hashes (scheme and cost) that are measured before the first login. More would slow down the start. */
const kindsCalibrated = 8;

/** `failureFloor` is the longest median times this factor, because some computations take longer than usual. */
const floorMargin = 1.25;

export type PasswordCheck = Pick<ReturnType<Computations['compare']>, 'matches' | 'replacement'>;

export type Passwords = ReturnType<typeof createPasswords>;

export interface PasswordOptions {
  readonly threads?: HashingThreads | undefined;
  /** The most passwords that are hashed at once. */
  readonly concurrency: number;
  /** The most pieces of work that wait for a turn. */
  readonly queue: number;
  readonly rehashes: boolean;
  readonly log: Pick<Log, 'warn'>;
  /** Called with the milliseconds that each password waited for a thread. The wait for its turn comes before, and is not counted. */
  readonly onWaited?: ((milliseconds: number) => void) | undefined;
  readonly onRefused?: (() => void) | undefined;
}

/**
 * Hashes and compares passwords, a bounded number at a time: each takes a core and 19 MiB (ASVS 2.4.1, 15.2.2). Every hash needs a turn
 * (`createTurns`). Logins and new passwords share one queue, so that neither can block the other.
 */
export function createPasswords(options: PasswordOptions) {
  const { concurrency, queue, rehashes, log, onWaited, onRefused } = options;
  const { threads = createHashingThreads(concurrency) } = options;
  const durations = createFailureDurations();
  const turns = createTurns({
    part: 'Password hashing',
    // Enough to keep the threads busy while some of the work waits for the database. All further work waits for a turn, shared fairly.
    atOnce: Math.min(4 * concurrency, concurrency + queue),
    waiting: queue,
    onRefused,
    onFull: () => log.warn({ event: 'hashing_queue_full', queue }, 'too many passwords are waiting to be hashed'),
  });

  async function compare(input: ComparisonInput): Promise<PasswordCheck> {
    const { result, milliseconds, waited } = await threads.compute('compare', input);
    const { matches, replacement, kind, unusable } = result;
    onWaited?.(waited);
    if (unusable !== undefined)
      log.warn({ event: 'password_hash_unusable', scheme: unusable }, 'a stored password hash cannot be verified');
    // Only failures are measured: a match without a rehash takes less time, and would lower the floor.
    if (!matches) durations.add(kind, milliseconds);
    return { matches, replacement };
  }

  return {
    /** Waits for a turn, and then runs work that computes hashes. @throws {Unavailable} when too many are waiting */
    takeTurn: turns.take,

    /**
     * Compares a password with the stored hash of a user. A comparison with a missing, cheap or broken hash takes as long as with a hash of
     * the current cost (ASVS 6.3.8). A password that is too long takes this time as well.
     * @throws {Unavailable} when the thread has died
     */
    async check(_turn: Turn, storedHash: string | undefined, password: string): Promise<PasswordCheck> {
      const isTooLong = Buffer.byteLength(password) > maxPasswordBytes;
      return compare(
        isTooLong ? { storedHash: undefined, password: '', rehashes } : { storedHash, password, rehashes },
      );
    },

    /**
     * Returns the PHC string to store for a new password.
     * @param requireUse is called when the turn comes. It throws if the hash is not needed any more, for example because the account has
     * changed
     * @throws {Unavailable} when too many are waiting
     */
    hash: (work: Work, password: string, requireUse: () => Promise<unknown>): Promise<string> =>
      turns.take(work, async () => {
        await requireUse();
        const { result, waited } = await threads.compute('hash', { password });
        onWaited?.(waited);
        return result;
      }),

    /**
     * Returns the milliseconds that every failure must take at least: the time must not reveal the kind of the stored hash (ASVS 6.3.8).
     */
    failureFloor: () => durations.longest() * floorMargin,

    load: () => ({
      underWay: Math.min(threads.taskCount, concurrency),
      waiting: Math.max(0, threads.taskCount - concurrency) + turns.waiting(),
    }),

    /** Measures the slowest kinds of these stored hashes, so that `failureFloor` covers them before the first login. */
    async calibrate(storedHashes: readonly string[]): Promise<void> {
      const { result: costliest } = await threads.compute('findCostliest', { storedHashes, count: kindsCalibrated });
      const password = randomBytes(16).toString('hex');
      for (const storedHash of [undefined, ...costliest]) await compare({ storedHash, password, rehashes });
    },
  };
}
