/** How many of the latest durations are kept for each kind of stored hash. */
const timesKept = 9;

export function createFailureDurations() {
  const timesOfKinds = new Map<string, readonly number[]>();
  return {
    add(kind: string, milliseconds: number): void {
      timesOfKinds.set(kind, [...(timesOfKinds.get(kind) ?? []), milliseconds].slice(-timesKept));
    },
    /**
     * The milliseconds that a comparison with the slowest kind of hash takes. 0 before the first measurement. The median of each kind
     * counts, because it ignores a single slow comparison.
     */
    longest: () => Math.max(0, ...timesOfKinds.values().map(median)),
  };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
