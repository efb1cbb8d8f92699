import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ann, password, startJanua } from '../../janua.ts';
import { addApp, codeOf } from './authenticator-app.ts';

test('a code of an authenticator app leads to a safe next, and to no other', async () => {
  await using janua = await startJanua({ time: Date.now() });
  const secret = await addApp(janua, await janua.account());
  for (const [next, place] of [
    ['/account', '/account'],
    ['https://evil.example/', '/auth/home'],
    ['//evil.example', '/auth/home'],
    [`/${'a'.repeat(5000)}`, '/auth/home'],
  ] as const) {
    janua.pass(60_000);
    const browser = janua.browser();
    await browser.post('/auth/token', { username: ann.username, password });
    const code = codeOf(secret, janua.now());
    const answer = await browser.post('/auth/second-factor', { method: 'totp', code, next });
    assert.deepEqual([answer.statusCode, answer.headers.location], [303, place], next.slice(0, 30));
  }
});
