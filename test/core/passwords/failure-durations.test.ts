import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createFailureDurations } from '../../../src/core/passwords/failure-durations.ts';

test('the longest duration is 0 at first', () => {
  assert.equal(createFailureDurations().longest(), 0);
});

test('the longest duration is that of the slowest kind', () => {
  const durations = createFailureDurations();
  durations.add('dear', 200);
  for (let time = 0; time < 30; time++) durations.add('cheap', 10);
  assert.equal(durations.longest(), 200);
});

test('a single slow failure is forgotten', () => {
  const durations = createFailureDurations();
  durations.add('none', 300);
  assert.equal(durations.longest(), 300);
  for (let time = 0; time < 2; time++) durations.add('none', 10);
  assert.equal(durations.longest(), 10);
});

test('a kind that becomes slower raises the duration after five failures', () => {
  const durations = createFailureDurations();
  for (let time = 0; time < 30; time++) durations.add('none', 10);
  for (let time = 0; time < 4; time++) durations.add('none', 100);
  assert.equal(durations.longest(), 10);
  durations.add('none', 100);
  assert.equal(durations.longest(), 100);
});
