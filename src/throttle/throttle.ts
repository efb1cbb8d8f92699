import type { KeyTrace } from '../audit/event.ts';

/** Whose attempt it is to give a password. */
export interface Attempt {
  /** Canonical address (IPv4, or an IPv6 /64), or undefined where it cannot be told. */
  readonly address: string | undefined;
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
  readonly failures: number;
  readonly lastFailureAt: Date;
  /** When the next attempt passes; undefined where it would now. */
  readonly waitsUntil?: Date;
  readonly stopped: boolean;
}

export type Lifted = { readonly userId: string | undefined; readonly nameDigest: string } | { readonly address: string } | 'all';

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
