/** Gives the smallest value that at least this share of the values does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** Gives the median of a reading over all rounds. NaN if there were none. */
export const medianOf = <Round>(rounds: readonly Round[] | undefined, read: (round: Round) => number): number =>
  summarize((rounds ?? []).map(read)).median;

/** One figure over all rounds. */
interface Summary {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  const median = ((sorted[Math.floor(middle)] ?? Number.NaN) + (sorted[Math.ceil(middle)] ?? Number.NaN)) / 2;
  return { median, lowest: Math.min(...values), highest: Math.max(...values) };
}

/** How well size alone separates two samples. */
interface Separation {
  /**
   * How often a value of the second is larger than one of the first (Mann and Whitney 1947). A tie counts as half.
   * 0.5 means that the samples cannot be distinguished.
   */
  readonly area: number;
  /** The standard error of the area if both samples had the same distribution. */
  readonly standardError: number;
}

export function separate(first: readonly number[], second: readonly number[]): Separation {
  const [n, m] = [first.length, second.length];
  let wins = 0;
  for (const one of first) for (const other of second) wins += other > one ? 1 : other === one ? 0.5 : 0;
  return { area: wins / (n * m), standardError: Math.sqrt((n + m + 1) / (12 * n * m)) };
}

/** Compares samples only within each pair, because the samples of a pair were taken under the same circumstances. */
export function separatePairs(pairs: readonly (readonly [readonly number[], readonly number[]])[]): Separation {
  const separations = pairs.map(([first, second]) => separate(first, second));
  const areas = separations.map(({ area }) => area);
  const count = separations.length;
  const expected = Math.sqrt(sum(separations.map(({ standardError }) => standardError ** 2))) / count;
  // If circumstances change within a pair, the areas scatter more than chance alone explains.
  const mean = sum(areas) / count;
  const observed = count < 3 ? 0 : Math.sqrt(sum(areas.map((area) => (area - mean) ** 2)) / (count - 1) / count);
  return { area: mean, standardError: Math.max(expected, observed) };
}

/** A line through points, fitted by least squares. */
interface Trend {
  readonly slope: number;
  readonly standardError: number;
}

export function fitTrend(points: readonly (readonly [x: number, y: number])[]): Trend {
  const count = points.length;
  const meanX = sum(points.map(([x]) => x)) / count;
  const meanY = sum(points.map(([, y]) => y)) / count;
  const spread = sum(points.map(([x]) => (x - meanX) ** 2));
  const slope = sum(points.map(([x, y]) => (x - meanX) * (y - meanY))) / spread;
  const residual = sum(points.map(([x, y]) => (y - meanY - slope * (x - meanX)) ** 2));
  return { slope, standardError: Math.sqrt(residual / (count - 2) / spread) };
}

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
const sameTime = { area: 0.05, milliseconds: 5, share: 0.1 } as const;

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

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
