import { clockTolerance } from '../../ground/faults/clock.ts';

export interface Tally {
  readonly count: number;
  /** The time of the last failure, in milliseconds since 1970. */
  readonly lastAt: number;
}

/** How long attempts with a key, such as an account or an address, must wait after failures, and how long failures count. */
export interface Policy {
  readonly free: number;
  /** The wait after `free` failures. It doubles with each further failure. */
  readonly firstWaitSeconds: number;
  readonly longestWaitSeconds: number;
  /** Failures in a row that stop the key until an administrator lifts the stop. Default: no number does. */
  readonly stopsAt?: number;
  /** One failure is forgiven for each period of this length since the last failure. Default: no failure is forgiven. */
  readonly forgiveSeconds?: number;
  /** All failures are forgotten this long after the last one, unless they have led to a stop. Default: never. */
  readonly keepSeconds?: number;
}

/** A limit for requests that leave a row for some minutes: a hundred at once, and one more each second. */
export const perSecond = {
  free: 100,
  forgiveSeconds: 1,
  firstWaitSeconds: 1,
  longestWaitSeconds: 60,
  keepSeconds: 3600,
} as const satisfies Policy;

/** The wait of a stopped key, in seconds. Its end is unknown, but `Retry-After` needs a number. */
export const stopSeconds = 24 * 60 * 60;

export const isStopped = ({ stopsAt }: Policy, failures: number): boolean =>
  stopsAt !== undefined && failures >= stopsAt;

export function waitAfter(policy: Policy, failures: number): number {
  if (isStopped(policy, failures)) return stopSeconds;
  if (failures < policy.free) return 0;
  return Math.min(policy.longestWaitSeconds, policy.firstWaitSeconds * 2 ** (failures - policy.free));
}

/**
 * Returns when the wait after the last failure ends, in milliseconds since 1970. A failure may lie in the future, if the clock was wrong
 * when it was counted. It then causes no wait, because the wait could last for years.
 */
export function waitEnd(policy: Policy, { count, lastAt }: Tally, now: number): number {
  if (lastAt > now + clockTolerance) return now;
  return Math.min(lastAt, now) + waitAfter(policy, count) * 1000;
}

/** Returns the whole seconds until the next attempt passes; 0 if it passes now. */
export function remainingWait(policy: Policy, tally: Tally | undefined, now: number): number {
  if (tally === undefined) return 0;
  if (isStopped(policy, tally.count)) return stopSeconds;
  return Math.max(0, Math.ceil((waitEnd(policy, tally, now) - now) / 1000));
}

export function afterFailure(policy: Policy, tally: Tally | undefined, now: number): Tally {
  if (tally === undefined) return { count: 1, lastAt: now };
  if (policy.forgiveSeconds === undefined) return { count: tally.count + 1, lastAt: now };
  const period = policy.forgiveSeconds * 1000;
  const forgiven = Math.max(0, Math.floor((now - tally.lastAt) / period));
  const left = Math.max(0, tally.count - forgiven);
  const count = left + 1;
  // While the failures cause no wait, `lastAt` moves by whole periods only. Otherwise each failure would start the current period again.
  const movesByPeriods = left > 0 && count < policy.free;
  return { count, lastAt: movesByPeriods ? Math.min(tally.lastAt, now) + forgiven * period : now };
}

/** Takes a counted failure back. Returns the tally before it, unless more failures were counted since. */
export function withoutFailure(
  counted: { before: Tally | undefined; after: Tally },
  current: Tally,
): Tally | undefined {
  if (current.count === counted.after.count && current.lastAt === counted.after.lastAt) return counted.before;
  return current.count > 1 ? { count: current.count - 1, lastAt: current.lastAt } : undefined;
}

export function expiryOf(policy: Policy, { count, lastAt }: Tally): number | undefined {
  if (policy.keepSeconds === undefined || isStopped(policy, count)) return undefined;
  return lastAt + policy.keepSeconds * 1000;
}
