import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createReturns, takeTicket, withTicket } from '../../../src/capabilities/forward-auth/returns.ts';

const origin = 'https://app.example.com';
const signingKey = randomBytes(32);
const listing = (...origins: string[]) => createReturns(new Set(origins), () => signingKey);

function begin(uri = '/x') {
  const way = listing(origin).begin(origin, uri, undefined);
  assert.ok(way);
  const query = Object.fromEntries(new URL(way.path, origin).searchParams);
  return { way, query: { to: '', state: '', signature: '', ...query } };
}

describe('a way to another host', () => {
  test('is found by its signed query', () => {
    const { query } = begin('/a?b=c&d=%20');
    assert.deepEqual(listing(origin).find(query), { origin, state: query.state });
  });

  test('is not found after its origin was removed from the list or the key was replaced', () => {
    const { query } = begin();
    assert.equal(listing('https://other.example.com').find(query), undefined);
    const other = createReturns(new Set([origin]), () => randomBytes(32));
    assert.equal(other.find(query), undefined);
  });

  test('keeps the cookie that the browser already has, if its form is valid', () => {
    const { way, query } = begin();
    const kept = way.cookie.split(';', 1)[0] ?? '';
    const again = listing(origin).begin(origin, '/y', `a=b; ${kept}`);
    assert.equal(again?.cookie, way.cookie);
    assert.deepEqual(listing(origin).readReturn(origin, kept), { origin, state: query.state });
    for (const odd of ['__Host-janua-return=x', `${kept}; ${kept}`, kept.replace('__Host-', '')]) {
      assert.notEqual(listing(origin).begin(origin, '/y', odd)?.cookie, way.cookie);
      assert.equal(listing(origin).readReturn(origin, odd), undefined);
    }
  });
});

test('there is no way to an address that would be too long', () => {
  const pathOf = (length: number) => listing(origin).begin(origin, `/${'a'.repeat(length)}`, undefined)?.path;
  assert.equal(pathOf(3000), undefined);
  for (let length = 1; length < 3000; length += 50) assert.ok((pathOf(length)?.length ?? 0) <= 2048, String(length));
  assert.ok((pathOf(1000)?.length ?? 0) > 1000);
});

describe('a ticket in an address', () => {
  const cases = [
    ['/x', '/x?janua-ticket=t'],
    ['/x?a=b', '/x?a=b&janua-ticket=t'],
    ['/x?a?b&&c=%26', '/x?a?b&&c=%26&janua-ticket=t'],
  ] as const;
  for (const [uri, brought] of cases) {
    test(`is added to ${uri}, and removed without a trace`, () => {
      assert.equal(withTicket(uri, 't'), brought);
      assert.deepEqual(takeTicket(brought), { uri, ticket: 't' });
      assert.deepEqual(takeTicket(uri), { uri, ticket: undefined });
    });
  }

  test('is removed from any place in the query, even several times', () => {
    assert.deepEqual(takeTicket('/x?janua-ticket=1&a=b&janua-ticket=2'), { uri: '/x?a=b', ticket: '2' });
    assert.deepEqual(takeTicket('/x?a=b?janua-ticket=1'), { uri: '/x?a=b?janua-ticket=1', ticket: undefined });
    assert.deepEqual(takeTicket('/janua-ticket=1'), { uri: '/janua-ticket=1', ticket: undefined });
  });
});
