import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
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
  ])
    test(`${JSON.stringify(typed)} is none`, () => assert.equal(canonicalMailAddress(typed), undefined));
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
  ])
    test(address, () => assert.equal(looksLikeAnother(address.normalize()), false));
});
