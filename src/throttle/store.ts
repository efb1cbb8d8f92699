import { afterFailure, type Policy, remainingWait, type Tally } from './policy.ts';

/** Failures of one key, as they are kept. */
export interface FailureRecord extends Tally {
  readonly key: string;
  /** In milliseconds since 1970; undefined where it is never forgotten by itself. */
  readonly expiresAt: number | undefined;
}

/** A key, and how its failures are answered. */
export interface PolicedKey {
  /** At most 400 characters. */
  readonly key: string;
  readonly policy: Policy;
}

export interface FoundKey extends PolicedKey {
  /** What was there before this attempt. */
  readonly before: Tally | undefined;
}

export interface CountedKey extends FoundKey {
  readonly after: Tally;
}

/** A failure of every key, or of none since one of them has to wait. */
export type Counting =
  | { readonly counted: true; readonly keys: readonly CountedKey[] }
  | { readonly counted: false; readonly keys: readonly FoundKey[] };

/** What becomes of a key that has failures. */
export interface Revision extends PolicedKey {
  /** Gives what is put in the place of what there is; undefined forgets it. Called again when that has changed meanwhile. */
  revise(tally: Tally): Tally | undefined;
}

/**
 * Where failures are counted. What they mean is said in `policy.ts`, once for all stores.
 * Every method throws `Unavailable` when the store cannot be reached.
 */
export interface FailureStore {
  /**
   * Counts one failure of each key, unless one of them has to wait, however many ask at once.
   * @param now milliseconds since 1970
   */
  count(keys: readonly PolicedKey[], now: number): Promise<Counting>;
  /** Changes what there is, each key as a whole. */
  revise(revisions: readonly Revision[]): Promise<void>;
  /** Gives how many of them there were. */
  forget(keys: readonly string[]): Promise<number>;
  /** All that is kept, read in batches, in no order; what has expired may be among it. */
  list(): AsyncIterable<FailureRecord>;
  /** Removes at most `limit` records that expired before a time, and returns how many there were. */
  removeExpired(time: number, limit: number): Promise<number>;
}

/** What counting comes to where this is found; what has expired is nothing. */
export function countFound(keys: readonly PolicedKey[], records: readonly FailureRecord[], now: number): Counting {
  const living = new Map<string, Tally>();
  for (const { key, count, lastAt, expiresAt } of records)
    if (expiresAt === undefined || expiresAt >= now) living.set(key, { count, lastAt });
  const found = keys.map((key) => ({ ...key, before: living.get(key.key) }));
  if (found.some(({ policy, before }) => remainingWait(policy, before, now) > 0))
    return { counted: false, keys: found };
  return { counted: true, keys: found.map((key) => ({ ...key, after: afterFailure(key.policy, key.before, now) })) };
}
