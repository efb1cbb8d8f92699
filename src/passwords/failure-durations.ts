/** Of each kind of stored hash, so many of its last times say how long it takes. */
const timesKept = 9;

/** How long failures take, by the kind of stored hash. */
export interface FailureDurations {
  add(kind: string, milliseconds: number): void;
  /** Milliseconds that the dearest kind takes: the median of its last times, since one slow moment must not last. 0 before any is known. */
  longest(): number;
}

export function createFailureDurations(): FailureDurations {
  const timesOfKinds = new Map<string, readonly number[]>();
  return {
    add(kind, milliseconds) {
      timesOfKinds.set(kind, [...(timesOfKinds.get(kind) ?? []), milliseconds].slice(-timesKept));
    },
    longest: () => Math.max(0, ...timesOfKinds.values().map(median)),
  };
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
