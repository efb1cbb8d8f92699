import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judgeGoals } from '../../../bench/comparison/goals.ts';
import { names } from '../../../bench/comparison/names.ts';
import { alone, justMet } from './measured.ts';

test('a figure at its limit meets the goal', () => {
  assert.deepEqual(
    judgeGoals(justMet).map(({ value, met }) => [value, met]),
    [
      ['2.80', true],
      ['2.70', true],
      ['4.50', true],
      ['4.00', true],
      ['6.00', true],
      ['2.50', true],
      ['15.00', true],
      ['92.0 %', true],
      ['5.9 ms', true],
      ['0.50', true],
      ['349 ms', true],
      ['99 MB', true],
    ],
  );
});

test('a figure beyond its limit misses the goal', () => {
  const starts = [{ milliseconds: 350, megabytes: 100 }];
  const slow = { cpu: 31, perSecond: 29_999, median: 1, p99: 1, busyCores: 1 };
  const goals = judgeGoals({
    ...justMet,
    cookie: { ...justMet.cookie, [names.sqlite]: [slow] },
    token: { [names.sqlite]: [slow] },
    storm: { ...justMet.storm, [names.sqlite]: [{ idleP99: 2, p99: 6, median: 1, logins: 80 }] },
    start: { [names.sqlite]: starts },
  });
  assert.deepEqual(
    goals.map(({ met }) => met),
    [false, false, true, true, true, false, false, true, false, false, false, false],
  );
});

test('a goal that was not measured is neither met nor missed', () => {
  const goals = judgeGoals(alone);
  assert.deepEqual(goals.map(({ value, met }) => [value, met]).slice(0, 7), [
    ['3.10', false],
    ['2.70', true],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
    [undefined, undefined],
  ]);
});
