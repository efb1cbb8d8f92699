import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { asJson, sessionCookie } from '../../web/faces.ts';
import { addPasskey } from './add-passkey.ts';
import { createAuthenticator } from './authenticator.ts';
import { addApp, codeOf } from './authenticator-app.ts';

const unsafe = ['//evil.example', 'https://evil.example/', '/\\evil.example'];

let janua: TestJanua;
before(async () => {
  janua = await startJanua({ time: Date.now() });
});
after(() => janua[Symbol.asyncDispose]());

test('a login by passkey leads to no other site', async () => {
  const authenticator = createAuthenticator();
  await addPasskey(janua.services, await janua.account(), authenticator);
  for (const next of unsafe) {
    const browser = janua.browser();
    const begun = await browser.post('/auth/passkey/options', undefined, asJson);
    const credential = JSON.stringify(authenticator.get(begun.json()));
    const answer = await browser.post('/auth/passkey', { credential, next });
    assert.ok(sessionCookie(answer), next);
    assert.equal(answer.headers.location, '/auth/home', next);
  }
});

test('a login by a second factor leads to no other site', async () => {
  const secret = await addApp(janua, await janua.account());
  for (const next of unsafe) {
    janua.pass(60_000);
    const browser = janua.browser();
    await browser.post('/auth/token', { username: ann.username, password });
    const code = codeOf(secret, janua.now());
    const answer = await browser.post('/auth/second-factor', { method: 'totp', code, next });
    assert.ok(sessionCookie(answer), next);
    assert.equal(answer.headers.location, '/auth/home', next);
  }
});
