import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret } from '../../../src/core/sessions/credential.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { form, json, logIn } from '../../web/faces.ts';
import { signInAs } from '../admin/administrator.ts';

test('only the mailed token opens a link: not an address, the id of the user, or the hash that is stored', async () => {
  await using janua = await startJanua({ settings: { SIGN_UP: 'on' } });
  const { app, services } = janua;
  const { bearer } = await logIn(app);
  const read = () => services.users.findByUsername(ann.username);
  const before = (await read()) ?? assert.fail();
  const fields = { password: 'a few words with spaces', first_name: 'A', last_name: 'B' };
  for (const [asked, path, email] of [
    ['/api/forgot-password', '/reset-password', ann.username],
    ['/api/account/email', '/confirm-email', 'moved@example.com'],
    ['/api/sign-up', '/sign-up/finish', 'new@example.com'],
  ] as const) {
    const sent = json({ email, current_password: password });
    await app.inject({ method: 'POST', url: asked, ...sent, headers: { ...sent.headers, ...bearer } });
    await services.mail?.settled();
    const links = (await services.outbox.listKept(9)).map(({ link }) => String(link));
    const token = links.find((link) => link.includes(`${path}?token=`))?.split('=')[1] ?? assert.fail(path);
    for (const secret of [email, ann.username, ann.username.toUpperCase(), before.user.id, hashSecret(token)]) {
      for (const [url, body] of [
        [`/auth${path}`, form({ ...fields, token: secret })],
        [`/api${path}`, json({ ...fields, token: secret })],
      ] as const) {
        const refused = await app.inject({ method: 'POST', url, ...body });
        assert.equal(refused.statusCode, 410, `${url} ${secret} ${refused.body}`);
        assert.equal((await app.inject(`${url}?${new URLSearchParams({ token: secret })}`)).statusCode, 410, url);
      }
    }
    assert.equal((await app.inject(`/api${path}?token=${token}`)).statusCode, 200, path);
    // With `no-referrer`, a browser would send `Origin: null` with the form.
    const page = await app.inject(`/auth${path}?token=${token}`);
    assert.deepEqual([page.statusCode, page.headers['referrer-policy']], [200, 'strict-origin'], path);
  }
  assert.deepEqual(await read(), before);
});

const [minute, day] = [60_000, 86_400_000];

for (const [what, path, milliseconds, ask] of [
  ['for a new password', '/reset-password', 30 * minute, ['/api/forgot-password', { email: ann.username }]],
  ['of a sign-up', '/sign-up/finish', day, ['/api/sign-up', { email: 'new@example.com' }]],
  ['to a new address', '/confirm-email', day, ['/api/account/email', { email: 'moved@example.com' }]],
  ['of an invitation', '/sign-up/finish', 7 * day, ['/api/admin/users', { email: 'eve@example.com', invite: true }]],
] as const)
  test(`a link ${what} works for ${milliseconds / minute} minutes`, async () => {
    let time = Date.now();
    await using janua = await startJanua({ settings: { SIGN_UP: 'on' }, overrides: { now: () => time } });
    const { app, services } = janua;
    const headers = path === '/confirm-email' ? (await logIn(app)).bearer : await signInAs(janua, [admins]);
    const [url, fields] = ask;
    const sent = json(fields);
    await app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } });
    await services.mail?.settled();
    const links = (await services.outbox.listKept(9)).map(({ link }) => String(link));
    const token = links.find((link) => link.includes(`${path}?token=`))?.split('=')[1] ?? assert.fail(path);
    for (const [later, status] of [
      [milliseconds - 1000, 200],
      [1000, 410],
    ] as const) {
      time += later;
      assert.equal((await app.inject(`/api${path}?token=${token}`)).statusCode, status);
    }
  });
