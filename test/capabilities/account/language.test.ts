import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ann, startJanua, type TestJanua } from '../../janua.ts';
import { form, logIn } from '../../web/faces.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

const choose = (headers: Record<string, string>) => {
  const sent = form({ language: 'de' });
  return janua.app.inject({ method: 'POST', url: '/auth/language', ...sent, headers: { ...sent.headers, ...headers } });
};

test('a choice of language that names no way back leads home, wherever the browser comes from', async () => {
  for (const referer of ['http://localhost/account', 'https://evil.example/account'])
    assert.equal((await choose({ referer })).headers.location, '/auth/home', referer);
});

test('“who am I” has the same fields for a user who has chosen a language', async () => {
  const { cookie } = await logIn(janua.app);
  await choose(cookie);
  assert.equal((await janua.services.users.findByUsername(ann.username))?.user.language, 'de');
  const { username, firstName: first_name, lastName: last_name } = ann;
  for (const url of ['/api/me', '/admin/me']) {
    const headers = { ...cookie, 'x-expected-format': 'application/json' };
    assert.deepEqual((await janua.app.inject({ url, headers })).json(), { username, first_name, last_name });
  }
});
