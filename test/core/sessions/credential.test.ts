import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecret, createSessionId } from '../../../src/core/sessions/credential.ts';

test('a session id is unique, and a command can take it as an argument', () => {
  const ids = new Set(Array.from({ length: 10_000 }, createSessionId));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^\w[\w-]{21}$/);
});

for (const [what, create, bits] of [
  ['secret', createSecret, 256],
  ['session id', createSessionId, 128],
] as const)
  test(`each of the ${bits} bits of a ${what} is random`, () => {
    const made = Array.from({ length: 200 }, () => Buffer.from(create(), 'base64url'));
    for (let bit = 0; bit < bits; bit++) {
      const values = new Set(made.map((bytes) => ((bytes[bit >> 3] ?? 0) >> (bit & 7)) & 1));
      assert.equal(values.size, 2, `bit ${bit} is the same in ${made.length} of them`);
    }
  });

test('neither Math.random nor the time decides what a session id or a secret is', (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  t.mock.timers.enable({ apis: ['Date'] });
  t.mock.method(performance, 'now', () => 0);
  for (const create of [createSessionId, createSecret]) assert.notEqual(create(), create());
});
