import { randomBytes } from 'node:crypto';
import { hash, verify } from '@node-rs/argon2';
import pLimit from 'p-limit';
import { Unavailable } from '../unavailable.ts';
import { today } from './password-schemes/argon2.ts';
import type { ComparableHash, StoredPassword } from './password-schemes/scheme.ts';
import { parseStoredPassword } from './password-schemes/stored-password.ts';

/** Longest password that is hashed, in bytes of UTF-8 (long passwords cost time: OWASP Authentication CS). */
export const maxPasswordBytes = 1024;

/** Of each kind of stored hash, so many of its last times say how long it takes. */
const timesKept = 9;

/** Kinds of stored hashes that are tried out before the first login: a start must not take long. */
const kindsCalibrated = 8;

/** What one computation may take beyond the usual before it shows. */
const floorMargin = 1.25;

/** What comparing a password with a stored hash showed. */
export interface PasswordCheck {
  readonly matches: boolean;
  /** The hash to store from now on, when the password matched a weaker one than today's. */
  readonly replacement: string | undefined;
}

export interface Passwords {
  /**
   * Compares a password with what is stored for a user. Without a stored hash, or with a cheap or broken one, it
   * costs as much time as with today's (ASVS 6.3.8).
   * @throws {Unavailable} when too many are waiting already
   */
  check(storedHash: string | undefined, password: string): Promise<PasswordCheck>;
  /** The PHC string to store for a new password. */
  hash(password: string): Promise<string>;
  /**
   * Milliseconds before which no failure should be answered: kinds of stored hashes take more or less time, and a failure with one
   * must not be told from a failure with another (ASVS 6.3.8). Covers the dearest kind that was met so far.
   */
  failureFloor(): number;
  /** Meets the dearest kinds among these stored hashes, so that the floor covers them before the first login. */
  calibrate(storedHashes: readonly string[]): Promise<void>;
}

export interface PasswordOptions {
  /** Hashes under way at the same time. */
  readonly concurrency: number;
  /** Hashes that may wait beside them. */
  readonly queue: number;
  /** Whether a password that matched a weaker hash than today's is to be stored anew. */
  readonly rehashes: boolean;
  readonly log: { warn(details: object, message: string): void };
}

/** Hashes and compares passwords, a bounded number at a time: each takes a core and 19 MiB (ASVS 2.4.1, 15.2.2). */
export function createPasswords({ concurrency, queue, rehashes, log }: PasswordOptions): Passwords {
  const limit = pLimit(concurrency);
  const decoy = decoyHash();
  const durations = createDurations();

  let wasFull = false;

  function bounded<T>(work: () => Promise<T>): Promise<T> {
    const isFull = limit.activeCount >= concurrency && limit.pendingCount >= queue;
    // Said once, and not for each of those who are turned away.
    if (isFull && !wasFull)
      log.warn({ event: 'hashing_queue_full', queue }, 'too many logins are waiting for their hash');
    wasFull = isFull;
    if (isFull) throw new Unavailable('Password hashing', 2);
    return limit(work);
  }

  function warn(scheme: string): void {
    log.warn({ event: 'password_hash_unusable', scheme }, 'a stored password hash cannot be computed');
  }

  async function matchesStored(stored: ComparableHash, password: Buffer): Promise<boolean> {
    try {
      return await stored.matches(password);
    } catch {
      // Not with the error: it might quote the hash.
      warn(stored.scheme);
      return verify(decoy, password);
    }
  }

  async function compare(stored: StoredPassword | undefined, password: Buffer): Promise<PasswordCheck> {
    const start = performance.now();
    if (stored?.state === 'broken') warn(stored.scheme);
    const comparable = stored?.state === 'broken' ? undefined : stored;
    const matches = comparable !== undefined && (await matchesStored(comparable, password));
    const replacement = rehashes && matches && comparable?.state === 'weak' ? await hash(password, today) : undefined;
    // A failure costs no less with a weak hash, a broken one, and none at all.
    if (!matches && comparable?.state !== 'current') await verify(decoy, password);
    // Of failures alone: a match whose hash is kept takes less, and would lower the floor.
    if (!matches) durations.add(comparable?.kind ?? 'none', performance.now() - start);
    return { matches, replacement };
  }

  return {
    async check(storedHash, password) {
      return bounded(() => {
        const stored = storedHash === undefined ? undefined : parseStoredPassword(storedHash);
        return compare(stored, Buffer.from(password, 'utf8'));
      });
    },
    async hash(password) {
      return bounded(() => hash(Buffer.from(password, 'utf8'), today));
    },
    failureFloor: () => durations.longest() * floorMargin,
    async calibrate(storedHashes) {
      const kinds = new Map<string, ComparableHash>();
      for (const stored of storedHashes.map(parseStoredPassword))
        if (stored.state !== 'broken') kinds.set(stored.kind, stored);
      const dearest = [...kinds.values()].sort((a, b) => b.effort - a.effort).slice(0, kindsCalibrated);
      const nobodys = Buffer.from(randomBytes(16).toString('hex'));
      for (const stored of [undefined, ...dearest]) await limit(() => compare(stored, nobodys));
    },
  };
}

/** How long comparing takes with each kind of stored hash: the median of its last times, since one slow moment must not last. */
function createDurations() {
  const timesOfKinds = new Map<string, readonly number[]>();
  return {
    add(kind: string, milliseconds: number): void {
      timesOfKinds.set(kind, [...(timesOfKinds.get(kind) ?? []), milliseconds].slice(-timesKept));
    },
    longest: () => Math.max(0, ...timesOfKinds.values().map(median)),
  };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}

/** A hash of nothing, at today's cost: comparing with it takes as long as with a real one and never matches. */
function decoyHash(): string {
  const encode = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const { memoryCost, timeCost, parallelism, outputLen } = today;
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${encode(16)}$${encode(outputLen)}`;
}
