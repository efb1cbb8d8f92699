import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { form, sessionCookie } from '../../web/faces.ts';
import { addPasskey } from './add-passkey.ts';
import { createAuthenticator } from './authenticator.ts';
import { codeOf } from './authenticator-app.ts';

const unsafe = ['//evil.example', 'https://evil.example/', '/\\evil.example'];

let time = Date.now();
let janua: TestJanua;
before(async () => {
  janua = await startJanua({ overrides: { now: () => time } });
});
after(() => janua[Symbol.asyncDispose]());

const post = (url: string, fields: Record<string, string>, cookie = '') => {
  const sent = form(fields);
  return janua.app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, cookie } });
};

const findAnn = async () => (await janua.services.users.findByUsername(ann.username)) ?? assert.fail();

test('a login by passkey leads to no other site', async () => {
  const account = await findAnn();
  const authenticator = createAuthenticator({});
  await addPasskey(janua.services, account, authenticator);
  for (const next of unsafe) {
    const headers = { 'x-expected-format': 'application/json' };
    const begun = await janua.app.inject({ method: 'POST', url: '/auth/passkey/options', headers });
    const cookie = begun.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const credential = JSON.stringify(authenticator.get(begun.json()));
    const answer = await post('/auth/passkey', { credential, next }, cookie);
    assert.ok(sessionCookie(answer), next);
    assert.equal(answer.headers.location, '/auth/home', next);
  }
});

test('a login by a second factor leads to no other site', async () => {
  const { totp } = janua.services.factors;
  const { user } = await findAnn();
  const { secret } = await totp.begin(user, ann.username);
  await janua.services.hold(provedBy(await findAnn()), (held) => totp.enable(held, codeOf(secret, time)));
  for (const next of unsafe) {
    time += 60_000;
    const begun = await post('/auth/token', { username: ann.username, password });
    const cookie = begun.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const answer = await post('/auth/second-factor', { method: 'totp', code: codeOf(secret, time), next }, cookie);
    assert.ok(sessionCookie(answer), next);
    assert.equal(answer.headers.location, '/auth/home', next);
  }
});
