/**
 * Gives the milliseconds that `work` takes: the median of several runs.
 * @param enough ends the measurement early, after a run of more milliseconds
 */
export async function medianTime(runs: number, work: () => Promise<unknown>, enough = Number.POSITIVE_INFINITY) {
  const times: number[] = [];
  while (times.length < runs && !times.some((time) => time > enough)) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;
}
