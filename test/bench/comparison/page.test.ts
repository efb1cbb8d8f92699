import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import { replaceSection } from '../../../bench/comparison/page.ts';

const page = await readFile(new URL('../../../docs/performance.md', import.meta.url), 'utf8');

test('the bench replaces its own section, and nothing else on the page', () => {
  const once = replaceSection(page, 'the new figures');
  assert.equal(replaceSection(replaceSection(page, 'older figures'), 'the new figures'), once);
  assert.match(once, /-->\nthe new figures\n<!--/);
  assert.equal(once.slice(0, once.indexOf('<!--')), page.slice(0, page.indexOf('<!--')));
  assert.equal(once.slice(once.lastIndexOf('-->')), page.slice(page.lastIndexOf('-->')));
});

test('the bench refuses a page without its section', () => {
  assert.throws(() => replaceSection('# Performance\n', 'the new figures'));
});
