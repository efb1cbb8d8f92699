import type { Separation, Trend } from './statistics.ts';

/** `not known`: the limit was missed, but chance or noise of the machine may be the cause. */
export type Verdict = 'holds' | 'does not hold' | 'not known';

/** How the response times of two classes of logins differ. */
export interface Difference extends Separation {
  /** The difference of the medians, in milliseconds. */
  readonly milliseconds: number;
}

/**
 * The limits below which two classes count as the same: the distance of the area from 0.5, and the larger of the milliseconds and the
 * share of the reference.
 */
export const sameTime = { area: 0.05, milliseconds: 5, share: 0.1 } as const;

/** A deviation of up to this many standard errors may be chance. */
const certainty = 2;

/**
 * Judges whether two classes take the same time.
 * @param reference the median of the reference class, in milliseconds
 * @param control the measured difference of two classes that are the same
 */
export function judgeTiming(difference: Difference, reference: number, control: Difference): Verdict {
  const mostMilliseconds = Math.max(sameTime.milliseconds, reference * sameTime.share);
  const slower = Math.abs(difference.milliseconds) - mostMilliseconds;
  const apart = distance(difference) - sameTime.area;
  if (slower <= 0 && apart <= 0) return 'holds';
  const noise = Math.abs(control.milliseconds);
  const isSlower = slower > noise;
  const isApart = apart > certainty * difference.standardError && distance(difference) > 2 * distance(control);
  return isSlower || isApart ? 'does not hold' : 'not known';
}

const distance = ({ area }: Separation) => Math.abs(area - 0.5);

/** Judges whether a slope stays within a limit, in the unit of the slope. */
export function judgeTrend({ slope, standardError }: Trend, limit: number): Verdict {
  if (slope + certainty * standardError <= limit) return 'holds';
  return slope - certainty * standardError > limit ? 'does not hold' : 'not known';
}
