import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { form } from '../../web/faces.ts';
import { codeOf } from './authenticator-app.ts';

test('a code of an authenticator app leads to a safe next, and to no other', async () => {
  let time = Date.now();
  await using janua = await startJanua({ overrides: { now: () => time } });
  const { factors, hold, users } = janua.services;
  const account = (await users.findByUsername(ann.username)) ?? assert.fail();
  const { secret } = await factors.totp.begin(account.user, ann.username);
  assert.ok(await hold(provedBy(account), (held) => factors.totp.enable(held, codeOf(secret, time))));
  const post = (url: string, fields: Record<string, unknown>, cookie = '') => {
    const sent = form(fields);
    return janua.app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, cookie } });
  };
  for (const [next, place] of [
    ['/account', '/account'],
    ['https://evil.example/', '/auth/home'],
    ['//evil.example', '/auth/home'],
    [`/${'a'.repeat(5000)}`, '/auth/home'],
  ] as const) {
    time += 60_000;
    const { cookies } = await post('/auth/token', { username: ann.username, password });
    const pending = `pending=${cookies.find(({ name }) => name === 'pending')?.value}`;
    const answer = await post('/auth/second-factor', { method: 'totp', code: codeOf(secret, time), next }, pending);
    assert.deepEqual([answer.statusCode, answer.headers.location], [303, place], next.slice(0, 30));
  }
});
