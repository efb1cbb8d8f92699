import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { interpolate, isLanguage, preferredLanguage } from '../../../src/ground/languages/languages.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';

const negotiations: [header: string | undefined, language: string | undefined][] = [
  [undefined, undefined],
  ['', undefined],
  ['de', 'de'],
  ['DE-ch', 'de'],
  ['zh-Hant-TW, vi', 'vi'],
  ['fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5', 'fr'],
  ['en;q=0.3, es;q=0.7', 'es'],
  ['en;q=0.5,de ; Q=1.000 , fr;q=0.999', 'de'],
  // The first of two that are liked as much.
  ['es, de', 'es'],
  ['de-AT;q=0.2, fr;q=0.4, de;q=0.6', 'de'],
  ['xx-BR, xy', undefined],
  // Not acceptable.
  ['de;q=0', undefined],
  ['de;q=0.000, vi;q=0.001', 'vi'],
  // Any other language is liked more than German, so the site decides.
  ['*', undefined],
  ['*;q=0.5, de;q=0.3', undefined],
  ['de, *;q=0.5', 'de'],
  // Broken ranges count for nothing.
  ['de;q=2, fr;q=0.1', 'fr'],
  ['de;q=, es;q=0.1234, vi;q=0.1', 'vi'],
  ['d€, deutsch, en_US, fr', 'fr'],
  [';q=1, ,,en', 'en'],
  ['constructor, __proto__, es', 'es'],
  [`${'x,'.repeat(10_000)}de`, undefined],
];

describe('Accept-Language', () => {
  for (const [header, language] of negotiations)
    test(`${header === undefined ? 'missing' : `"${header.slice(0, 60)}"`} prefers ${language}`, () => {
      assert.equal(preferredLanguage(header), language);
    });
});

test('only the languages of the table are languages', () => {
  assert.deepEqual(['en', 'de', 'fr', 'es', 'vi', 'EN', 'xx', '', undefined, ['de']].map(isLanguage), [
    ...Array(5).fill(true),
    ...Array(5).fill(false),
  ]);
});

test('a text gets its values, whatever they contain, and keeps places without a value', () => {
  assert.equal(interpolate('{a} and {b}, {a}, {c}', { a: '{b}', b: '$&' }), '{b} and $&, {b}, {c}');
  assert.equal(interpolate('{count}', { count: 0 }), '0');
});

test('the number decides the form of a text', () => {
  const { words, plural } = textsIn('de');
  assert.match(plural(words.login.waitMinutes, 1), / 1 Minute /);
  assert.match(plural(words.login.waitMinutes, 2), / 2 Minuten /);
  // French counts 0 as singular.
  const forms = { one: '{count} {thing}', other: '{count} {thing}s' };
  assert.equal(textsIn('fr').plural(forms, 0, { thing: 'jour' }), '0 jour');
  assert.equal(textsIn('en').plural(forms, 0, { thing: 'day' }), '0 days');
  assert.equal(textsIn('vi').plural({ other: '{count} ngày' }, 1), '1 ngày');
  assert.equal(textsIn('de').plural(forms, 15_000, { thing: 'Tag' }), '15.000 Tags');
});

test('a day and a time are written as the language does, and the time names its zone', () => {
  const time = new Date(2026, 10, 26, 15, 4, 5);
  assert.equal(textsIn('en').utc.date(time), 'November 26, 2026');
  assert.equal(textsIn('de').utc.date(time), '26. November 2026');
  assert.equal(textsIn('fr').utc.date(time), '26 novembre 2026');
  assert.equal(textsIn('es').utc.date(time), '26 de noviembre de 2026');
  assert.match(textsIn('vi').utc.date(time), /26 tháng 11,? (năm )?2026/);
  const early = new Date('2026-11-26T03:04:05Z');
  assert.equal(textsIn('de').utc.time(early), '26. November 2026 um 03:04 UTC');
  assert.equal(textsIn('de').utc.moment(early), '26. Nov. 2026, 03:04:05 UTC');
});
