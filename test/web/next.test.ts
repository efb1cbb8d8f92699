import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { safeNext } from '../../src/web/next.ts';

describe('a safe next is followed', () => {
  for (const [next, followed] of [
    ['/', '/'],
    ['/admin/me', '/admin/me'],
    ['/admin/me?a=b&c=d#e', '/admin/me?a=b&c=d#e'],
    ['/a/../b', '/b'],
    ['/a b', '/a%20b'],
    ['/é', '/%C3%A9'],
    ['/a//b', '/a//b'],
    ['/.well-known/..a/b./...', '/.well-known/..a/b./...'],
    ['/a%2Fb%252e', '/a%2Fb%252e'],
    ['/a?b=/..%2f..%2f/c', '/a?b=/..%2f..%2f/c'],
    ['/x?next=//evil.example', '/x?next=//evil.example'],
    ['/a\r\nSet-Cookie: b=c', '/aSet-Cookie:%20b=c'],
  ] as const) {
    test(JSON.stringify(next), () => assert.equal(safeNext(next), followed));
  }
});

describe('an unsafe next is dropped', () => {
  for (const next of [
    undefined,
    null,
    7,
    ['/a'],
    {},
    '',
    'admin/me',
    '//evil.example',
    '///evil.example',
    '/\\evil.example',
    '\\/evil.example',
    '\\\\evil.example',
    '/\t/evil.example',
    '/\n/evil.example',
    '\t//evil.example',
    '\n/evil.example',
    ' /admin/me',
    '/%5Cevil.example',
    '/%5cevil.example',
    '/%2Fevil.example',
    '/%252Fevil.example',
    '/%25252fevil.example',
    '/%25%32%66evil.example',
    '/%25%32%35%32%66evil.example',
    `/%${'25'.repeat(20)}2fevil.example`,
    '/%20evil.example',
    '/%09/evil.example',
    '/%0d%0aevil',
    '/..//evil.example',
    '/a/..//evil.example',
    '/.//evil.example',
    '/.%2f%2fevil.example',
    '/.%2f/evil.example',
    '/%252e%252e//evil.example',
    '/%25252e//evil.example',
    '/x/..%2f..%2f/evil.example',
    '/x/..%5c/evil.example',
    '/.%09%2f/evil.example',
    '/x/..;//evil.example',
    'https:evil.example',
    'https://evil.example',
    'http://localhost:5000/admin/me',
    'http://own@evil.example/',
    '//own.example',
    'javascript:alert(1)',
    'data:text/html,x',
    `/${'a'.repeat(10_000)}`,
    `/${'é'.repeat(1000)}`,
  ]) {
    test(JSON.stringify(next)?.slice(0, 40) ?? 'undefined', () => assert.equal(safeNext(next), undefined));
  }
});

test('a next is dropped if a cookie of 4,096 bytes could not hold it, in base64 and beside the rest', () => {
  const longest = `/${'a'.repeat(2799)}`;
  assert.equal(safeNext(longest), longest);
  assert.ok(Buffer.from(longest).toString('base64url').length < 4096 - 300);
  for (const longer of [`${longest}a`, `${longest.slice(0, -1)}é`]) assert.equal(safeNext(longer), undefined);
});

test('a followed next stays on the origin, and is a valid header value', () => {
  const pieces = fc.constantFrom(
    '/',
    '\\',
    '//',
    '..',
    '.',
    '%2f',
    '%5c',
    '%09',
    '%2e',
    '%25',
    '%3f',
    '2e',
    '2f',
    '@',
    ':',
    '?',
    '#',
    'evil.example',
    'a',
    '\t',
    '\n',
    ' ',
    'http:',
    'é',
  );
  const paths = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.array(pieces, { maxLength: 8 }).map((parts) => `/${parts.join('')}`),
  );
  fc.assert(
    fc.property(paths, (next) => {
      const followed = safeNext(next);
      if (followed === undefined) return;
      assert.equal(new URL(followed, 'https://auth.example.com').origin, 'https://auth.example.com');
      assert.match(followed, /^\/(?![/\\])[\x21-\x7e]*$/);
      assert.equal(safeNext(followed), followed);
      // A proxy and then a browser may each decode the path once more.
      for (let path = followed.replace(/[?#].*/, ''), round = 0; round < 4; round += 1) {
        path = path.replaceAll(/%([\da-f]{2})/gi, (_, digits) => String.fromCharCode(Number.parseInt(digits, 16)));
        const read = new URL(path, 'https://auth.example.com');
        assert.equal(read.origin, 'https://auth.example.com', path);
        assert.ok(!read.pathname.startsWith('//'), path);
      }
    }),
    { numRuns: 3000 },
  );
});
