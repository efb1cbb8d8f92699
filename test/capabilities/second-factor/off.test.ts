import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';
import { addApp } from './authenticator-app.ts';

test('SECOND_FACTOR=off leaves out every route, link and demand of second factors', async () => {
  await using janua = await startJanua({ settings: { SECOND_FACTOR: 'off', PUBLIC_URL: 'https://auth.example.com' } });
  await addApp(janua, await janua.account());

  const { paths } = (await janua.get('/openapi.json')).json<{ paths: object }>();
  assert.deepEqual(
    Object.keys(paths).filter((path) => /security|factor|passkey|confirm\//.test(path)),
    [],
  );
  const { cookie } = await janua.logIn();
  for (const path of ['/account/security', '/auth/second-factor', '/auth/enrol-factor'])
    for (const url of [path, path.replace(/^(\/auth)?/, '/api')])
      assert.equal((await janua.get(url, cookie)).statusCode, 404, url);
  for (const path of ['passkey', 'second-factor', 'account/security/totp/begin', 'account/security/passkeys'])
    assert.equal((await janua.post(`/api/${path}`, {})).statusCode, 404, path);
  for (const url of ['/account', '/auth/confirm', '/auth/home', '/auth/login'])
    assert.doesNotMatch((await janua.get(url, cookie)).body, /security|second factor|passkey/i, url);
});
