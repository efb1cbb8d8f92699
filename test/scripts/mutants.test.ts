import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { lineOf, mutants } from '../../scripts/mutants.ts';
import { root } from '../page-examples.ts';

const read = (path: string) => readFile(`${root}/${path}`, 'utf8');

test('each mutant breaks one place of its file', async () => {
  for (const { breaks, file, text, by, test, id } of mutants) {
    assert.equal((await read(file)).split(text).length, 2, `${breaks}: ${file} has the text once`);
    assert.notEqual(text, by, breaks);
    await read(test);
    assert.match(id, /^(?:S|V|VM-)[\d.]+$/, breaks);
  }
});

test('security/mutants.tsv has a line for each mutant, with the test that noticed it', async () => {
  const [, ...lines] = (await read('security/mutants.tsv')).trimEnd().split('\n');
  assert.deepEqual(
    lines.map((line) => line.slice(0, line.lastIndexOf('\t'))),
    mutants.map(lineOf),
  );
});
