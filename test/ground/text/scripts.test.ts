import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mixesScripts } from '../../../src/ground/text/scripts.ts';

test('a word with letters of several scripts is found, and no other one', () => {
  for (const [text, isMixed] of [
    ['Claude Code', false],
    ['Zürich, Łódź, Đà Nẵng', false],
    ['Hawaiʻi', false],
    ['Яндекс Mail', false],
    ['Ελλάδα 24', false],
    ['株式会社ABC メールbox', false],
    ['카카오Talk', false],
    ['हिन्दी', false],
    ['', false],
    // Each has a letter that looks like a Latin one.
    ['Сlaude Code', true],
    ['Claude Cоde', true],
    ['Gοogle', true],
    ['αpple.example', true],
    ['Ꮯlaude', true],
    ['Bаnk株式会社', true],
    ['𝐂laude', true],
    ['पbank', true],
    ['B2Bанк', true],
  ] as const)
    assert.equal(mixesScripts(text), isMixed, text);
});
