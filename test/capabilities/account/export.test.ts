import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSubjects } from '../../../src/capabilities/oidc/subjects.ts';
import { startJanua } from '../../janua.ts';
import { addPasskey } from '../second-factor/add-passkey.ts';
import { createAuthenticator } from '../second-factor/authenticator.ts';

test('a user who exports again and again has to wait, in a page and in JSON, whatever the session', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on' } });
  const [first, second] = [await janua.logIn(), await janua.logIn()];
  const ask = (url: string, { cookie } = second, method: 'GET' | 'HEAD' = 'GET') =>
    janua.app.inject({ method, url, headers: cookie });
  // It reads nothing, and so is no export.
  for (let count = 0; count < 5; count += 1)
    assert.equal((await ask('/api/account/export', first, 'HEAD')).statusCode, 200);
  for (let count = 0; count < 3; count += 1) assert.equal((await ask('/api/account/export', first)).statusCode, 200);
  const refused = await ask('/api/account/export');
  assert.deepEqual([refused.statusCode, refused.headers['retry-after']], [429, '60']);
  assert.equal(refused.json().error, 'temporarily_unavailable');
  const page = await ask('/account/export');
  assert.equal(page.statusCode, 429);
  assert.match(page.body, /Too many exports/);
});

test('an export has the last login, and what applications know the user by once one has asked', async () => {
  await using janua = await startJanua({ time: Date.now() });
  const { services } = janua;
  const exported = async () => (await janua.get('/api/account/export', (await janua.logIn()).bearer)).json();
  const before = await exported();
  assert.deepEqual([before.account.last_login_at, 'sub' in before], [new Date(janua.now()).toISOString(), false]);
  janua.pass(1000);
  const { user } = await janua.account();
  const subject = await createSubjects(services.opened).subjectOf(user);
  const after = await exported();
  assert.deepEqual([after.account.last_login_at, after.sub], [new Date(janua.now()).toISOString(), subject]);
});

test('the export names the passkeys of a user, and has of these and of the events only what is for the user', async () => {
  await using janua = await startJanua();
  const account = await janua.account();
  const owner = { userId: account.user.id, stamp: account.stamp ?? '' };
  await addPasskey(janua.services, account, createAuthenticator());
  const { cookie } = await janua.services.sessions.start(owner, { methods: ['pwd', 'hwk', 'mfa'] });
  const headers = { cookie: `session=${cookie}` };
  const answer = await janua.get('/api/account/export', headers);
  const { second_factors, events } = answer.json();
  const [passkey, ...others] = second_factors.passkeys;
  assert.deepEqual([Object.keys(passkey), others], [['name', 'created_at', 'last_used_at'], []]);
  const told = ['id', 'at', 'kind', 'reason', 'route', 'session_id', 'address', 'user_agent'];
  for (const event of events) assert.deepEqual(Object.keys(event), told);
  assert.ok(events.length > 0);
});
