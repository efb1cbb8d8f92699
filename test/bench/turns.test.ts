import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { takeTurns } from '../../bench/measure.ts';

/** Runs that note their order. Each returns how often it has run. */
function createRuns(names: string) {
  const order: string[] = [];
  const runs = [...names].map((name) => {
    const run = async () => {
      order.push(name);
      return order.filter((other) => other === name).length;
    };
    return [name, run] as const;
  });
  return { order, runs: Object.fromEntries(runs) };
}

describe('runs in turns', () => {
  test('a different run is first in each round', async () => {
    const { order, runs } = createRuns('abc');
    await takeTurns('test', runs, 4, 0);
    assert.equal(order.join(''), 'abcbcacababc');
  });

  test('the results of the warm-up round are dropped', async () => {
    const { order, runs } = createRuns('ab');
    assert.deepEqual(await takeTurns('test', runs, 2), { a: [2, 3], b: [2, 3] });
    assert.equal(order.join(''), 'ababba');
  });

  test('a run that fails ends the whole measurement', async () => {
    await assert.rejects(takeTurns('test', { a: async () => assert.fail('no') }, 1));
  });
});
