import { randomBytes } from 'node:crypto';
import { hash, parseOptions, verify } from '@node-rs/argon2';
import pLimit from 'p-limit';
import { Unavailable } from '../unavailable.ts';

/** Longest password that is hashed, in bytes of UTF-8 (long passwords cost time: OWASP Authentication CS). */
export const maxPasswordBytes = 1024;

/** Today's cost of a stored password: argon2id, 19 MiB, two passes (OWASP Password Storage CS; ASVS 11.4.2). */
const today = { memoryCost: 19_456, timeCost: 2, parallelism: 1, outputLen: 32 } as const;

/**
 * The dearest stored hash that is still computed; anything beyond is taken for broken. Memory in KiB. Its work, memory times
 * passes, stays under seven times today's: what a failure may take before it is answered must cover it.
 */
const dearest = { memoryCost: 131_072, timeCost: 64, parallelism: 16, work: 262_144 } as const;

const argon2id = 2;
const argon2Version19 = 1;

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
}

export interface PasswordOptions {
  /** Hashes under way at the same time. */
  readonly concurrency: number;
  /** Hashes that may wait beside them. */
  readonly queue: number;
  readonly log: { warn(details: object, message: string): void };
}

/** Hashes and compares passwords, a bounded number at a time: each takes a core and 19 MiB (ASVS 2.4.1, 15.2.2). */
export function createPasswords({ concurrency, queue, log }: PasswordOptions): Passwords {
  const limit = pLimit(concurrency);
  const decoy = decoyHash();

  function bounded<T>(work: () => Promise<T>): Promise<T> {
    if (limit.activeCount >= concurrency && limit.pendingCount >= queue) throw new Unavailable('Password hashing', 2);
    return limit(work);
  }

  async function matchesStored(storedHash: string, password: Buffer): Promise<boolean> {
    try {
      return await verify(storedHash, password);
    } catch (error) {
      log.warn({ event: 'password_hash_unusable', err: error }, 'a stored password hash cannot be computed');
      return false;
    }
  }

  async function compare(storedHash: string | undefined, password: Buffer): Promise<PasswordCheck> {
    const strength = storedHash === undefined ? 'none' : strengthOf(storedHash);
    if (strength === 'broken')
      log.warn({ event: 'password_hash_unusable' }, 'a stored password hash is malformed or too costly');
    const comparable = storedHash !== undefined && strength !== 'broken';
    if (comparable && (await matchesStored(storedHash, password))) {
      return { matches: true, replacement: strength === 'weak' ? await hash(password, today) : undefined };
    }
    // A failure costs the same with a weak hash, a broken one, and none at all.
    if (strength !== 'current') await verify(decoy, password);
    return { matches: false, replacement: undefined };
  }

  return {
    async check(storedHash, password) {
      return bounded(() => compare(storedHash, Buffer.from(password, 'utf8')));
    },
    async hash(password) {
      return bounded(() => hash(Buffer.from(password, 'utf8'), today));
    },
  };
}

type Strength = 'current' | 'weak' | 'broken';

function strengthOf(storedHash: string): Strength {
  try {
    const { algorithm, version, memoryCost, timeCost, parallelism, outputLen, saltLen } = parseOptions(storedHash);
    const tooDear =
      memoryCost > dearest.memoryCost ||
      timeCost > dearest.timeCost ||
      parallelism > dearest.parallelism ||
      memoryCost * timeCost > dearest.work;
    if (tooDear || outputLen < 16 || saltLen < 8) return 'broken';
    const cheap = memoryCost * timeCost < today.memoryCost * today.timeCost || memoryCost < 7168;
    const weak = cheap || algorithm !== argon2id || version !== argon2Version19 || outputLen < 32 || saltLen < 16;
    return weak ? 'weak' : 'current';
  } catch {
    return 'broken';
  }
}

/** A hash of nothing, at today's cost: comparing with it takes as long as with a real one and never matches. */
function decoyHash(): string {
  const encode = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const { memoryCost, timeCost, parallelism, outputLen } = today;
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${encode(16)}$${encode(outputLen)}`;
}
