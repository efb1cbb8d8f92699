import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readBreaks } from '../../scripts/break-list.ts';
import { root } from '../page-examples.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

test('each break changes a text that its file has once, and its test is there', () => {
  const faults = readBreaks().filter(
    ({ file, text, by, test: named }) =>
      !existsSync(join(root, file)) ||
      read(file).split(text).length !== 2 ||
      text === by ||
      !existsSync(join(root, named)),
  );
  assert.deepEqual(
    faults.map(({ ids, breaks }) => `${ids}: ${breaks}`),
    [],
  );
});

test('no break is listed twice', () => {
  const places = readBreaks().map(({ file, text, by, test, only }) => [file, text, by, test, only].join('\n'));
  assert.deepEqual(
    places.filter((place, index) => places.indexOf(place) !== index),
    [],
  );
});
