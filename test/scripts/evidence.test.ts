import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { makePage, pagePath } from '../../scripts/evidence.ts';
import { root } from '../page-examples.ts';

test('the page of the evidence follows from the lists', async () => {
  assert.equal(readFileSync(join(root, pagePath), 'utf8'), await makePage(), 'run: npm run evidence');
});
