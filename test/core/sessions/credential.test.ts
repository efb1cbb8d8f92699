import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSecret, createSessionId } from '../../../src/core/sessions/credential.ts';

test('a session id is unique, and a command can take it as an argument', () => {
  const ids = new Set(Array.from({ length: 10_000 }, createSessionId));
  assert.equal(ids.size, 10_000);
  for (const id of ids) assert.match(id, /^\w[\w-]{21}$/);
});

test('each of the 256 bits of a secret is random', () => {
  const secrets = Array.from({ length: 200 }, () => Buffer.from(createSecret(), 'base64url'));
  for (let bit = 0; bit < 256; bit++) {
    const values = new Set(secrets.map((secret) => ((secret[bit >> 3] ?? 0) >> (bit & 7)) & 1));
    assert.equal(values.size, 2, `bit ${bit} is the same in ${secrets.length} secrets`);
  }
});

test('neither Math.random nor the time decides what a session id or a secret is', (t) => {
  t.mock.method(Math, 'random', () => 0.5);
  t.mock.timers.enable({ apis: ['Date'] });
  t.mock.method(performance, 'now', () => 0);
  for (const create of [createSessionId, createSecret]) assert.notEqual(create(), create());
});
