import assert from 'node:assert/strict';
import { test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, startJanua } from '../../janua.ts';
import { json, logIn } from '../../web/faces.ts';
import { codeOf } from './authenticator-app.ts';

test('SECOND_FACTOR=off leaves out every route, link and demand of second factors', async () => {
  await using janua = await startJanua({ settings: { SECOND_FACTOR: 'off', PUBLIC_URL: 'https://auth.example.com' } });
  const { app, services } = janua;
  const account = await services.users.findByUsername(ann.username);
  assert.ok(account);
  const { totp } = services.factors;
  const { secret } = await totp.begin(account.user, ann.username);
  const code = codeOf(secret, Date.now());
  assert.ok(await services.hold(provedBy(account), (held) => totp.enable(held, code)));

  const { paths } = (await app.inject('/openapi.json')).json<{ paths: object }>();
  assert.deepEqual(
    Object.keys(paths).filter((path) => /security|factor|passkey|confirm\//.test(path)),
    [],
  );
  const { cookie } = await logIn(app);
  for (const path of ['/account/security', '/auth/second-factor', '/auth/enrol-factor'])
    for (const url of [path, path.replace(/^(\/auth)?/, '/api')])
      assert.equal((await app.inject({ url, headers: cookie })).statusCode, 404, url);
  for (const path of ['passkey', 'second-factor', 'account/security/totp/begin', 'account/security/passkeys'])
    assert.equal((await app.inject({ method: 'POST', url: `/api/${path}`, ...json({}) })).statusCode, 404, path);
  for (const url of ['/account', '/auth/confirm', '/auth/home', '/auth/login'])
    assert.doesNotMatch((await app.inject({ url, headers: cookie })).body, /security|second factor|passkey/i, url);
});
