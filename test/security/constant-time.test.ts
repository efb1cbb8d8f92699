import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { test } from 'node:test';
import { parseStoredPassword } from '../../src/core/passwords/schemes/stored-password.ts';
import { hashSecret } from '../../src/core/sessions/credential.ts';
import { appOrigin, createForwardBrowser, forwardSettings, own } from '../capabilities/forward-auth/forward-browser.ts';
import { ann, password, startJanua } from '../janua.ts';

/** The texts that were compared in constant time. Later imports from `node:crypto` get the wrapped function. */
const compared = new Set<string>();
const { timingSafeEqual } = crypto;
crypto.timingSafeEqual = (one, other) => {
  for (const side of [one, other] as Buffer[]) compared.add(side.toString());
  return timingSafeEqual(one, other);
};
syncBuiltinESMExports();

const secretOf = (credential: string) => hashSecret(credential.split('.').at(-1) ?? '');

test('every presented credential is compared in constant time', async () => {
  await using janua = await startJanua({ settings: forwardSettings });
  const login = { username: ann.username, password };
  const { cookies } = await janua.post('/api/login', login);
  const known = cookies.find(({ name }) => name === '__Host-browser')?.value ?? '';
  const headers = { cookie: `__Host-browser=${known}` };
  const { access_token: accessToken } = (await janua.post('/api/login', login, headers)).json();
  await janua.get('/api/me', { authorization: `Bearer ${accessToken}` });

  const browser = createForwardBrowser(janua);
  await browser.logIn('');
  const way = String((await browser.ask(`${appOrigin}/x`)).headers.location);
  const address = String((await browser.ask(way)).headers.location);
  await browser.ask(address);
  await browser.ask(`${appOrigin}/x`);
  const cookieAt = (origin: string, name: string) => browser.sites.get(origin)?.jar[name] ?? '';

  const [, made = '', signature = ''] = known.split('.');
  for (const [what, text] of Object.entries({
    'access token': secretOf(accessToken),
    'session cookie': secretOf(cookieAt(own, '__Host-session')),
    'mark of a browser cookie': made,
    'signature of a browser cookie': signature,
    'signature of a way': new URL(way).searchParams.get('signature') ?? '',
    ticket: new URL(address).searchParams.get('janua-ticket') ?? '',
    "host's credential": cookieAt(appOrigin, '__Host-janua'),
  })) {
    assert.ok(text.length >= 22, what);
    assert.ok(compared.has(text), what);
  }
});

test('every password hash that Janua itself compares is compared in constant time', () => {
  for (const stored of ['scrypt:1024:8:1$salt$', 'pbkdf2:sha256:1000$salt$']) {
    const key = Buffer.alloc(stored.startsWith('s') ? 64 : 32, 'k');
    const parsed = parseStoredPassword(stored + key.toString('hex'));
    assert.ok(parsed.state !== 'broken', stored);
    assert.equal(parsed.matches(Buffer.from('x')), false);
    assert.ok(compared.has(key.toString()), stored);
  }
});
