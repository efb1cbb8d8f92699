import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret } from '../../../src/core/sessions/credential.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { signInAs } from '../admin/administrator.ts';

test('only the mailed token opens a link: not an address, the id of the user, or the hash that is stored', async () => {
  await using janua = await startJanua({ settings: { SIGN_UP: 'on' } });
  const { bearer } = await janua.logIn();
  const before = await janua.account();
  const fields = { password: 'a few words with spaces', first_name: 'A', last_name: 'B' };
  for (const [asked, path, email] of [
    ['/api/forgot-password', '/reset-password', ann.username],
    ['/api/account/email', '/confirm-email', 'moved@example.com'],
    ['/api/sign-up', '/sign-up/finish', 'new@example.com'],
  ] as const) {
    await janua.post(asked, { email, current_password: password }, bearer);
    const token = await janua.tokenTo(email);
    for (const secret of [email, ann.username, ann.username.toUpperCase(), before.user.id, hashSecret(token)]) {
      for (const url of [`/auth${path}`, `/api${path}`]) {
        const refused = await janua.post(url, { ...fields, token: secret });
        assert.equal(refused.statusCode, 410, `${url} ${secret} ${refused.body}`);
        assert.equal((await janua.get(`${url}?${new URLSearchParams({ token: secret })}`)).statusCode, 410, url);
      }
    }
    assert.equal((await janua.get(`/api${path}?token=${token}`)).statusCode, 200, path);
    // With `no-referrer`, a browser would send `Origin: null` with the form.
    const page = await janua.get(`/auth${path}?token=${token}`);
    assert.deepEqual([page.statusCode, page.headers['referrer-policy']], [200, 'strict-origin'], path);
  }
  assert.deepEqual(await janua.account(), before);
});

const [minute, day] = [60_000, 86_400_000];

for (const [what, path, milliseconds, ask] of [
  ['for a new password', '/reset-password', 30 * minute, ['/api/forgot-password', { email: ann.username }]],
  ['of a sign-up', '/sign-up/finish', day, ['/api/sign-up', { email: 'new@example.com' }]],
  ['to a new address', '/confirm-email', day, ['/api/account/email', { email: 'moved@example.com' }]],
  ['of an invitation', '/sign-up/finish', 7 * day, ['/api/admin/users', { email: 'eve@example.com', invite: true }]],
] as const)
  test(`a link ${what} works for ${milliseconds / minute} minutes`, async () => {
    await using janua = await startJanua({ settings: { SIGN_UP: 'on' }, time: Date.now() });
    const headers = path === '/confirm-email' ? (await janua.logIn()).bearer : await signInAs(janua, [admins]);
    const [url, fields] = ask;
    await janua.post(url, fields, headers);
    const token = await janua.tokenTo(fields.email);
    for (const [later, status] of [
      [milliseconds - 1000, 200],
      [1000, 410],
    ] as const) {
      janua.pass(later);
      assert.equal((await janua.get(`/api${path}?token=${token}`)).statusCode, status);
    }
  });
