/** Failures of one key, and when the last was, in milliseconds since 1970. */
export interface Tally {
  readonly count: number;
  readonly lastAt: number;
}

/** How the failures of one kind of key are answered. */
export interface Policy {
  /** Failures without a wait. */
  readonly free: number;
  /** The wait after those; it doubles with each further failure. */
  readonly firstWaitSeconds: number;
  readonly longestWaitSeconds: number;
  /** Failures in a row after which nothing passes until it is lifted. Without it: never. */
  readonly stopsAt?: number;
  /** Seconds since the last failure for which one is forgiven. Without it: none is. */
  readonly forgiveSeconds?: number;
  /** Seconds after the last failure after which all are forgotten, unless they have led to a stop. Without it: never. */
  readonly keepSeconds?: number;
}

const month = 30 * 24 * 60 * 60;
const waits = { firstWaitSeconds: 10, longestWaitSeconds: 15 * 60 };

/**
 * NIST SP 800-63B-4 3.2.2 allows 100 consecutive failures of an account at most, and names no time after which they count no longer:
 * an account's are kept for good. A name that is no account's answers as one, its stop included; only who comes back after a month
 * without a try could tell the two apart.
 */
const account = { free: 10, ...waits, stopsAt: 100 } as const;

export const policies = {
  account,
  unknownName: { ...account, keepSeconds: month },
  /** The stop is the account's, which a new password lifts. */
  name: { free: 10, ...waits, keepSeconds: month },
  browser: { ...account, keepSeconds: month },
  pair: { free: 8, ...waits, keepSeconds: month },
  /** Whole offices share one. */
  address: { free: 20, ...waits, forgiveSeconds: 3 * 60, keepSeconds: month },
  /** All who have none share this one. */
  unknownAddress: { free: 5, ...waits, firstWaitSeconds: 30, keepSeconds: month },
} as const satisfies Readonly<Record<string, Policy>>;

/**
 * Attempts of one process that may be under way at once at an address, at an end site, and at an account: fewer than are free, so
 * that right passwords do not make each other wait.
 */
export const atOnce = { address: 10, unknownAddress: 4, endSite: 20, account: 4 } as const;

/** What a stop is said to last, in seconds: nobody can know. */
export const stopSeconds = 24 * 60 * 60;

export const isStopped = ({ stopsAt }: Policy, failures: number): boolean =>
  stopsAt !== undefined && failures >= stopsAt;

/** Seconds that must pass between the last of so many failures and the next attempt. */
export function waitAfter(policy: Policy, failures: number): number {
  if (isStopped(policy, failures)) return stopSeconds;
  if (failures < policy.free) return 0;
  return Math.min(policy.longestWaitSeconds, policy.firstWaitSeconds * 2 ** (failures - policy.free));
}

/**
 * Whole seconds until the next attempt passes, 0 where it does now. Never more than the wait itself: a failure that seems to be in
 * the future was counted before the clock was set back.
 */
export function remainingWait(policy: Policy, tally: Tally | undefined, now: number): number {
  if (tally === undefined) return 0;
  if (isStopped(policy, tally.count)) return stopSeconds;
  const wait = waitAfter(policy, tally.count);
  return Math.min(wait, Math.max(0, Math.ceil((tally.lastAt - now) / 1000 + wait)));
}

/** What there is after one more failure. */
export function afterFailure(policy: Policy, tally: Tally | undefined, now: number): Tally {
  if (tally === undefined) return { count: 1, lastAt: now };
  const period = (policy.forgiveSeconds ?? Number.POSITIVE_INFINITY) * 1000;
  const forgiven = Math.max(0, Math.floor((now - tally.lastAt) / period));
  const left = Math.max(0, tally.count - forgiven);
  const count = left + 1;
  // Where no wait depends on it, the time goes on only by what it has paid for: part of a period would be lost with each failure.
  const paysOn = policy.forgiveSeconds !== undefined && left > 0 && count < policy.free;
  return { count, lastAt: paysOn ? tally.lastAt + forgiven * period : now };
}

/** What is left when a failure that was counted proves to have been none: what was there before, unless others have counted since. */
export function withoutFailure(
  counted: { before: Tally | undefined; after: Tally },
  current: Tally,
): Tally | undefined {
  if (current.count === counted.after.count && current.lastAt === counted.after.lastAt) return counted.before;
  return current.count > 1 ? { count: current.count - 1, lastAt: current.lastAt } : undefined;
}

/** When it is forgotten, in milliseconds since 1970; undefined for never. */
export function expiryOf(policy: Policy, { count, lastAt }: Tally): number | undefined {
  if (policy.keepSeconds === undefined || isStopped(policy, count)) return undefined;
  return lastAt + policy.keepSeconds * 1000;
}
