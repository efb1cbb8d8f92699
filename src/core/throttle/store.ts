import { afterFailure, type Policy, remainingWait, type Tally } from './backoff.ts';

export interface FailureRecord extends Tally {
  readonly key: string;
  /** Milliseconds since 1970. Undefined: never. */
  readonly expiresAt: number | undefined;
}

export interface FailurePage {
  readonly records: readonly FailureRecord[];
  readonly next: string | undefined;
}

export interface PolicedKey {
  /** At most 400 characters. */
  readonly key: string;
  readonly policy: Policy;
}

export type FoundKey<Key = PolicedKey> = Key & { readonly before: Tally | undefined };
export type CountedKey<Key = PolicedKey> = FoundKey<Key> & { readonly after: Tally };

/** The result of counting: a failure of every key, or of no key because one of them has to wait. */
export type Counting<Key = PolicedKey> =
  | { readonly counted: true; readonly keys: readonly CountedKey<Key>[] }
  | { readonly counted: false; readonly keys: readonly FoundKey<Key>[] };

export interface Revision extends PolicedKey {
  /** Returns the new tally. Undefined forgets the key. A store calls it again if the tally has changed in the meantime. */
  revise(tally: Tally): Tally | undefined;
}

/** A store of failures. `backoff.ts` defines the waits after them. Every method throws `Unavailable` when the store cannot be reached. */
export interface FailureStore {
  /**
   * Counts a failure of each key, or of no key if one has to wait. This holds for any number of simultaneous calls.
   * @param now milliseconds since 1970
   */
  count<Key extends PolicedKey>(keys: readonly Key[], now: number): Promise<Counting<Key>>;
  /** Changes each key atomically. A key without failures is not changed. */
  revise(revisions: readonly Revision[]): Promise<void>;
  forget(keys: readonly string[]): Promise<number>;
  /**
   * Returns a page of the records, in no order. A page may be empty although there is a next one. A record may occur twice, and expired
   * records are included.
   * @param from the `next` of the previous page
   */
  listPage(from?: string): Promise<FailurePage>;
  /**
   * Finds the keys of these ranges. SQL databases find `start` by the primary key. A search through many keys has several steps, and pauses
   * after each step for as long as the step took.
   */
  find(ranges: readonly KeyRange[]): Promise<readonly string[]>;
}

/** Keys that begin with `start`, followed by ASCII, and end with `end`. */
export interface KeyRange {
  readonly start: string;
  readonly end?: string;
}

export const isInRange = (key: string, { start, end = '' }: KeyRange): boolean =>
  key.startsWith(start) && key.endsWith(end);

/** Returns the result of counting, given the records of the keys. Expired records do not count. */
export function countFound<Key extends PolicedKey>(
  keys: readonly Key[],
  records: readonly FailureRecord[],
  now: number,
): Counting<Key> {
  const living = new Map<string, Tally>();
  for (const { key, count, lastAt, expiresAt } of records)
    if (expiresAt === undefined || expiresAt >= now) living.set(key, { count, lastAt });
  const found = keys.map((key) => ({ ...key, before: living.get(key.key) }));
  if (found.some(({ policy, before }) => remainingWait(policy, before, now) > 0))
    return { counted: false, keys: found };
  return { counted: true, keys: found.map((key) => ({ ...key, after: afterFailure(key.policy, key.before, now) })) };
}
