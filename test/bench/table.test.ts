import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatMarkdown, formatTable } from '../../bench/table.ts';

const lines = [
  ['', 'median', 'note'],
  ['a|b', '1 ms', ''],
  ['c', '20 ms', 'slow'],
];

test('a table aligns its columns, with figures to the right', () => {
  assert.equal(formatTable(lines), '     median  note\na|b    1 ms\nc     20 ms  slow');
});

test('a Markdown table escapes a separator within a cell', () => {
  assert.equal(
    formatMarkdown(lines),
    '|  | median | note |\n|---|---:|---:|\n| a\\|b | 1 ms |  |\n| c | 20 ms | slow |',
  );
});
