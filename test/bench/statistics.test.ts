import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Difference, fitTrend, judgeTiming, judgeTrend, separate, separatePairs } from '../../bench/statistics.ts';

const close = (actual: number, expected: number, within = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);

/** Pseudo-random numbers, the same in each run (Park and Miller 1988). */
function createNoise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe('the area that separates two samples', () => {
  for (const [name, first, second, area] of [
    ['is 1 if all values of the second are larger', [1, 2], [3, 4, 5], 1],
    ['is 0 if all values of the second are smaller', [3, 4, 5], [1, 2], 0],
    ['is 0.5 for the same values', [1, 2, 3], [1, 2, 3], 0.5],
    ['is 0.5 for ties alone', [7, 7, 7], [7, 7], 0.5],
    ['is 7 of 9 pairs, as counted by hand', [1, 2, 6], [3, 4, 7], 7 / 9],
    ['counts a tie as half', [1, 2], [2, 3], 3.5 / 4],
  ] as const) {
    test(name, () => close(separate(first, second).area, area));
  }

  test('does not depend on the order of values', () => {
    close(separate([6, 1, 2], [7, 4, 3]).area, 7 / 9);
  });

  test('scatters by the standard error for samples of the same source', () => {
    const noise = createNoise(7);
    const draw = (count: number) => Array.from({ length: count }, noise);
    const runs = Array.from({ length: 400 }, () => separate(draw(30), draw(50)));
    const deviation = Math.sqrt(runs.reduce((sum, { area }) => sum + (area - 0.5) ** 2, 0) / runs.length);
    close(deviation, runs[0]?.standardError ?? 0, 0.008);
  });
});

describe('pairs of samples', () => {
  test('are compared pair by pair, so that an offset common to a pair makes no difference', () => {
    const pairs = [
      [
        [1, 2],
        [1, 2],
      ],
      [
        [101, 102],
        [101, 102],
      ],
    ] as const;
    close(separatePairs(pairs).area, 0.5);
  });

  test('have a smaller error when there are more of them', () => {
    const pair = [
      [1, 2, 3],
      [1, 2, 3],
    ] as const;
    close(separatePairs([pair, pair, pair, pair]).standardError, separate(...pair).standardError / 2);
  });

  test('have a larger error when they scatter more than chance allows', () => {
    const ten = Array.from({ length: 100 }, (_, index) => index);
    const later = ten.map((value) => value + 1000);
    const { area, standardError } = separatePairs([
      [ten, later],
      [later, ten],
      [ten, later],
      [later, ten],
    ]);
    close(area, 0.5);
    assert.ok(standardError > 0.2);
  });
});

describe('the trend', () => {
  test('of points on a line is its slope, without error', () => {
    const { slope, standardError } = fitTrend([
      [0, 1],
      [1, 3],
      [2, 5],
      [5, 11],
    ]);
    close(slope, 2);
    close(standardError, 0);
  });

  test('of points beside a line has the slope and error that were computed by hand', () => {
    const { slope, standardError } = fitTrend([
      [0, 0],
      [1, 1],
      [2, 0],
      [3, 1],
    ]);
    close(slope, 0.2);
    close(standardError, Math.sqrt(0.8 / 2 / 5));
  });
});

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
