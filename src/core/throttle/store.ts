import { afterFailure, type Policy, remainingWait, type Tally } from './policy.ts';

export interface FailureRecord extends Tally {
  readonly key: string;
  /** In milliseconds since 1970; undefined for never. */
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

/** A failure of every key, or of none because one of them has to wait. */
export type Counting<Key = PolicedKey> =
  | { readonly counted: true; readonly keys: readonly CountedKey<Key>[] }
  | { readonly counted: false; readonly keys: readonly FoundKey<Key>[] };

export interface Revision extends PolicedKey {
  /** Gives the new tally; undefined forgets the key. A store calls it again if the tally has changed meanwhile. */
  revise(tally: Tally): Tally | undefined;
}

/** `policy.ts` defines what failures mean. Every method throws `Unavailable` when the store cannot be reached. */
export interface FailureStore {
  /** Counts a failure of each key, or of none if one has to wait, however many calls run at once. @param now milliseconds since 1970 */
  count<Key extends PolicedKey>(keys: readonly Key[], now: number): Promise<Counting<Key>>;
  /** Changes each key as a whole. A key without failures stays without. */
  revise(revisions: readonly Revision[]): Promise<void>;
  forget(keys: readonly string[]): Promise<number>;
  /**
   * A part of the records, in no order. It may be empty and still have a next one. A record may come twice, and expired ones are among them.
   * @param from the `next` of the part before
   */
  listPage(from?: string): Promise<FailurePage>;
  /** The keys that begin with one of these texts, and go on with ASCII. Databases find them by the primary key. */
  findStarting(starts: readonly string[]): Promise<readonly string[]>;
}

/** The result of counting, given the records of the keys. Expired records do not count. */
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
