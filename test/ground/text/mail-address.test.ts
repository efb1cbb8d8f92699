import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { emailAddress } from '../../../src/core/users/user.ts';
import { canonicalDomain, canonicalMailAddress, looksLikeAnother } from '../../../src/ground/text/mail-address.ts';

describe('a mail address', () => {
  for (const [typed, canonical] of [
    ['ann@example.com', 'ann@example.com'],
    ['ann+tag@mail.example.com', 'ann+tag@mail.example.com'],
    ['zoë@bücher.example', 'zoë@bücher.example'],
    ['ann@intranet', 'ann@intranet'],
    ['ann@xn--bcher-kva.example', 'ann@bücher.example'],
    ['ann@BÜCHER.example', 'ann@bücher.example'],
    ['ann@ⓔxample.com', 'ann@example.com'],
    ['ann@ｅxample.com', 'ann@example.com'],
    ['ann@example。com', 'ann@example.com'],
    ['ann@example．com', 'ann@example.com'],
  ] as const)
    test(`${typed} is ${canonical}`, () => assert.equal(canonicalMailAddress(typed), canonical));

  for (const typed of [
    'ann',
    '@example.com',
    'ann@',
    'a@b@example.com',
    'ann＠example.com',
    'a＠b@example.com',
    'a，b@example.com',
    'ann@example.com.',
    'ann@.',
    'ann@-',
    'ann@b..com',
    'ann@-b.com',
    'ann@b.com/x',
    'ann@b.com?x',
    'ann@b.com%2ex',
    'ann@b.com:25',
    'ann@127.1',
    'ann@127.0.0.1',
    'ann@[127.0.0.1]',
    'a b@example.com',
    'ann@exam ple.com',
    'ann@example.com\r\nbcc: bob@example.com',
    'a\ud800@example.com',
    'a\nb@example.com',
    'a\0b@example.com',
    'a\u202eb@example.com',
    `${'a'.repeat(250)}@b.com`,
    // Shorter in Unicode.
    `a@${'xn--mgba3a4f16a.'.repeat(20)}com`,
  ])
    test(`${JSON.stringify(typed)} is none`, () => assert.equal(canonicalMailAddress(typed), undefined));
});

test('of the signs of ASCII, a local part has those of RFC 5322 3.2.3 alone', () => {
  const signs = Array.from({ length: 0x80 }, (_, code) => String.fromCharCode(code)).filter((sign) => /\W/.test(sign));
  const allowed = signs.filter((sign) => canonicalMailAddress(`a${sign}b@example.com`) !== undefined);
  assert.equal(allowed.join(''), "!#$%&'*+-./=?^`{|}~");
});

test('a long text costs no more than its length', () => {
  const han = (length: number) => Array.from({ length }, (_, at) => String.fromCodePoint(0x9fa5 - at)).join('');
  const costOf = (text: string, times: number) => {
    const before = process.threadCpuUsage();
    for (let count = 0; count < times; count += 1) {
      canonicalMailAddress(text);
      emailAddress(text);
    }
    const { user, system } = process.threadCpuUsage(before);
    return (user + system) / 1000;
  };
  // Each mark goes before those of another class.
  const marks = (length: number) => `a${'\u0301'.repeat(length)}${'\u0316'.repeat(length)}`;
  for (const make of [(length: number) => `a@${han(length)}`, (length: number) => `${marks(3 * length)}@example.com`]) {
    const [long, short] = [make(5000), make(200)];
    costOf(short, 10);
    const [ofLong, ofShort] = [costOf(long, 10), costOf(short, 250)];
    assert.ok(ofLong < 3 * ofShort + 50, `${ofLong} ms, and ${ofShort} ms for short ones of the same length together`);
  }
});

test('a domain has one spelling, and an IP address is none', () => {
  assert.equal(canonicalDomain('Example.COM'), 'example.com');
  assert.equal(canonicalDomain('10.0.0.1'), undefined);
});

describe('an address that looks like no other', () => {
  for (const address of [
    'ann.o-neil+tag_1@mail.example.com',
    "o'neil#1&co=x/y?z{|}~^`*$@example.com",
    'zoë.łódź@bücher.example',
    'nguyễn.đức@example.com',
    'smørrebrød.þór@straße.example',
    'анна.смирнова@яндекс.рф',
    'анна@example.com',
    'оса@роса.рф',
    'анна+news@почта-россии.рф',
    'άννα@παράδειγμα.ελ',
    '田中tarou@例え.jp',
    '김철수@예시kr.com',
    'हिन्दी@उदाहरण.भारत',
    'مثال١٢@example.com',
    // Marks: Yoruba, Vietnamese, Hindi with three, Arabic, Hebrew, Thai, Greek with three, Burmese, Japanese.
    'adé.ẹ̀kọ́@example.com',
    'chữ.ệ@example.com',
    'चीज़ें@example.com',
    'مُحَمَّد@example.com',
    'שָׁלוֹם@example.com',
    'ที่อยู่@example.com',
    'ᾧ@example.com',
    'မြန်မာ@example.com',
    'か゚@example.jp',
  ])
    test(address, () => assert.equal(looksLikeAnother(address.normalize()), false));
});

describe('an address looks like another one', () => {
  for (const [what, local] of [
    ['by a mark of Brahmi after a Latin letter', 'ann\u{1107f}'],
    ['by a mark of Burmese', 'ann\u1039'],
    ['by a mark of Khmer', 'ann\u17d2'],
    ['by a mark of the Khitan', 'ann\u{16fe4}'],
    ['by a mark of Arabic', 'ann\u064b'],
    ['by a mark of Devanagari after a Cyrillic letter', 'анна\u094d'],
    ['by a mark of Devanagari after a Chinese letter', '田\u094d'],
    ['by a mark after a digit', 'ann1\u0323'],
    ['by a mark after a dot', 'ann.\u0323a'],
    ['by a mark at its start', '\u0323ann'],
    ['by a mark after a digit of Devanagari', 'हि१\u0301'],
    ['by a stroke through a letter', 'o\u0338le'],
    ['by a circle around a letter', 'ann\u20dd'],
    ['by the same mark twice', 'a\u0323\u0323nn'],
    ['by three accents', 'q\u0323\u0308\u0331nn'],
    ['by fifty accents', `a${'\u0301'.repeat(50)}nn`],
    ['by five marks of its script', 'क\u093c\u0941\u0902\u0951\u0952'],
  ] as const)
    test(what, () => assert.equal(looksLikeAnother(`${local}@example.com`.normalize()), true));
});
