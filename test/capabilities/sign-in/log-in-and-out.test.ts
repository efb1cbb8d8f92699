import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { form, json, loginFaces } from '../../web/faces.ts';
import { codeOf } from '../second-factor/authenticator-app.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

test('no field of a login may be in the query besides next, even beside the body', async () => {
  const fields = { username: ann.username, password, grant_type: 'password', scope: '', remember: 'on' };
  const send = (url: string) => janua.app.inject({ method: 'POST', url, ...json(fields) });
  for (const name of Object.keys(fields))
    for (const query of [`${name}=x`, name]) {
      const answer = await send(`/api/login?${query}`);
      assert.deepEqual([answer.statusCode, answer.json().error], [400, 'invalid_request'], query);
      assert.deepEqual(answer.cookies, [], query);
    }
  assert.equal((await send('/api/login?next=%2Faccount')).statusCode, 200);
});

test('the login page may not be stored when it removes a cookie', async () => {
  const [{ request } = assert.fail()] = loginFaces;
  const failed = await janua.app.inject(request({ username: ann.username, password: 'wrong' }));
  const failure = failed.cookies.find(({ name }) => name === 'login-failure')?.value ?? assert.fail();
  for (const cookie of [`login-failure=${failure}`, 'session=dead', `login-failure=${failure}; session=dead`]) {
    const { statusCode, headers } = await janua.app.inject({ url: '/auth/login', headers: { cookie } });
    assert.deepEqual([statusCode, headers['cache-control']], [200, 'no-store'], cookie);
    assert.match(String(headers['set-cookie']), /Max-Age=0/, cookie);
  }
});

test('a logout of a login that waits is told that there was no session, and ends the wait', async () => {
  const { users, hold, factors } = janua.services;
  const username = 'waits@example.com';
  await janua.people.add({ username, password, firstName: 'W', lastName: 'A' });
  const account = await users.findByUsername(username);
  assert.ok(account);
  const { secret } = await factors.totp.begin(account.user, username);
  const code = codeOf(secret, Date.now());
  assert.ok(await hold(provedBy(account), (held) => factors.totp.enable(held, code)));
  const login = await janua.app.inject({ method: 'POST', url: '/auth/token', ...form({ username, password }) });
  const waiting = login.cookies.find(({ name }) => name === 'pending')?.value ?? assert.fail();
  assert.ok(await factors.pendingLogins.find(waiting));
  const headers = { cookie: `pending=${waiting}` };
  const page = await janua.app.inject({ method: 'POST', url: '/auth/logout', headers });
  assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/login?state=1']);
  assert.equal(await factors.pendingLogins.find(waiting), undefined);
  const program = await janua.app.inject({ method: 'POST', url: '/api/logout', headers });
  assert.equal(program.statusCode, 401);
});
