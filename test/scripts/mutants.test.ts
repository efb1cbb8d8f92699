import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { codeAround, readChecked } from '../../scripts/mutant-list.ts';
import { root } from '../page-examples.ts';

const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('each break has a text that its file has once, and a fresh result: otherwise run npm run mutants', () => {
  for (const { ids, breaks, file, text, by, test: named, noticedBy } of readChecked())
    test(`${ids}: ${breaks}`, () => {
      assert.equal(read(file).split(text).length, 2, `${file} has the text once`);
      assert.notEqual(text, by);
      read(named);
      assert.ok(noticedBy, 'no test has noticed it since the function or the test has changed');
    });
});

test('a result holds as long as the function around the break is the same', () => {
  const source = `const limit = 3;
export function createGate() {
  const open = () => { if (limit > 3) return 1; return 2; };
  return { close() { return [limit].map((one) => one + 4); } };
}
`;
  assert.equal(codeAround('a.ts', source, '= 3'), 'limit = 3');
  assert.equal(codeAround('a.ts', source, 'limit > 3'), 'open = () => { if (limit > 3) return 1; return 2; }');
  assert.equal(codeAround('a.ts', source, 'one + 4'), 'close() { return [limit].map((one) => one + 4); }');
  assert.equal(codeAround('a.eta', '<p>', 'p'), '<p>');
});
