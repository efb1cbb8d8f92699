import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  ClaimFault,
  type Claims,
  joinClaims,
  linesOfClaims,
  parseClaims,
  requireClaims,
  withinLimits,
} from '../../../src/core/users/claim-rules.ts';

const many = (count: number, value: string = 'x') =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`c${index}`, value]));

const faultOf = (work: () => unknown) => {
  try {
    work();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ClaimFault);
    assert.ok(error.message.length < 300, error.message);
    return error.fault;
  }
};

describe('custom claims', () => {
  test('are refused by name, value and size', () => {
    const cases: readonly (readonly [claims: object, fault?: string])[] = [
      [{ department: 'research' }],
      [{ 'https://example.com/tier': 3, 'a.b_c:d/e-f': [{ a: [true, null, 'ü', '👩‍💻'] }] }],
      [{ gone: null }],
      [{ ['a'.repeat(128)]: 1 }],
      [{ ['a'.repeat(129)]: 1 }, 'not-a-claim-name'],
      [{ Department: 1 }, 'not-a-claim-name'],
      [{ '': 1 }, 'not-a-claim-name'],
      [{ dеpartment: 1 }, 'not-a-claim-name'],
      [{ 'a b': 1 }, 'not-a-claim-name'],
      [{ 'a\u202e': 1 }, 'not-a-claim-name'],
      [JSON.parse('{"__proto__":{"a":1}}'), 'not-a-claim-name'],
      ...[
        'sub',
        'iss',
        'email',
        'email_verified',
        'name',
        'groups',
        'roles',
        'entitlements',
        'acr',
        'sid',
        'scope',
      ].map((name) => [{ [name]: 'x' }, 'claim-registered'] as const),
      ...['active', 'username', 'token_type', 'cnf', 'act', 'client_id', 'nonce', 'at_hash'].map(
        (name) => [{ [name]: 'x' }, 'claim-registered'] as const,
      ),
      ...['a\nb', 'a\u202eb', '\ud800', 'a\u0000', '\u200b'].map(
        (value) => [{ odd: value }, 'not-a-claim-value'] as const,
      ),
      [{ odd: { 'a\nb': 1 } }, 'not-a-claim-value'],
      [{ odd: ['a\nb'] }, 'not-a-claim-value'],
      [{ odd: JSON.parse('{"__proto__":{"a":1}}') }, 'not-a-claim-value'],
      [{ odd: JSON.parse('1e400') }, 'not-a-claim-value'],
      [{ odd: JSON.parse('12345678901234567890') }, 'not-a-claim-value'],
      [{ odd: undefined }, 'not-a-claim-value'],
      [{ deep: JSON.parse(`${'['.repeat(10)}${']'.repeat(10)}`) }],
      [{ deep: JSON.parse(`${'['.repeat(11)}${']'.repeat(11)}`) }, 'not-a-claim-value'],
      [{ deep: JSON.parse(`${'['.repeat(5000)}${']'.repeat(5000)}`) }, 'not-a-claim-value'],
      [{ long: 'x'.repeat(1022) }],
      [{ long: 'x'.repeat(1023) }, 'not-a-claim-value'],
      [{ long: 'ü'.repeat(600) }, 'not-a-claim-value'],
      [many(32)],
      [many(33), 'too-many-claims'],
      [many(10, 'x'.repeat(1000)), 'too-many-claims'],
    ];
    for (const [claims, fault] of cases)
      assert.equal(
        faultOf(() => requireClaims(claims as Claims)),
        fault,
        JSON.stringify(claims).slice(0, 80),
      );
    assert.deepEqual(requireClaims({ gone: null, b: 1, a: 2 }), { a: 2, b: 1 });
  });

  test('are typed as lines or as JSON', () => {
    const typed = 'department=research\r\n\ncode="007"\nnumber=7\nlist=["a","b"]\nnote=a = b\nnothing=null';
    const claims = { code: '007', department: 'research', list: ['a', 'b'], note: 'a = b', number: 7 };
    assert.deepEqual(parseClaims(typed), claims);
    for (const each of [claims, { note: ' blanks at its ends ' }])
      assert.deepEqual(parseClaims(linesOfClaims(each)), each);
    assert.deepEqual(parseClaims(JSON.stringify(claims)), claims);
    assert.deepEqual(parseClaims('  '), {});
    for (const text of ['department', '{', '{]}', 'a=1\nb'])
      assert.equal(
        faultOf(() => parseClaims(text)),
        'not-claims',
        text,
      );
  });

  const groups = (claims: Readonly<Record<string, Claims>>) => new Map(Object.entries(claims));

  test('of a user come before those of groups, lists of groups are united, and else the first group counts', () => {
    const joined = joinClaims(
      { tier: 'gold', tags: ['own'] },
      groups({
        writers: { tier: 'silver', roles2: ['b', 'a', { y: 1, x: 2 }], team: 'w', mixed: ['w'], tags: ['w'] },
        editors: { roles2: ['c', 'a', { x: 2, y: 1 }], team: 'e', mixed: 'e', once: ['z', 'a'] },
      }),
    );
    assert.deepEqual(joined, {
      mixed: 'e',
      once: ['z', 'a'],
      roles2: ['a', 'b', 'c', { y: 1, x: 2 }],
      tags: ['own'],
      team: 'e',
      tier: 'gold',
    });
  });

  test('of groups beyond the limits are left out, and never those of the user', () => {
    const own = { zeal: 'x'.repeat(1000) };
    const joined = joinClaims(own, groups({ a: many(20, 'x'.repeat(500)), b: { y: 1 } }));
    const counted = withinLimits(joined, own);
    assert.equal(counted.zeal, own.zeal);
    assert.ok(Buffer.byteLength(JSON.stringify(counted)) <= 8192);
    assert.ok(Object.keys(counted).length > 10);
    assert.equal(Object.keys(withinLimits(joinClaims(many(32), groups({ a: { more: 1 } })), many(32))).length, 32);
  });
});
