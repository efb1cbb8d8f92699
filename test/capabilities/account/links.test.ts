import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashSecret } from '../../../src/core/sessions/credential.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { form, json, logIn } from '../../web/faces.ts';

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
