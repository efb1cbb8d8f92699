import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeGoals } from '../../../bench/comparison/goals.ts';
import { names } from '../../../bench/comparison/names.ts';
import { alone, justMet } from './measured.ts';

test('goals are met at their limits', () => {
  assert.deepEqual(
    judgeGoals(justMet).map(({ value, met }) => [value, met]),
    [
      ['3.00', true],
      ['5.50', true],
      ['9.00', true],
      ['2.00', true],
      ['15.00', true],
      ['92.0 %', true],
      ['3.00', true],
      ['399 ms', true],
      ['99 MB', true],
    ],
  );
});

test('and not beyond them', () => {
  const starts = [{ milliseconds: 400, megabytes: 100 }];
  const slow = { cpu: 31, perSecond: 29_999, median: 1, p99: 1, busyCores: 1 };
  const goals = judgeGoals({
    ...justMet,
    cookie: { ...justMet.cookie, [names.sqlite]: [slow] },
    storm: { [names.sqlite]: [{ idleP99: 2, p99: 6.1, median: 1, logins: 80 }] },
    start: { [names.sqlite]: starts },
  });
  assert.deepEqual(
    goals.map(({ met }) => met),
    [false, true, true, false, false, true, false, false, false],
  );
});

test('what was not measured is neither met nor missed', () => {
  const goals = judgeGoals(alone);
  assert.deepEqual(goals.map(({ value, met }) => [value, met]).slice(0, 5), [
    ['3.10', false],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
  ]);
});
