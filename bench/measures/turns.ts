/**
 * What each run gave, round by round. A first round warms up and is forgotten, unless there is none.
 * Another one is first each time: what a run left behind in the caches is not always the same one's luck.
 */
export async function takeTurns<Result>(
  runs: readonly (() => Promise<Result>)[],
  rounds: number,
  warmUpRounds: 0 | 1 = 1,
): Promise<Result[][]> {
  const results: Result[][] = runs.map(() => []);
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (let turn = 0; turn < runs.length; turn += 1) {
      const index = (turn + Math.max(0, round)) % runs.length;
      const result = await runs[index]?.();
      if (round >= 0 && result !== undefined) results[index]?.push(result);
    }
  }
  return results;
}
