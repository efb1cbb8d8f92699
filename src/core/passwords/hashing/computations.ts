import { randomBytes } from 'node:crypto';
import { hashSync, verifySync } from '@node-rs/argon2';
import { currentCost } from '../schemes/argon2.ts';
import type { ComparableHash } from '../schemes/scheme.ts';
import { parseStoredPassword } from '../schemes/stored-password.ts';

/** The computations of the hashing threads. Each occupies a core, and all but the last are slow on purpose. */
export const computations = { compare, hash, findCostliest };

export type Computations = typeof computations;

export interface ComparisonInput {
  /** Undefined if no user has the name. */
  readonly storedHash: string | undefined;
  readonly password: string;
  readonly rehashes: boolean;
}

/**
 * Compares a password with a stored hash. A failure with a weak, broken or missing hash takes at least as long as with a hash of the
 * current cost (ASVS 6.3.8).
 */
function compare({ storedHash, password: text, rehashes }: ComparisonInput) {
  const password = Buffer.from(text, 'utf8');
  const stored = storedHash === undefined ? undefined : parseStoredPassword(storedHash);
  const comparable = stored?.state === 'broken' ? undefined : stored;
  const matches = comparable && matchesStored(comparable, password);
  const tookCurrentCost = matches !== undefined && comparable?.state === 'current';
  if (!matches && !tookCurrentCost) verifySync(decoy, password);
  const isWeak = comparable?.state === 'weak';
  return {
    matches: matches === true,
    /** The hash to store from now on, if the password matched a hash that is weaker than the current cost. */
    replacement: rehashes && matches && isWeak ? hash({ password: text }) : undefined,
    /** The kind of the stored hash (scheme and cost). `none` if the hash is missing or cannot be computed. */
    kind: comparable?.kind ?? 'none',
    /** The scheme of a stored hash that cannot be computed, for the log. */
    unusable: matches === undefined ? stored?.scheme : undefined,
  };
}

function hash({ password }: { password: string }): string {
  return hashSync(Buffer.from(password, 'utf8'), currentCost);
}

/** Finds the `count` kinds whose comparison takes longest. Returns a stored hash of each. */
function findCostliest({ storedHashes, count }: { storedHashes: readonly string[]; count: number }): string[] {
  const kinds = new Map<string, { effort: number; storedHash: string }>();
  for (const storedHash of storedHashes) {
    const stored = parseStoredPassword(storedHash);
    if (stored.state !== 'broken') kinds.set(stored.kind, { effort: stored.effort, storedHash });
  }
  const costliestFirst = [...kinds.values()].sort((a, b) => b.effort - a.effort);
  return costliestFirst.slice(0, count).map(({ storedHash }) => storedHash);
}

/** Compares a password. Undefined if the library fails. Its error is dropped, because it might quote the hash. */
function matchesStored(stored: ComparableHash, password: Buffer): boolean | undefined {
  try {
    return stored.matches(password);
  } catch {
    return undefined;
  }
}

/** A random hash of the current cost. A comparison with it takes as long as with a real hash, and never matches. */
const decoy = decoyHash();

function decoyHash(): string {
  const encode = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const { memoryCost, timeCost, parallelism, outputLen } = currentCost;
  return `$argon2id$v=19$m=${memoryCost},t=${timeCost},p=${parallelism}$${encode(16)}$${encode(outputLen)}`;
}
