/**
 * A URL parser compares each letter of a host with those before (RFC 3492), and other parsers of the packages have such a time for other
 * texts. A stranger with a few such requests a second could stop the process.
 */

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { connect } from 'node:net';
import { test } from 'node:test';
import type { InjectOptions } from 'fastify';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { addPasskey } from '../capabilities/second-factor/add-passkey.ts';
import { createAuthenticator, type Tricks } from '../capabilities/second-factor/authenticator.ts';
import { ann, password, startJanua } from '../janua.ts';
import { form, json } from '../web/faces.ts';
import { costOf } from './cost-of.ts';

/** Node's own, by a path that gives no warning of its age. */
const { encode }: { encode(text: string): string } = createRequire(import.meta.url)('node:punycode');

type App = Awaited<ReturnType<typeof startJanua>>['app'];

/** How many times the cost of a plain request a crafted one may have. Those that stopped a process had thirty times and more. */
const mostTimes = 4;

async function compare(
  name: string,
  crafted: () => Promise<unknown>,
  plain: () => Promise<unknown>,
): Promise<string[]> {
  const each = async (send: () => Promise<unknown>) => (await costOf(send, 10, 4)) / 10;
  // A plain request may cost less than a tick of the clock.
  const [cost, usual] = [await each(crafted), Math.max(1, await each(plain))];
  return cost < mostTimes * usual ? [] : [`${name}: ${cost.toFixed(1)} ms in place of ${usual.toFixed(1)} ms`];
}

const findExcess = (app: App, name: string, crafted: () => InjectOptions, plain: () => InjectOptions) =>
  compare(
    name,
    () => app.inject(crafted()),
    () => app.inject(plain()),
  );

const letters = (count: number) =>
  Array.from({ length: count }, (_, index) => String.fromCodePoint(0x4e00 + index)).join('');

const plainHost = 'a.example';

/** A letter, and a label in ASCII that stands for marks in another order than the canonical one: to sort them takes quadratic time. */
const marks = (count: number) =>
  `%C3%A9.xn--${encode(`b${['\u0301', '\u0316', '\u0334'].map((mark) => mark.repeat(count / 3)).join('')}`)}`;

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test('no long host in a request is parsed', async () => {
  await using janua = await startJanua({
    settings: {
      ...{ SIGN_UP: 'on', HANDLES: 'users', PUBLIC_URL: 'http://localhost:5000' },
      ...{ CLIENT_ID_METADATA: ['app.example'], FORWARD_AUTH_ORIGINS: ['https://app.localhost'] },
    },
  });
  const { app, services } = janua;
  const settings = { ...defaultSettings, name: 'Device', redirectUris: [], isPublic: true, device: true };
  const { client } = await services.clientAdministration.addClient(settings);
  const login = await janua.post('/api/login', { username: ann.username, password });
  const cookie = `session=${login.cookies.find(({ name }) => name === 'session')?.value}`;
  const post = (url: string, sent: ReturnType<typeof json | typeof form>): InjectOptions => ({
    method: 'POST',
    url,
    ...sent,
  });
  const token = (fields: Record<string, string>, headers = {}) => {
    const sent = form({ grant_type: 'refresh_token', refresh_token: 'x', ...fields });
    return post('/oidc/token', { ...sent, headers: { ...sent.headers, ...headers } });
  };
  const requests: Readonly<Record<string, [longest: string, request: (host: string) => InjectOptions]>> = {
    'next in JSON': [letters(5_400), (host) => post('/api/language', json({ language: 'de', next: `//${host}` }))],
    'next behind a tab': [
      letters(5_400),
      (host) => post('/api/language', json({ language: 'de', next: `/\t\\${host}` })),
    ],
    'next of a form': [
      letters(2_700),
      (host) => post('/auth/token', form({ username: '', password: '', next: `//${host}` })),
    ],
    'next of a page': [letters(1_600), (host) => ({ url: `/auth/login?next=//${encodeURIComponent(host)}` })],
    'a return of forward authentication': [
      marks(15_000),
      (host) => ({ url: `/auth/forward?state=a&signature=b&to=http://${host}`, headers: { cookie } }),
    ],
    'the id of an application': [letters(5_400), (host) => token({ client_id: `https://${host}` })],
    'the issuer of an assertion': [
      letters(5_400),
      (host) =>
        token({
          client_assertion: `${part({ alg: 'ES256' })}.${part({ iss: `https://${host}`, sub: `https://${host}` })}.eA`,
          client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
        }),
    ],
    'a resource': [
      letters(5_400),
      (host) =>
        post(
          '/oidc/device-authorization',
          form({ client_id: client.id, scope: 'openid', resource: `https://${host}` }),
        ),
    ],
  };
  const found: string[] = [];
  for (const [name, [longest, request]] of Object.entries(requests))
    found.push(
      ...(await findExcess(
        app,
        name,
        () => request(longest),
        () => request(plainHost),
      )),
    );
  assert.deepEqual(found, []);
});

test('an Accept with an open quote costs the protocol no more than another one', async () => {
  await using janua = await startJanua();
  const redirectUris = ['https://wiki.example.com/callback'];
  await janua.services.clientAdministration.addClient({
    ...defaultSettings,
    name: 'Wiki',
    redirectUris,
    isPublic: true,
  });
  const sent = form({ a: 'b' });
  const withAccept = (accept: string) => () =>
    ({ method: 'POST', url: '/oidc/token', ...sent, headers: { ...sent.headers, accept } }) as const;
  assert.deepEqual(await findExcess(janua.app, 'Accept', withAccept(`"${','.repeat(15_500)}`), withAccept('*/*')), []);
});

test('a deep list in place of a client id costs no more than elsewhere in an assertion', async () => {
  await using janua = await startJanua({
    settings: { PUBLIC_URL: 'http://localhost:5000', CLIENT_ID_METADATA: ['app.example'] },
  });
  const deep = JSON.parse(`[${Array.from({ length: 10 }, () => '['.repeat(2000) + ']'.repeat(2000)).join(',')}]`);
  const withClaims = (claims: object) => () =>
    ({
      ...{ method: 'POST', url: '/oidc/token' },
      ...form({
        grant_type: 'client_credentials',
        client_assertion: `${part({ alg: 'ES256' })}.${part(claims)}.eA`,
        client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      }),
    }) as const;
  const plain = withClaims({ sub: 'a', other: deep });
  assert.deepEqual(await findExcess(janua.app, 'sub', withClaims({ sub: deep }), plain), []);
});

test('a passkey with thousands of extensions costs no more than one with a wrong signature', async () => {
  await using janua = await startJanua();
  const { app, services } = janua;
  const account = await janua.account();
  const authenticator = createAuthenticator();
  await addPasskey(services, account, authenticator);
  const begun = await janua.post('/api/passkey/options');
  const cookie = `ceremony=${begun.cookies.find(({ name }) => name === 'ceremony')?.value}`;
  const wrong = { signature: () => Buffer.from('x') };
  const logIn = (change: Tricks['change']) => () => {
    const sent = json({ credential: authenticator.get(begun.json(), { change: { ...wrong, ...change } }) });
    return { method: 'POST', url: '/api/passkey', ...sent, headers: { ...sent.headers, cookie } } as const;
  };
  // An array of 12,000 empty texts as the extensions (RFC 8949, WebAuthn Level 3, 6.1).
  const extensions = Buffer.concat([Buffer.from([0x99, 0x2e, 0xe0]), Buffer.alloc(12_000, 0x60)]);
  const withExtensions = (data: Buffer) => {
    const flagged = Buffer.from(data);
    flagged.writeUInt8(flagged.readUInt8(32) | 0x80, 32);
    return Buffer.concat([flagged, extensions]);
  };
  assert.deepEqual(await findExcess(app, 'its use', logIn({ authenticatorData: withExtensions }), logIn({})), []);
});

test('no long host in the target of a request is parsed', async () => {
  await using janua = await startJanua();
  const { port } = new URL(await janua.app.listen({ port: 0, host: '127.0.0.1' }));
  async function send(host: string): Promise<void> {
    const socket = connect(Number(port), '127.0.0.1');
    socket.write(`GET http://${host}/health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    for await (const _ of socket);
  }
  assert.deepEqual(
    await compare(
      'the target',
      () => send(marks(15_000)),
      () => send(plainHost),
    ),
    [],
  );
});
