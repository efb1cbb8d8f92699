import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReplacementPace } from '../../src/commands/replacement-pace.ts';

test('a worker is replaced at once after a calm minute, then after growing pauses of at most 30 seconds', () => {
  let now = 0;
  const nextPause = createReplacementPace(() => now);
  /** The pause before replacing a worker that ended this long after the last replacement. */
  const after = (milliseconds: number) => {
    now += milliseconds;
    const pause = nextPause();
    now += pause;
    return pause / 1000;
  };
  assert.equal(after(0), 0);
  assert.deepEqual([0, 0, 59_000, 0, 0, 0, 0].map(after), [1, 2, 4, 8, 16, 30, 30]);
  assert.equal(after(60_001), 0);
  assert.equal(after(100), 1);
});
