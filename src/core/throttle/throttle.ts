import { setImmediate } from 'node:timers/promises';
import { createTurns, type TakeTurn, type Turn, type Work } from '../../ground/faults/turns.ts';
import { isStopped, type Policy, remainingWait, type Tally, waitEnd, withoutFailure } from './backoff.ts';
import type { CountedKey, FailureRecord, FailureStore, FoundKey, KeyRange, PolicedKey, Revision } from './store.ts';

export interface AttemptKey<Kind extends string> extends PolicedKey {
  readonly kind: Kind;
  /** `clear` forgets all failures of the key, unless they have led to a stop. `take-back` forgets only this attempt. */
  readonly onSuccess: 'clear' | 'take-back';
}

export interface Limits<Kind extends string> extends Work {
  readonly keys: readonly AttemptKey<Kind>[];
  /** Further keys that a success clears. The attempt itself does not count for them. */
  readonly clears?: readonly PolicedKey[];
}

export interface TracedKey<Kind extends string> {
  readonly kind: Kind;
  readonly failures: number;
  /** Seconds that the key still had to wait. 0 if the key let the attempt pass. */
  readonly waitSeconds: number;
  /** Whether the key refuses every attempt until an administrator lifts the stop. */
  readonly stopped: boolean;
}

export interface Checked {
  readonly succeeded: boolean;
  readonly clears?: boolean;
}

/** The outcome of an attempt. `stops` tells whether the failure of this attempt stopped a key. */
export type Throttled<T, Kind extends string> =
  | { readonly passed: true; readonly result: T; readonly trace: readonly TracedKey<Kind>[]; readonly stops: boolean }
  | { readonly passed: false; readonly retryAfterSeconds: number; readonly trace: readonly TracedKey<Kind>[] };

export interface ListedFailures {
  readonly failures: number;
  readonly lastFailureAt: Date;
  /** When the next attempt passes. Undefined if it would pass now, or if the key is stopped. */
  readonly waitsUntil?: Date;
  /** Whether the key refuses every attempt until an administrator lifts the stop. */
  readonly stopped: boolean;
}

/** Slows down guessing: it counts the failures of keys, and makes further attempts with them wait. */
export type Throttle = ReturnType<typeof createThrottle>;

export interface ThrottleOptions {
  readonly store: FailureStore;
  /** Attempts wait for the same turns as all other work that computes password hashes. */
  readonly takeTurn: TakeTurn;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

/**
 * How often an attempt is counted again because undecided attempts blocked it. One process runs at most 20 attempts from one network at
 * once (`atOnce` in `core/access/login-limits.ts`).
 */
const mostTries = 20;

/** The most calls of `take` that may wait for their turn, for all keys together. Further ones throw `Unavailable`. */
export const mostUsesWaiting = 500;

/**
 * Creates the throttle (ASVS 6.3.1, 6.1.1; NIST SP 800-63B-4 3.2.2). Because an attempt counts as failed until it succeeds, many concurrent
 * attempts would refuse each other although all of them would succeed. Therefore only a few run at once: of an account, of a network, and
 * in all. The other attempts wait for their turn, and are counted when it comes.
 */
export function createThrottle({ store, takeTurn, now = Date.now }: ThrottleOptions) {
  /** For each key, promises for the end of the attempts that this process is counting or checking. */
  const undecided = new Map<string, Set<Promise<void>>>();
  const uses = createTurns({ part: 'The throttle', atOnce: Number.POSITIVE_INFINITY, waiting: mostUsesWaiting });

  /** Runs an attempt. Until it ends, it is one of the undecided attempts of its keys. */
  async function whileUndecided<T>(keys: readonly PolicedKey[], work: () => Promise<T>): Promise<T> {
    const { promise: end, resolve } = Promise.withResolvers<void>();
    for (const { key } of keys) undecided.set(key, (undecided.get(key) ?? new Set()).add(end));
    try {
      return await work();
    } finally {
      for (const { key } of keys) {
        undecided.get(key)?.delete(end);
        if (undecided.get(key)?.size === 0) undecided.delete(key);
      }
      resolve();
    }
  }

  /** Runs an attempt. If only undecided attempts of this process block it, it waits for one of them, and tries again. */
  async function attemptInTurn<Kind extends string, T extends Checked>(
    limits: Limits<Kind>,
    check: () => Promise<T>,
  ): Promise<Throttled<T, Kind>> {
    for (let tries = 1; ; tries += 1) {
      // An attempt waits only for earlier attempts, so two attempts never wait for each other.
      const earlier = new Map(limits.keys.map(({ key }) => [key, [...(undecided.get(key) ?? [])]]));
      const { outcome, blocked } = await whileUndecided(limits.keys, () => attemptOnce(limits, check));
      const blocking = blocked.map(({ key }) => earlier.get(key) ?? []);
      // A key that waits without earlier undecided attempts waits for real failures.
      if (blocking.some((ends) => ends.length === 0) || blocked.length === 0 || tries === mostTries) return outcome;
      await Promise.race(blocking.flat());
    }
  }

  async function attemptOnce<Kind extends string, T extends Checked>(
    { keys, clears = [] }: Limits<Kind>,
    check: () => Promise<T>,
  ): Promise<{ outcome: Throttled<T, Kind>; blocked: readonly PolicedKey[] }> {
    const time = now();
    const counting = await store.count(keys, time);
    const trace = counting.keys.map((key) => traceOf(key, time));
    if (!counting.counted) {
      const retryAfterSeconds = Math.max(...trace.map(({ waitSeconds }) => waitSeconds));
      const blocked = counting.keys.filter(({ policy, before }) => remainingWait(policy, before, time) > 0);
      return { outcome: { passed: false, retryAfterSeconds, trace }, blocked };
    }
    const counted = counting.keys;
    let result: T;
    try {
      result = await check();
    } catch (error) {
      // The caller needs the error of the check. If the store fails too, the attempt stays counted as a failure.
      await store.revise(counted.map(takeBack)).catch(() => {});
      throw error;
    }
    if (result.succeeded)
      await store.revise(
        result.clears === false ? counted.map(takeBack) : [...counted.map(afterSuccess), ...clears.map(clear)],
      );
    const stops = !result.succeeded && counted.some(({ policy, after }) => isStopped(policy, after.count));
    return { outcome: { passed: true, result, trace, stops }, blocked: [] };
  }

  return {
    /**
     * Runs `check` unless too many attempts with one of the keys have failed. The attempt counts as failed before it begins. A success
     * takes that back, and so does a `check` that throws. A hundred concurrent attempts therefore get no more tries than a hundred
     * sequential ones.
     * @throws {Unavailable} when too many attempts are waiting, or the store cannot be reached
     */
    async attempt<Kind extends string, T extends Checked>(
      limits: Limits<Kind>,
      check: (turn: Turn) => Promise<T>,
    ): Promise<Throttled<T, Kind>> {
      return takeTurn(limits, (turn) => attemptInTurn(limits, () => check(turn)));
    },

    /**
     * Returns a page of the keys with failures. A page may be empty although there is a next one.
     * @param parse returns the strictest policy that a key may have been counted with. Undefined skips the key
     * @param from the `next` of the previous page
     */
    async listPage<Key extends { readonly policy: Policy }>(parse: (key: string) => Key | undefined, from?: string) {
      const time = now();
      const { records, next } = await store.listPage(from);
      const keys: (Omit<Key, 'policy'> & ListedFailures)[] = [];
      for (const record of records) {
        const parsed = parse(record.key);
        if (parsed === undefined || (record.expiresAt ?? time) < time) continue;
        const { policy, ...key } = parsed;
        keys.push({ ...key, ...toListed(record, policy, time) });
      }
      return { keys, next };
    },

    /** Forgets the failures that a success clears. For an attempt whose success has cleared none, because `Checked.clears` was false. */
    forgive: ({ keys, clears = [] }: Limits<string>): Promise<void> =>
      store.revise([...keys.filter(({ onSuccess }) => onSuccess === 'clear'), ...clears].map(clear)),

    /**
     * Counts one use of each key, unless one of them has to wait. No success takes it back. Returns whether it was counted. Uses of one key
     * wait in this process, because each that waits in the database would hold a connection.
     * @param keys the last one is the party, among which turns are shared (`Work.parties`)
     * @throws {Unavailable} when too many wait, or the store cannot be reached
     */
    async take(keys: readonly PolicedKey[]): Promise<boolean> {
      const names = keys.map(({ key }) => key);
      const work = { places: names.map((key) => ({ key, atOnce: 1 })), parties: names.slice(-1) };
      return uses.take(work, async () => (await store.count(keys, now())).counted);
    },

    /**
     * Forgets the failures of keys, and returns how many keys there were.
     * @param ranges of all keys that `isChosen` can accept. Undefined: every key is read
     */
    async lift(isChosen: (key: string) => boolean, ranges?: readonly KeyRange[]): Promise<number> {
      if (ranges !== undefined) return store.forget((await store.find(ranges)).filter(isChosen));
      let count = 0;
      let from: string | undefined;
      do {
        const { records, next } = await store.listPage(from);
        count += await store.forget(records.map(({ key }) => key).filter(isChosen));
        from = next;
        // Other requests run here. Reads of SQLite are synchronous, and would otherwise block them until the end.
        await setImmediate();
      } while (from !== undefined);
      return count;
    },
  };
}

function traceOf<Kind extends string>({ kind, policy, before }: FoundKey<AttemptKey<Kind>>, time: number) {
  const failures = before?.count ?? 0;
  const waitSeconds = remainingWait(policy, before, time);
  return { kind, failures, waitSeconds, stopped: isStopped(policy, failures) };
}

const takeBack = (counted: CountedKey): Revision => ({ ...counted, revise: (tally) => withoutFailure(counted, tally) });

const clear = (key: PolicedKey): Revision => ({ ...key, revise: (tally) => stopOf(key, tally) });

const afterSuccess = (counted: CountedKey<AttemptKey<string>>): Revision => ({
  ...counted,
  revise(tally) {
    const left = withoutFailure(counted, tally);
    return counted.onSuccess === 'clear' ? stopOf(counted, left) : left;
  },
});

/** Returns what remains after clearing: the tally of a stop, otherwise undefined. */
const stopOf = ({ policy }: PolicedKey, tally: Tally | undefined): Tally | undefined =>
  tally && isStopped(policy, tally.count) ? tally : undefined;

function toListed({ count, lastAt, expiresAt }: FailureRecord, policy: Policy, time: number): ListedFailures {
  const listed = { failures: count, lastFailureAt: new Date(lastAt) };
  // A stop never expires. If the failures expire, they were counted with a policy without a stop, however many they are.
  if (expiresAt === undefined && isStopped(policy, count)) return { ...listed, stopped: true };
  const { stopsAt: _, ...withoutStop } = policy;
  const end = waitEnd(withoutStop, { count, lastAt }, time);
  if (end <= time) return { ...listed, stopped: false };
  return { ...listed, waitsUntil: new Date(end), stopped: false };
}

/** Creates a throttle that counts nothing, and lets every attempt pass when it has its turn: for `THROTTLE=off` and measurements. */
export const createUnthrottled = (takeTurn: TakeTurn): Throttle => ({
  attempt: async ({ parties }, check) => ({
    passed: true,
    result: await takeTurn({ places: [], parties }, check),
    trace: [],
    stops: false,
  }),
  forgive: async () => {},
  take: async () => true,
  listPage: async () => ({ keys: [], next: undefined }),
  lift: async () => 0,
});
