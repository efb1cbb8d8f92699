import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSubjects } from '../../../src/capabilities/oidc/subjects.ts';
import { ann, startJanua } from '../../janua.ts';
import { logIn } from '../../web/faces.ts';
import { createAuthenticator } from '../second-factor/authenticator.ts';

test('a user who exports again and again has to wait, in a page and in JSON, whatever the session', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on' } });
  const [first, second] = [await logIn(janua.app), await logIn(janua.app)];
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
  let time = Date.now();
  await using janua = await startJanua({ overrides: { now: () => time } });
  const { app, services } = janua;
  const exported = async () =>
    (await app.inject({ url: '/api/account/export', headers: (await logIn(app)).bearer })).json();
  const before = await exported();
  assert.deepEqual([before.account.last_login_at, 'sub' in before], [new Date(time).toISOString(), false]);
  time += 1000;
  const { user } = (await services.users.findByUsername(ann.username)) ?? assert.fail();
  const subject = await createSubjects(services.opened).subjectOf(user);
  const after = await exported();
  assert.deepEqual([after.account.last_login_at, after.sub], [new Date(time).toISOString(), subject]);
});

test('the export names the passkeys of a user, and has of these and of the events only what is for the user', async () => {
  await using janua = await startJanua();
  const { users, factors, hold, sessions } = janua.services;
  const account = (await users.findByUsername(ann.username)) ?? assert.fail();
  const owner = { userId: account.user.id, stamp: account.stamp ?? '' };
  const binding = { purpose: 'enrol:1', cookie: 'a' };
  const sent = createAuthenticator({}).create(await factors.passkeys.creationOptions(account.user, binding));
  const made = (await factors.passkeys.verifyNew(sent, binding)) ?? assert.fail();
  await hold(owner, (held) => factors.passkeys.add(held, made));
  const { cookie } = await sessions.start(owner, { methods: ['pwd', 'hwk', 'mfa'] });
  const headers = { cookie: `session=${cookie}` };
  const answer = await janua.app.inject({ url: '/api/account/export', headers });
  const { second_factors, events } = answer.json();
  const [passkey, ...others] = second_factors.passkeys;
  assert.deepEqual([Object.keys(passkey), others], [['name', 'created_at', 'last_used_at'], []]);
  const told = ['id', 'at', 'kind', 'reason', 'route', 'session_id', 'address', 'user_agent'];
  for (const event of events) assert.deepEqual(Object.keys(event), told);
  assert.ok(events.length > 0);
});
