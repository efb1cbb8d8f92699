import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Difference, judgeTiming, judgeTrend } from '../../bench/verdict.ts';

const same: Difference = { milliseconds: 0, area: 0.5, standardError: 0.02 };

describe('the claim that two classes of logins take the same time', () => {
  for (const [name, difference, control, verdict] of [
    ['without a difference', {}, {}, 'holds'],
    ['at the upper limit of the area', { area: 0.549 }, {}, 'holds'],
    ['at the lower limit of the area', { area: 0.451 }, {}, 'holds'],
    ['beyond a limit by no more than chance', { area: 0.58 }, {}, 'not known'],
    ['far above the upper limit', { area: 0.6 }, {}, 'does not hold'],
    ['far below the lower limit', { area: 0.4 }, {}, 'does not hold'],
    ['far above the upper limit with too few tries', { area: 0.6, standardError: 0.04 }, {}, 'not known'],
    ['far above the upper limit when the control is too', { area: 0.6 }, { area: 0.44 }, 'not known'],
    ['much further from 0.5 than the control', { area: 0.8 }, { area: 0.44 }, 'does not hold'],
    ['for a class that is slower by less than a tenth', { milliseconds: 24 }, {}, 'holds'],
    ['for a class that is slower by more than a tenth', { milliseconds: 26 }, {}, 'does not hold'],
    ['for a class that is faster by more than a tenth', { milliseconds: -26 }, {}, 'does not hold'],
    ['for a class that is slower by no more than the control', { milliseconds: 26 }, { milliseconds: -3 }, 'not known'],
  ] as const) {
    test(`${verdict} ${name}`, () =>
      assert.equal(judgeTiming({ ...same, ...difference }, 250, { ...same, ...control }), verdict));
  }

  test('holds for fast answers that differ by less than 5 ms', () => {
    assert.equal(judgeTiming({ ...same, milliseconds: 4.9 }, 2, same), 'holds');
    assert.equal(judgeTiming({ ...same, milliseconds: 5.1 }, 2, same), 'does not hold');
  });
});

test('a slope stays under the limit, exceeds it, or is too uncertain to say', () => {
  assert.equal(judgeTrend({ slope: 1, standardError: 1 }, 4), 'holds');
  assert.equal(judgeTrend({ slope: -9, standardError: 1 }, 4), 'holds');
  assert.equal(judgeTrend({ slope: 3, standardError: 1 }, 4), 'not known');
  assert.equal(judgeTrend({ slope: 5, standardError: 1 }, 4), 'not known');
  assert.equal(judgeTrend({ slope: 7, standardError: 1 }, 4), 'does not hold');
});
