import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { loginFaces } from '../../web/faces.ts';
import { addApp } from '../second-factor/authenticator-app.ts';

let janua: TestJanua;
before(async () => {
  janua = await startJanua();
});
after(() => janua[Symbol.asyncDispose]());

test('no field of a login may be in the query besides next, even beside the body', async () => {
  const fields = { username: ann.username, password, grant_type: 'password', scope: '', remember: 'on' };
  const send = (url: string) => janua.post(url, fields);
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
  const failed = await janua.send(request({ username: ann.username, password: 'wrong' }));
  const failure = failed.cookies.find(({ name }) => name === 'login-failure')?.value ?? assert.fail();
  for (const cookie of [`login-failure=${failure}`, 'session=dead', `login-failure=${failure}; session=dead`]) {
    const { statusCode, headers } = await janua.get('/auth/login', { cookie });
    assert.deepEqual([statusCode, headers['cache-control']], [200, 'no-store'], cookie);
    assert.match(String(headers['set-cookie']), /Max-Age=0/, cookie);
  }
});

test('a logout of a login that waits is told that there was no session, and ends the wait', async () => {
  const { factors } = janua.services;
  const username = 'waits@example.com';
  await janua.people.add({ username, password, firstName: 'W', lastName: 'A' });
  await addApp(janua, await janua.account(username));
  const login = await janua.post('/auth/token', { username, password });
  const waiting = login.cookies.find(({ name }) => name === 'pending')?.value ?? assert.fail();
  assert.ok(await factors.pendingLogins.find(waiting));
  const headers = { cookie: `pending=${waiting}` };
  const page = await janua.post('/auth/logout', undefined, headers);
  assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/login?state=1']);
  assert.equal(await factors.pendingLogins.find(waiting), undefined);
  const program = await janua.post('/api/logout', undefined, headers);
  assert.equal(program.statusCode, 401);
});
