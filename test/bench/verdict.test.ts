import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Difference, judgeTiming, judgeTrend } from '../../bench/verdict.ts';

const same: Difference = { milliseconds: 0, area: 0.5, standardError: 0.02 };

describe('two classes of logins take the same time', () => {
  for (const [name, difference, control, verdict] of [
    ['no difference', {}, {}, 'holds'],
    ['at the edge of the area', { area: 0.549 }, {}, 'holds'],
    ['at the other edge', { area: 0.451 }, {}, 'holds'],
    ['beyond it, by what chance may do', { area: 0.58 }, {}, 'not known'],
    ['far beyond it', { area: 0.6 }, {}, 'does not hold'],
    ['far below it', { area: 0.4 }, {}, 'does not hold'],
    ['far beyond it, with too few tries', { area: 0.6, standardError: 0.04 }, {}, 'not known'],
    ['far beyond it, where the same class is too', { area: 0.6 }, { area: 0.44 }, 'not known'],
    ['further than the same class by much', { area: 0.8 }, { area: 0.44 }, 'does not hold'],
    ['slower by less than a tenth', { milliseconds: 24 }, {}, 'holds'],
    ['slower by more than a tenth', { milliseconds: 26 }, {}, 'does not hold'],
    ['faster by more than a tenth', { milliseconds: -26 }, {}, 'does not hold'],
    ['slower, by what the same class is too', { milliseconds: 26 }, { milliseconds: -3 }, 'not known'],
  ] as const) {
    test(name, () => assert.equal(judgeTiming({ ...same, ...difference }, 250, { ...same, ...control }), verdict));
  }

  test('of fast answers 5 ms are nothing', () => {
    assert.equal(judgeTiming({ ...same, milliseconds: 4.9 }, 2, same), 'holds');
    assert.equal(judgeTiming({ ...same, milliseconds: 5.1 }, 2, same), 'does not hold');
  });
});

test('a slope stays under a limit for certain, not for certain, or not', () => {
  assert.equal(judgeTrend({ slope: 1, standardError: 1 }, 4), 'holds');
  assert.equal(judgeTrend({ slope: -9, standardError: 1 }, 4), 'holds');
  assert.equal(judgeTrend({ slope: 3, standardError: 1 }, 4), 'not known');
  assert.equal(judgeTrend({ slope: 5, standardError: 1 }, 4), 'not known');
  assert.equal(judgeTrend({ slope: 7, standardError: 1 }, 4), 'does not hold');
});
