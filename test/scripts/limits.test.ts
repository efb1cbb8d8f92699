import assert from 'node:assert/strict';
import { test } from 'node:test';
import { renewLimits } from '../../scripts/limits.ts';
import { bodyLimit } from '../../src/web/hooks/bodies.ts';

const page = (section: string) =>
  `before\n<!-- Limits by \`npm run reference\`: add a row to scripts/limits.ts -->\n${section}<!-- end of limits -->\nafter\n`;

test('the section of limits is printed from the code, and the rest of its page stays', () => {
  const renewed = renewLimits(page('| stranger | body of a request | 1 KiB | 413 |\n'));
  assert.ok(renewed.includes(`| stranger | body of a request | ${bodyLimit / 1024} KiB | 413 |`));
  assert.doesNotMatch(renewed, /\| 1 KiB \|/);
  assert.match(renewed, /^before\n<!--.*-->\nafter\n$/s);
  assert.equal(renewLimits(renewed), renewed);
  assert.throws(() => renewLimits('without the lines'), /is missing/);
});
