/** Gives the smallest value that at least this share of the values does not exceed (nearest rank). */
export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** One figure over all rounds. */
export interface Summary {
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
export interface Separation {
  /**
   * How often a value of the second is larger than one of the first (Mann and Whitney 1947). A tie counts as half.
   * 0.5 means that the samples cannot be distinguished.
   */
  readonly area: number;
  /** The standard error of the area if both samples had the same distribution. */
  readonly standardError: number;
}

export function separate(first: readonly number[], second: readonly number[]): Separation {
  const all = [...first.map((value) => ({ value, wins: 0 })), ...second.map((value) => ({ value, wins: 1 }))];
  all.sort((a, b) => a.value - b.value);
  let rankSum = 0;
  for (let start = 0; start < all.length; ) {
    let end = start;
    let ofSecond = 0;
    for (; end < all.length && all[end]?.value === all[start]?.value; end += 1) ofSecond += all[end]?.wins ?? 0;
    // Equal values share the mean of their ranks. Ranks count from 1.
    rankSum += ofSecond * ((start + 1 + end) / 2);
    start = end;
  }
  const [n, m] = [first.length, second.length];
  return {
    area: (rankSum - (m * (m + 1)) / 2) / (n * m),
    standardError: Math.sqrt((n + m + 1) / (12 * n * m)),
  };
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
export interface Trend {
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

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
