import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { takeTurns } from '../../bench/measures/turns.ts';

/** Runs that note their order. Each returns how often it has run. */
function createRuns(names: string) {
  const order: string[] = [];
  const runs = [...names].map((name) => async () => {
    order.push(name);
    return order.filter((other) => other === name).length;
  });
  return { order, runs };
}

describe('runs in turns', () => {
  test('a different run is first in each round', async () => {
    const { order, runs } = createRuns('abc');
    await takeTurns(runs, 4, 0);
    assert.equal(order.join(''), 'abcbcacababc');
  });

  test('the results of the warm-up round are dropped', async () => {
    const { order, runs } = createRuns('ab');
    assert.deepEqual(await takeTurns(runs, 2), [
      [2, 3],
      [2, 3],
    ]);
    assert.equal(order.join(''), 'ababba');
  });

  test('results are in the order of the runs', async () => {
    const results = await takeTurns(
      ['a', 'b', 'c'].map((name) => async () => name),
      3,
    );
    assert.deepEqual(results, [
      ['a', 'a', 'a'],
      ['b', 'b', 'b'],
      ['c', 'c', 'c'],
    ]);
  });

  test('a run that fails ends the whole measurement', async () => {
    await assert.rejects(takeTurns([async () => assert.fail('no')], 1));
  });
});
