import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readOptions } from '../../bench/options.ts';

test('a run measures one table, the main one by default', () => {
  assert.equal(readOptions([]).table, 'main');
  assert.equal(readOptions(['--timing', '--quick']).table, 'timing');
  assert.equal(readOptions(['--soak', '12']).table, 'soak');
  assert.equal(readOptions(['--soak', '12']).soakMinutes, 12);
  assert.throws(() => readOptions(['--load', '--timing']), TypeError);
});

test('numbers outside their bounds are refused', () => {
  assert.equal(readOptions([]).effort.rounds, 5);
  assert.equal(readOptions(['--timing']).effort.rounds, 2);
  assert.equal(readOptions(['--rounds', '7']).effort.rounds, 7);
  for (const args of [
    ['--rounds', '0'],
    ['--rounds', '51'],
    ['--rounds', '1.5'],
    ['--rounds', 'x'],
    ['--soak', '3'],
    ['--soak', '601'],
    ['--soak='],
  ]) {
    assert.throws(() => readOptions(args), TypeError);
  }
});

test('only a complete run of the main table can be written to the page', () => {
  assert.equal(readOptions(['--write']).writes, true);
  assert.equal(readOptions(['--write', '--rounds', '3']).writes, true);
  for (const other of [['--quick'], ['--rounds', '2'], ['--without-peers'], ['--scale'], ['--soak', '12']]) {
    assert.throws(() => readOptions(['--write', ...other]), TypeError, other.join(' '));
  }
});
