import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { fitTrend, separate, separatePairs } from '../../bench/statistics.ts';

const close = (actual: number, expected: number, within = 1e-9) =>
  assert.ok(Math.abs(actual - expected) <= within, `${actual} is not ${expected}`);

/** Numbers of no order that are the same in each run (Park and Miller 1988). */
function createNoise(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

describe('how well two samples can be told apart', () => {
  for (const [name, first, second, area] of [
    ['all of the second are larger', [1, 2], [3, 4, 5], 1],
    ['all of the second are smaller', [3, 4, 5], [1, 2], 0],
    ['the same values', [1, 2, 3], [1, 2, 3], 0.5],
    ['nothing but ties', [7, 7, 7], [7, 7], 0.5],
    ['by hand: 7 of 9 pairs', [1, 2, 6], [3, 4, 7], 7 / 9],
    ['a tie counts half', [1, 2], [2, 3], 3.5 / 4],
  ] as const) {
    test(name, () => close(separate(first, second).area, area));
  }

  test('the other way round it is the rest', () => {
    const noise = createNoise(1);
    const [first, second] = [Array.from({ length: 40 }, noise), Array.from({ length: 60 }, noise)];
    close(separate(first, second).area + separate(second, first).area, 1);
  });

  test('the order of the values does not matter', () => {
    close(separate([6, 1, 2], [7, 4, 3]).area, 7 / 9);
  });

  test('two samples of the same source scatter by the standard error', () => {
    const noise = createNoise(7);
    const draw = (count: number) => Array.from({ length: count }, noise);
    const runs = Array.from({ length: 400 }, () => separate(draw(30), draw(50)));
    const deviation = Math.sqrt(runs.reduce((sum, { area }) => sum + (area - 0.5) ** 2, 0) / runs.length);
    close(deviation, runs[0]?.standardError ?? 0, 0.008);
  });
});

describe('pairs of samples', () => {
  test('are compared pair by pair: what all of a pair have in common is no difference', () => {
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

  test('more of them are known better', () => {
    const pair = [
      [1, 2, 3],
      [1, 2, 3],
    ] as const;
    close(separatePairs([pair, pair, pair, pair]).standardError, separate(...pair).standardError / 2);
  });

  test('scatter beyond chance counts', () => {
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

describe('a trend', () => {
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

  test('by hand: of points beside a line, with its error', () => {
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
