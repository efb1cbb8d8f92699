import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSubjects } from '../../../src/capabilities/oidc/subjects.ts';
import { ann, startJanua } from '../../janua.ts';
import { logIn } from '../../web/faces.ts';

test('a user who exports again and again has to wait, in a page and in JSON, whatever the session', async () => {
  await using janua = await startJanua({ settings: { THROTTLE: 'on' } });
  const [first, second] = [await logIn(janua.app), await logIn(janua.app)];
  const ask = (url: string, { cookie } = second) => janua.app.inject({ url, headers: cookie });
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
