import type { Separation, Trend } from './statistics.ts';

/** Not known: it was missed, but by no more than chance or the machine's noise may have done. */
export type Verdict = 'holds' | 'does not hold' | 'not known';

/** How the answers of one class of logins differ from those of another. */
export interface Difference extends Separation {
  /** Of the medians, in milliseconds. */
  readonly milliseconds: number;
}

/** Where two classes count as the same: the distance of the area from 0.5, and the milliseconds or the share of the reference. */
export const sameTime = { area: 0.05, milliseconds: 5, share: 0.1 } as const;

/** So many standard errors chance may do. */
const certainty = 2;

/**
 * Whether two classes take the same time.
 * @param reference the median of the class that is compared with, in milliseconds
 * @param control what two classes that are the same differed by
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

/** Whether a slope stays under a limit, in the unit of the slope. */
export function judgeTrend({ slope, standardError }: Trend, limit: number): Verdict {
  if (slope + certainty * standardError <= limit) return 'holds';
  return slope - certainty * standardError > limit ? 'does not hold' : 'not known';
}
