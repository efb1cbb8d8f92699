import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { readMutants } from '../../scripts/mutant-list.ts';
import { root } from '../page-examples.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('each break changes a text that its file has once', () => {
  for (const { ids, breaks, file, text, by, test: named } of readMutants())
    test(`${ids}: ${breaks}`, () => {
      assert.equal(read(file).split(text).length, 2, `${file} has the text once`);
      assert.notEqual(text, by);
      assert.ok(existsSync(join(root, named)), `${named} is there`);
    });
});

test('no break is listed twice', () => {
  const places = readMutants().map(({ file, text, by, test, only }) => [file, text, by, test, only].join('\n'));
  assert.deepEqual(
    places.filter((place, index) => places.indexOf(place) !== index),
    [],
  );
});
