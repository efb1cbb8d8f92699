import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { parsePasskeyApp } from '../../../src/ground/text/passkey-apps.ts';
import { ann, startJanua } from '../../janua.ts';
import { asJson } from '../../web/faces.ts';
import { addPasskey } from './add-passkey.ts';
import { createAuthenticator } from './authenticator.ts';

const certificate = randomBytes(32);
const fingerprint = (certificate.toString('hex').toUpperCase().match(/../g) ?? []).join(':');
const origin = `android:apk-key-hash:${certificate.toString('base64url')}`;
const PASSKEY_APPS = ['A1B2C3D4E5.com.example.app', `com.example.app=${fingerprint}`];

/** Signs Ann in as an application of Android does, which has the certificate. @returns the status of the answer */
async function logInFromApp(apps: readonly string[], from: string): Promise<number> {
  await using janua = await startJanua({ settings: { PASSKEY_APPS: apps } });
  const account = (await janua.services.users.adoptByUsername(ann.username)) ?? assert.fail();
  const authenticator = createAuthenticator();
  await addPasskey(janua.services, account, authenticator);
  const begun = await janua.post('/api/passkey/options', undefined, asJson);
  const ceremony = begun.cookies.find(({ name }) => name === 'ceremony');
  const credential = authenticator.get(begun.json(), { origin: from });
  const headers = { ...asJson, cookie: `ceremony=${ceremony?.value}` };
  const { statusCode, body } = await janua.post('/api/passkey', { credential }, headers);
  if (statusCode === 200) assert.match(JSON.parse(body).access_token, /^janua_/);
  return statusCode;
}

test('an application of Android signs in with a passkey, if its certificate is named', async () => {
  const other = `android:apk-key-hash:${randomBytes(32).toString('base64url')}`;
  assert.equal(await logInFromApp(PASSKEY_APPS, origin), 200);
  for (const [apps, from] of [
    [PASSKEY_APPS, other],
    [PASSKEY_APPS, `${origin}=`],
    [PASSKEY_APPS.slice(0, 1), origin],
    [[], origin],
  ] as const)
    assert.notEqual(await logInFromApp(apps, from), 200, from);
});

test('the files by which iOS and Android recognize the applications name them alone', async () => {
  await using janua = await startJanua({ settings: { PASSKEY_APPS } });
  const read = async (name: string) => {
    const answer = await janua.get(`/.well-known/${name}`, { origin: 'https://provider.example' });
    assert.match(String(answer.headers['content-type']), /^application\/json/);
    return answer.json();
  };
  assert.deepEqual(await read('apple-app-site-association'), { webcredentials: { apps: [PASSKEY_APPS[0]] } });
  assert.deepEqual(await read('assetlinks.json'), [
    {
      relation: ['delegate_permission/common.handle_all_urls', 'delegate_permission/common.get_login_creds'],
      target: { namespace: 'android_app', package_name: 'com.example.app', sha256_cert_fingerprints: [fingerprint] },
    },
  ]);
});

test('an entry that names no application is refused', () => {
  for (const text of [
    ...['', 'com.example.app', 'a1b2c3d4e5.com.example.app', 'A1B2C3D4E5', 'A1B2C3D4E5.com..app', '*.com.example'],
    ...[`com.example.app=${fingerprint.slice(3)}`, `app=${fingerprint}`, `com.example.app=${fingerprint}:AB`],
    ...[`com.example.app=${certificate.toString('hex')}`, `com.example.app=${fingerprint}\n`],
  ])
    assert.equal(parsePasskeyApp(text), undefined, text);
});
