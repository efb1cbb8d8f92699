import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openProvider } from '../capabilities/oidc/application.ts';
import { addPasskey } from '../capabilities/second-factor/add-passkey.ts';
import { createAuthenticator } from '../capabilities/second-factor/authenticator.ts';
import { startJanua, type TestJanua } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import { openMigratedDatabase } from '../stores.ts';
import { asJson } from '../web/faces.ts';
import { createWorkplace } from './janua-command.ts';

const headerOf = (token = ''): { kid: string } =>
  JSON.parse(Buffer.from(token.split('.')[0] ?? '', 'base64url').toString());

interface Stores {
  readonly DATABASE_URL: string;
  readonly ENCRYPTION_KEY_FILE: string;
}

async function makeOwn(settings: Stores) {
  await using janua = await startJanua({ settings, isFilled: true });
  const session = await janua.logIn();
  const made = await janua.post('/api/account/tokens', { name: 'report', expires_in_days: 30 }, session.bearer);
  const authenticator = createAuthenticator();
  await addPasskey(janua.services, await janua.account(), authenticator);
  const { id } = (await janua.get('/api/me', session.bearer)).json();
  return { session, personal: { authorization: `Bearer ${made.json().token}` }, authenticator, id };
}

async function signInToApplication(settings: Stores) {
  await using provider = await openProvider({ settings });
  const { clientId: id, secret = '', ...application } = await provider.addApplication();
  const browser = await provider.browser();
  const tokens = await application.signIn(browser, { scope: 'openid' });
  const [subject, { kid }] = [tokens.claims()?.sub, headerOf(tokens.id_token)];
  return { id, secret, subject, kid, refreshToken: tokens.refresh_token ?? '' };
}

/** Makes a credential of each kind. The application is first, because a password alone signs nobody in who has a passkey. */
async function makeCredentials(settings: Stores) {
  const application = await signInToApplication(settings);
  return { ...(await makeOwn(settings)), application };
}

type Credentials = Awaited<ReturnType<typeof makeCredentials>>;

/** Uses each credential once. @returns the next refresh token, because each one works once */
async function useCredentials(janua: TestJanua, made: Credentials): Promise<string> {
  for (const headers of [made.session.cookie, made.session.bearer, made.personal]) {
    const me = await janua.get('/api/me', { ...asJson, ...headers });
    assert.deepEqual([me.statusCode, me.json().id], [200, made.id], me.body);
  }
  const options = await janua.post('/auth/passkey/options', undefined, asJson);
  const cookie = `ceremony=${options.cookies.find(({ name }) => name === 'ceremony')?.value}`;
  const passkey = await janua.post('/api/passkey', { credential: made.authenticator.get(options.json()) }, { cookie });
  assert.equal(passkey.statusCode, 200, passkey.body);
  const { id, secret, refreshToken, subject, kid } = made.application;
  const refreshed = await janua.post(
    '/oidc/token',
    { grant_type: 'refresh_token', refresh_token: refreshToken },
    { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
  );
  assert.equal(refreshed.statusCode, 200, refreshed.body);
  const [, claims = ''] = refreshed.json().id_token.split('.');
  assert.equal(JSON.parse(Buffer.from(claims, 'base64url').toString()).sub, subject);
  // The signing key is encrypted in the database.
  assert.equal(headerOf(refreshed.json().id_token).kid, kid);
  return refreshed.json().refresh_token;
}

for (const engine of ['PostgreSQL', 'MariaDB'] as const)
  test(`cookies, tokens, passkeys and applications go on in ${engine}, and back in SQLite`, {
    skip: missing(engine),
  }, async () => {
    await using workplace = await createWorkplace();
    const key = join(workplace.folder, 'key');
    await using closing = new AsyncDisposableStack();
    const places: string[] = [];
    for (const place of ['SQLite', engine, 'SQLite'] as const) {
      const { url, drop } = await openMigratedDatabase(place);
      closing.defer(drop);
      places.push(url);
    }
    const settingsOf = (url = '') => ({ DATABASE_URL: url, ENCRYPTION_KEY_FILE: key });
    let made = await makeCredentials(settingsOf(places[0]));
    for (const [index, to] of places.slice(1).entries()) {
      const { code, stderr } = await workplace.run(['move', '--to', to], { env: settingsOf(places[index]) });
      assert.deepEqual([code, stderr], [0, '']);
      await using janua = await startJanua({ settings: settingsOf(to), isFilled: true });
      const refreshToken = await useCredentials(janua, made);
      made = { ...made, application: { ...made.application, refreshToken } };
    }
  });
