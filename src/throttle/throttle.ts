import { setImmediate } from 'node:timers/promises';
import type { KeyTrace } from '../audit/event.ts';
import { type AttemptKey, keysOf, type ParsedKey, parseKey, strangersKeys } from './keys.ts';
import { atOnce, isStopped, remainingWait, waitAfter, withoutFailure } from './policy.ts';
import type { CountedKey, Counting, FailureRecord, FailureStore, FoundKey, PolicedKey, Revision } from './store.ts';
import { createTurns, type Place } from './turns.ts';

/** Whose attempt it is to give a password. */
export interface Attempt {
  /** Canonical address (IPv4, or an IPv6 /64), or undefined where it cannot be told. */
  readonly address: string | undefined;
  /** The network that one party may hold (IPv4 address, or an IPv6 /48), or undefined where it cannot be told. */
  readonly endSite: string | undefined;
  /** Digest of the canonical name that was given. */
  readonly nameDigest: string;
  /** The account that the name leads to, if any. */
  readonly account: AttemptedAccount | undefined;
  /** The identifier of a browser in which this account has signed in before. */
  readonly knownBrowser: string | undefined;
}

export interface AttemptedAccount {
  readonly id: string;
  /** Changes when the password is set anew: what was counted against the old one counts no longer. */
  readonly fingerprint: string;
}

/** What the throttle let happen. */
export type Throttled<T> =
  | { readonly passed: true; readonly result: T; readonly trace: readonly KeyTrace[]; readonly stops: boolean }
  | { readonly passed: false; readonly retryAfterSeconds: number; readonly trace: readonly KeyTrace[] };

/** A key with failures counted against it, as an administrator sees it. */
export interface ListedKey {
  readonly kind: KeyTrace['kind'];
  /** The user's id, the name's digest, the address, or two of them. */
  readonly userId?: string;
  readonly nameDigest?: string;
  readonly address?: string;
  /** Of an account's: when the user's is another by now, this counts no longer. */
  readonly passwordFingerprint?: string;
  readonly failures: number;
  readonly lastFailureAt: Date;
  /** When the next attempt passes; undefined where it would now, and where it is stopped. */
  readonly waitsUntil?: Date;
  readonly stopped: boolean;
}

export type Lifted =
  | { readonly userId: string | undefined; readonly nameDigest: string }
  | { readonly address: string }
  | 'all';

/** Slows down whoever guesses passwords: counts failures only, and says who may try again, and when. */
export interface Throttle {
  /**
   * Runs `check` unless too many attempts with one of the same keys have failed. An attempt counts as failed from before it
   * begins until it is known to have succeeded, so that a hundred at once get no more tries than a hundred in a row; where
   * `check` throws, it was none.
   * @param check says whether the password was right; what it gives is passed on
   * @throws {Unavailable} when too many are waiting already, or the store cannot be reached
   */
  attempt<T extends { readonly succeeded: boolean }>(attempt: Attempt, check: () => Promise<T>): Promise<Throttled<T>>;
  /** Every key with failures counted against it. */
  list(): AsyncIterable<ListedKey>;
  /** Forgets what was counted; gives how many keys. */
  lift(whose: Lifted): Promise<number>;
  /** Removes what is left of keys that are forgotten, in small batches. */
  removeExpired(): Promise<void>;
}

export interface ThrottleOptions {
  readonly store: FailureStore;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
  /** Attempts that may wait for their turn in this process. */
  readonly waiting?: number;
  /** Attempts that this process can take at the same time, with those that wait for a hash. */
  readonly capacity?: number;
}

interface Undecided {
  readonly end: Promise<void>;
  /** Else it is only being counted: at some of its keys, and perhaps for nothing. */
  readonly counted: boolean;
}

/** How often an attempt is counted again because others were being counted: those who have to wait must not wait for each other. */
const countingTries = 3;

/** Keys that are forgotten, or removed, in one go. */
const batch = 500;

/**
 * The throttle (ASVS 6.3.1, 6.1.1; NIST SP 800-63B-4 3.2.2). An attempt is a failure until it has succeeded, so that those with the
 * right password would make each other wait when many come at once: of each account and address only a few are under way, and the
 * others wait for their turn, in which they are counted.
 */
export function createThrottle({ store, now = Date.now, waiting = 100, capacity = 100 }: ThrottleOptions): Throttle {
  const turns = createTurns({ waiting, capacity });
  /** Attempts of this process that count as failed and may yet succeed, and those that are being counted, by key. */
  const undecided = new Map<string, Set<Undecided>>();

  /** What is undecided at each of the keys at this moment. */
  const undecidedAt = (keys: readonly PolicedKey[]) => keys.map(({ key }) => [...(undecided.get(key) ?? [])]);

  /**
   * Counts the attempt. One that would have to wait only for what is undecided here waits for that first: right passwords do not
   * make each other wait.
   */
  async function count(keys: readonly AttemptKey[]): Promise<{ counting: Counting; time: number }> {
    for (let tries = 1; ; tries += 1) {
      const time = now();
      // Those from before it was asked, too: they may have been decided meanwhile.
      const earlier = undecidedAt(keys);
      const counting = await whileUndecided(keys, false, () => store.count(keys, time));
      if (counting.counted) return { counting, time };
      const later = undecidedAt(keys);
      const pending = counting.keys.flatMap(({ policy, before }, index) => {
        if (remainingWait(policy, before, time) === 0) return [];
        const attempts = [...(earlier[index] ?? []), ...(later[index] ?? [])];
        return [attempts.filter(({ counted }) => counted || tries <= countingTries)];
      });
      // A key that waits though nothing is undecided has failed often enough.
      if (pending.some((attempts) => attempts.length === 0)) return { counting, time };
      await Promise.race(pending.flat().map(({ end }) => end));
    }
  }

  /** Does work, and lets those know who wait for how it ends. */
  async function whileUndecided<T>(keys: readonly AttemptKey[], counted: boolean, work: () => Promise<T>): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const attempt = { end: promise, counted };
    for (const { key } of keys) undecided.set(key, (undecided.get(key) ?? new Set()).add(attempt));
    try {
      return await work();
    } finally {
      for (const { key } of keys) {
        const attempts = undecided.get(key);
        attempts?.delete(attempt);
        if (attempts?.size === 0) undecided.delete(key);
      }
      resolve();
    }
  }

  async function attemptInTurn<T extends { readonly succeeded: boolean }>(
    attempt: Attempt,
    keys: readonly AttemptKey[],
    check: () => Promise<T>,
  ): Promise<Throttled<T>> {
    const { counting, time } = await count(keys);
    const trace = keys.map(({ kind }, index) => traceOf(kind, counting.keys[index], time));
    if (!counting.counted) {
      return { passed: false, retryAfterSeconds: Math.max(...trace.map(({ waitSeconds }) => waitSeconds)), trace };
    }
    const counted = counting.keys;
    const result = await whileUndecided(keys, true, async () => {
      let checked: T;
      try {
        checked = await check();
      } catch (error) {
        // What kept the check from its work is what matters. If the store is away too, its watch says so, and the failure stays.
        await store.revise(counted.map(takeBack)).catch(() => {});
        throw error;
      }
      if (checked.succeeded) await store.revise(afterSuccess(attempt, counted));
      return checked;
    });
    const stops = !result.succeeded && counted.some(({ policy, after }) => isStopped(policy, after.count));
    return { passed: true, result, trace, stops };
  }

  /** Forgets keys for which something holds, in batches, and gives how many. */
  async function forgetWhere(isMeant: (key: string) => boolean): Promise<number> {
    let count = 0;
    let keys: string[] = [];
    for await (const { key } of store.list()) {
      if (isMeant(key)) keys.push(key);
      if (keys.length < batch) continue;
      count += await store.forget(keys);
      keys = [];
    }
    return count + (await store.forget(keys));
  }

  return {
    async attempt(attempt, check) {
      const keys = keysOf(attempt);
      return turns.take(placesOf(attempt), () => attemptInTurn(attempt, keys, check));
    },

    async *list() {
      const time = now();
      for await (const record of store.list()) {
        const parsed = parseKey(record.key);
        if (parsed !== undefined && (record.expiresAt ?? time) >= time) yield toListed(record, parsed, time);
      }
    },

    lift: (whose) =>
      forgetWhere((key) => {
        if (whose === 'all') return true;
        const parsed = parseKey(key);
        if (parsed === undefined) return false;
        if ('address' in whose) return parsed.address === whose.address;
        return (
          parsed.nameDigest === whose.nameDigest || (parsed.userId !== undefined && parsed.userId === whose.userId)
        );
      }),

    async removeExpired() {
      // Requests go first: between two batches everything else has its turn.
      while ((await store.removeExpired(now(), batch)) === batch) await setImmediate();
    },
  };
}

/**
 * Where an attempt has to have its turn, a known browser's too: at its address, at its end site, at its account. The address comes
 * first, so that one that sends many holds up its own before it comes in the way of others. Known browsers of an account have
 * turns of their own, which strangers cannot take from them.
 */
function placesOf({ address, endSite, account, nameDigest, knownBrowser }: Attempt): Place[] {
  const strangers = account === undefined ? `name:${nameDigest}` : `account:${account.id}`;
  const own = account === undefined || knownBrowser === undefined ? strangers : `browsers:${account.id}`;
  return [
    { key: `address:${address}`, atOnce: address === undefined ? atOnce.unknownAddress : atOnce.address },
    ...(endSite === address ? [] : [{ key: `end-site:${endSite}`, atOnce: atOnce.endSite }]),
    { key: own, atOnce: atOnce.account },
  ];
}

/**
 * What a success does. It ends what was counted against the account, its name, the pair and the browser, which count failures in a row;
 * a stop that came about meanwhile stays. The address's failures stay too, but for this attempt, which was none: else whoever has an
 * account of their own could clear them between two guesses at those of others.
 */
function afterSuccess(attempt: Attempt, counted: readonly CountedKey[]): readonly Revision[] {
  const own = new Map(counted.map((key) => [key.key, key]));
  const keys = new Map([...strangersKeys(attempt), ...keysOf(attempt)].map((key) => [key.key, key]));
  return [...keys.values()]
    .filter(({ key, kind }) => kind !== 'address' || own.has(key))
    .map(({ key, kind, policy }) => ({
      key,
      policy,
      revise(tally) {
        const countedHere = own.get(key);
        const left = countedHere === undefined ? tally : withoutFailure(countedHere, tally);
        return left !== undefined && (kind === 'address' || isStopped(policy, left.count)) ? left : undefined;
      },
    }));
}

function traceOf(kind: KeyTrace['kind'], found: FoundKey | undefined, time: number): KeyTrace {
  if (found === undefined) throw new TypeError('a store answers for every key');
  const { policy, before } = found;
  const failures = before?.count ?? 0;
  return { kind, failures, waitSeconds: remainingWait(policy, before, time), stopped: isStopped(policy, failures) };
}

const takeBack = (counted: CountedKey): Revision => ({ ...counted, revise: (tally) => withoutFailure(counted, tally) });

function toListed(record: FailureRecord, { policy, ...parsed }: ParsedKey, time: number): ListedKey {
  const { count, lastAt, expiresAt } = record;
  // A name that leads to an account has no stop of its own: then it is forgotten some day.
  const stopped = expiresAt === undefined && isStopped(policy, count);
  const { stopsAt: _, ...withoutStop } = policy;
  const waitsUntil = Math.min(lastAt, time) + waitAfter(withoutStop, count) * 1000;
  return {
    ...parsed,
    failures: count,
    lastFailureAt: new Date(lastAt),
    ...(!stopped && waitsUntil > time && { waitsUntil: new Date(waitsUntil) }),
    stopped,
  };
}
