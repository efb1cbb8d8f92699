import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makeFiles } from '../../scripts/evidence.ts';
import { root } from '../page-examples.ts';

test('the evidence names what shows each rule, and is up to date', async () => {
  for (const [path, text] of await makeFiles())
    assert.equal(readFileSync(join(root, path), 'utf8'), text, `${path} is out of date; run: npm run evidence`);
});
