/**
 * Gives the results of each run, by round. The results of the warm-up round are dropped.
 * Each round starts with another run, because a run affects the caches for the next one.
 * @param onTurn is called before each run. The warm-up round has the number -1
 */
export async function takeTurns<Result>(
  runs: readonly (() => Promise<Result>)[],
  rounds: number,
  warmUpRounds: 0 | 1 = 1,
  onTurn: (index: number, round: number) => void = () => {},
): Promise<Result[][]> {
  const results: Result[][] = runs.map(() => []);
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (let turn = 0; turn < runs.length; turn += 1) {
      const index = (turn + Math.max(0, round)) % runs.length;
      onTurn(index, round);
      const result = await runs[index]?.();
      if (round >= 0 && result !== undefined) results[index]?.push(result);
    }
  }
  return results;
}
