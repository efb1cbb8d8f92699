import assert from 'node:assert/strict';
import { createHmac, createPublicKey, generateKeyPairSync, randomUUID, sign, type webcrypto } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import type { NewClient } from '../../../src/capabilities/oidc/clients/clients.ts';
import { events as providerEvents } from '../../../src/capabilities/oidc/events.ts';
import { type Signature, signatures } from '../../../src/capabilities/oidc/keys/signing-keys.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import type { Row } from '../../../src/ground/database/schema.ts';
import { events } from '../../../src/site.ts';
import { ann, password } from '../../janua.ts';
import {
  type Application,
  createApplication,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
  rowsOf,
} from './application.ts';
import { type Browser, hiddenFields, type Place } from './browser.ts';
import { startDocumentServer } from './document-server.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const back = 'https://app.example.com/bye?from=janua';

type Sent = Readonly<Record<string, string>>;
type Tokens = Awaited<ReturnType<Application['signIn']>>;

const address = (sent: Sent) => `/oidc/logout?${new URLSearchParams(sent)}`;

/** Presses the button of the page that asks. */
async function confirm(browser: Browser, page: Place): Promise<Place> {
  const [, form] = page.text.split('action="/oidc/logout/confirm"');
  assert.ok(form, page.text);
  return browser.submit('/oidc/logout/confirm', hiddenFields(form));
}

const isSignedIn = async (browser: Browser) => (await browser.open('/api/me')).status === 200;

async function open(settings: Partial<NewClient> = {}) {
  const app = await server.addApplication({ postLogoutRedirectUris: [back], ...settings });
  const browser = await server.browser();
  const { id_token: hint = '' } = await app.signIn(browser);
  return { app, browser, hint };
}

/** Another user, with a browser in which they are signed in. */
async function addBob() {
  const username = `bob-${randomUUID()}@example.com`;
  await server.janua.people.add({ username, password, firstName: 'Bob', lastName: 'Baker' });
  const browser = await server.browser(false);
  await browser.logIn(username, password);
  return { username, browser };
}

const changed = (token: string) => `${token.slice(0, -6)}AAAAAA`;

const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');

type PublicKey = webcrypto.JsonWebKey & { readonly kid: string };

const readKeys = async ({ origin }: Pick<ProviderUnderTest, 'origin'>) =>
  ((await (await fetch(`${origin}/oidc/jwks`)).json()) as { readonly keys: readonly PublicKey[] }).keys;

/** ID tokens that say what a hint says, and name a key of the server that has not signed them. */
function forge(hint: string, keys: readonly PublicKey[]): readonly [what: string, token: string][] {
  const [, body = '', signature = ''] = hint.split('.');
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = own.publicKey.export({ format: 'jwk' });
  return keys.flatMap((key) => {
    const { kid } = key;
    const named = (header: { readonly alg: string }, signing: (text: string) => string): [string, string] => {
      const text = `${encode({ kid, ...header })}.${body}`;
      return [`${header.alg} with the ${key.kty} key`, `${text}.${signing(text)}`];
    };
    const pem = createPublicKey({ key, format: 'jwk' }).export({ format: 'pem', type: 'spki' });
    const ownSigner = { key: own.privateKey, dsaEncoding: 'ieee-p1363' } as const;
    return [
      ...['none', 'None'].map((alg) => named({ alg }, () => '')),
      ...[pem, JSON.stringify(key)].map((secret) =>
        named({ alg: 'HS256' }, (text) => createHmac('sha256', secret).update(text).digest('base64url')),
      ),
      ...[...signatures, 'PS256', 'ES384']
        .map((alg) => named({ alg }, () => signature))
        .filter(([, one]) => one !== hint),
      ...signatures.flatMap((alg) => [
        named({ alg }, () => ''),
        named({ alg }, () => Buffer.alloc(64).toString('base64url')),
        named({ alg, ...{ jwk } }, (text) => sign('sha256', Buffer.from(text), ownSigner).toString('base64url')),
      ]),
    ];
  });
}

const setAlgorithm = ({ janua }: ProviderUnderTest, { clientId }: Application, idTokenAlg: Signature) =>
  janua.services.clientAdministration.changeClient(clientId, { idTokenAlg });

const loggedOut = '/auth/login?state=0';

interface Case {
  readonly name: string;
  readonly settings?: Partial<NewClient>;
  readonly sent: (hint: string, app: Application) => Sent | Promise<Sent>;
  /** Where the browser comes at last. */
  readonly to: string;
  readonly asks: boolean;
  /** The reason in the audit, if the page says that it leads nowhere. */
  readonly reason?: string;
}

/** OpenID's plan for logouts that an application begins, without the one that reads the metadata. */
const cases: readonly Case[] = [
  {
    name: 'with everything',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: back, state: 'a&b' }),
    ...{ to: `${back}&state=a%26b`, asks: false },
  },
  {
    name: 'without a state',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: back }),
    ...{ to: back, asks: false },
  },
  {
    name: 'with an ID token signed by ES256',
    settings: { idTokenAlg: 'ES256' },
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: back }),
    ...{ to: back, asks: false },
  },
  ...[['RS256', 'ES256'] as const, ['ES256', 'RS256'] as const].map(
    ([former, later]): Case => ({
      name: `with an ID token signed by ${former}, of a client that was changed to ${later}`,
      settings: { idTokenAlg: former },
      async sent(hint, app) {
        await setAlgorithm(server, app, later);
        return { id_token_hint: hint, post_logout_redirect_uri: back };
      },
      ...{ to: back, asks: false },
    }),
  ),
  { name: 'without an address', sent: (hint) => ({ id_token_hint: hint, state: 'a' }), to: loggedOut, asks: false },
  { name: 'with a state alone', sent: () => ({ state: 'a' }), to: loggedOut, asks: true },
  { name: 'with nothing', sent: () => ({}), to: loggedOut, asks: true },
  {
    name: 'with client_id in place of the ID token',
    sent: (_hint, { clientId }) => ({ client_id: clientId, post_logout_redirect_uri: back }),
    ...{ to: back, asks: true },
  },
  {
    name: 'with an address alone',
    sent: () => ({ post_logout_redirect_uri: back }),
    ...{ to: loggedOut, asks: true, reason: 'logout-address' },
  },
  {
    name: 'with a text for an ID token',
    sent: () => ({ id_token_hint: 'no-token', post_logout_redirect_uri: back }),
    ...{ to: loggedOut, asks: true, reason: 'logout-hint' },
  },
  {
    name: 'with a changed signature',
    sent: (hint) => ({ id_token_hint: changed(hint), post_logout_redirect_uri: back }),
    ...{ to: loggedOut, asks: true, reason: 'logout-hint' },
  },
  {
    name: 'with an address that is not registered',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: 'https://evil.example.com/bye' }),
    ...{ to: loggedOut, asks: true, reason: 'logout-address' },
  },
  {
    name: 'with a query added to the address',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: `${back}&more=1` }),
    ...{ to: loggedOut, asks: true, reason: 'logout-address' },
  },
  {
    name: 'with the id of another application',
    sent: async (hint) => ({
      ...{ id_token_hint: hint, post_logout_redirect_uri: back },
      client_id: (await server.addApplication({ postLogoutRedirectUris: [back] })).clientId,
    }),
    ...{ to: loggedOut, asks: true, reason: 'logout-hint' },
  },
  {
    name: 'with the id of no application',
    sent: () => ({ client_id: 'another', post_logout_redirect_uri: back }),
    ...{ to: loggedOut, asks: true, reason: 'unknown-client' },
  },
  {
    name: 'with an ID token of another session of the user',
    sent: async (_hint, app) => ({
      ...{ id_token_hint: (await app.signIn(await server.browser())).id_token ?? '', post_logout_redirect_uri: back },
    }),
    ...{ to: back, asks: true },
  },
  {
    name: 'with an ID token of a session that has ended',
    async sent(_hint, app) {
      const other = await server.browser();
      const { id_token = '' } = await app.signIn(other);
      await other.submit('/auth/logout', {});
      return { id_token_hint: id_token, post_logout_redirect_uri: back };
    },
    ...{ to: back, asks: true },
  },
  {
    name: 'with an ID token of a client that was removed',
    async sent() {
      const app = await server.addApplication({ postLogoutRedirectUris: [back] });
      const { id_token = '' } = await app.signIn(await server.browser());
      await server.janua.services.clientAdministration.removeClient(app.clientId);
      return { id_token_hint: id_token, post_logout_redirect_uri: back };
    },
    ...{ to: loggedOut, asks: true, reason: 'logout-hint' },
  },
  {
    name: 'with an ID token of a user who was removed',
    async sent(_hint, app) {
      const gone = await addBob();
      const { id_token = '' } = await app.signIn(gone.browser);
      await server.janua.people.remove(gone.username);
      return { id_token_hint: id_token, post_logout_redirect_uri: back };
    },
    ...{ to: back, asks: true },
  },
];

/** What `janua explain` says of the request whose id a page shows. */
async function explainShown({ text }: Pick<Place, 'text'>): Promise<string> {
  const id = /<code>([\w-]+)<\/code>/.exec(text)?.[1] ?? '';
  const found = await server.janua.services.auditTrail.findByRequestId(id);
  return found.map((event) => JSON.stringify('kind' in event ? explain(event, events) : event)).join('\n');
}

describe('a logout that an application begins', () => {
  for (const { name, settings, sent, to, asks, reason } of cases) {
    test(`${name} ends the session ${asks ? 'once the user has said so' : 'without a question'}`, async () => {
      const { app, browser, hint } = await open(settings);
      const asked = await sent(hint, app);
      let place = await browser.open(address(asked));
      if (asks) {
        assert.deepEqual([place.isElsewhere, place.status], [false, reason === undefined ? 200 : 400], place.text);
        assert.ok(place.text.includes(ann.username), 'the page names the account');
        assert.equal(place.text.includes('cannot lead you back'), reason !== undefined);
        assert.ok(await isSignedIn(browser));
        const { text } = place;
        place = await confirm(browser, place);
        if (reason !== undefined) {
          const explained = await explainShown({ text });
          const { words } = providerEvents['application-refused'].reasons[reason as 'logout-hint'];
          assert.ok(explained.includes(words), explained);
          if (reason === 'logout-address') assert.ok(explained.includes(asked.post_logout_redirect_uri ?? '?'));
          assert.ok(!explained.includes(hint));
        }
      }
      assert.equal(place.url.href, new URL(to, server.origin).href);
      assert.ok(!(await isSignedIn(browser)));
      assert.ok(!browser.cookies.has('session'));
    });
  }

  test('is asked about by a page that has one way to log out, which leads back', async () => {
    const { app, browser } = await open();
    const page = await browser.open(address({ client_id: app.clientId, post_logout_redirect_uri: back }));
    const forms = [...page.text.matchAll(/<form [^>]*action="([^"]*)"/g)].map(([, action]) => action);
    assert.deepEqual(forms, ['/oidc/logout/confirm', '/auth/language']);
    assert.equal((await confirm(browser, page)).url.href, back);
  });

  test('is a button where no script runs', async () => {
    const { browser, hint } = await open();
    browser.hasScript = false;
    const page = await browser.open(address({ id_token_hint: hint, post_logout_redirect_uri: back }));
    assert.match(page.text, /<button type="submit">Continue</);
    assert.ok(await isSignedIn(browser));
    assert.equal((await confirm(browser, page)).url.href, back);
    assert.ok(!(await isSignedIn(browser)));
  });

  test('asks a user who has logged in since the page went on by itself', async () => {
    const { browser, hint } = await open();
    browser.hasScript = false;
    const page = await browser.open(address({ id_token_hint: hint, post_logout_redirect_uri: back }));
    // In another tab.
    const other = await addBob();
    await browser.submit('/auth/logout', {});
    await browser.logIn(other.username, password);
    const place = await confirm(browser, page);
    assert.deepEqual([place.isElsewhere, place.status], [false, 200]);
    assert.ok(place.text.includes(other.username));
    assert.ok(await isSignedIn(browser));
  });

  test('goes on in a second tab, which finds the session ended', async () => {
    const { browser, hint } = await open();
    browser.hasScript = false;
    const sent = address({ id_token_hint: hint, post_logout_redirect_uri: back });
    const pages = [await browser.open(sent), await browser.open(sent)] as const;
    for (const page of pages) assert.equal((await confirm(browser, page)).url.href, back);
    assert.equal((await browser.open(sent)).url.href, back);
  });

  test('says so if there is nothing to end and no way back', async () => {
    const { hint } = await open();
    const stranger = await server.browser(false);
    const page = await stranger.open(
      address({ id_token_hint: hint, post_logout_redirect_uri: 'https://evil.example.com/bye' }),
    );
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
    assert.match(page.text, /You are logged out/);
    assert.match(await explainShown(page), /evil\.example\.com/);
  });

  test('of an application that described itself asks', async () => {
    await using documents = await startDocumentServer();
    await using own = await openProvider({
      settings: { CLIENT_ID_METADATA: [documents.host], OIDC_PRIVATE_HOSTS: ['localhost'] },
    });
    const clientId = documents.publish('/client.json', { redirect_uris: ['https://app.example.com/callback'] });
    const app = await createApplication({
      ...{ origin: own.origin, clientId, secret: undefined, authentication: openid.None() },
      redirectUris: ['https://app.example.com/callback'],
    });
    const browser = await own.browser();
    const begun = await app.begin();
    const asked = await browser.open(begun.address);
    const tokens = await app.finish(begun, requireAnswer(await browser.submit(asked.url, { decision: 'allow' })));
    const { id_token: hint = '' } = tokens;
    assert.ok(tokens.claims()?.sid);
    const page = await browser.open(address({ id_token_hint: hint }));
    assert.ok(page.text.includes(documents.host), 'the page names its host');
    assert.ok(await isSignedIn(browser));
    assert.equal((await fetch(own.origin + address({ id_token_hint: hint }))).status, 400);
    assert.ok(await isSignedIn(browser));
  });

  test('accepts an ID token that has expired', async (t) => {
    const { browser, hint } = await open();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    const sent = address({ id_token_hint: hint, post_logout_redirect_uri: back });
    assert.equal((await (await server.browser(false)).open(sent)).url.href, back);
    assert.ok(await isSignedIn(browser));
    assert.equal((await browser.open(sent)).url.href, back);
    assert.ok(!(await isSignedIn(browser)));
  });

  test('accepts an ID token whose key was retired, as long as a session can last', async () => {
    await using own = await openProvider({
      stores: { users: 'SQLite', sessions: 'SQL', ownTable: true },
      settings: { REMEMBER_LIFETIME_SECONDS: 40 * 86_400 },
    });
    const [app, other] = [
      await own.addApplication({ postLogoutRedirectUris: [back] }),
      await own.addApplication({ postLogoutRedirectUris: [back] }),
    ];
    const remembered = await own.browser(false);
    await remembered.submit('/auth/token', { username: ann.username, password, remember: 'on' });
    const { id_token: hint = '' } = await app.signIn(remembered);
    const fast = await own.addApplication({ postLogoutRedirectUris: [back], idTokenAlg: 'ES256' });
    const { id_token: fastHint = '' } = await fast.signIn(remembered);
    assert.equal((await readToken(own, fastHint)).alg, 'ES256');
    const retired = await readKeys(own);
    const hour = 3_600_000;
    /** Lets time pass, until which the server looks for its keys twice. */
    const pass = async (milliseconds: number) => {
      for (const part of [milliseconds - hour, hour]) {
        own.janua.pass(part);
        await fetch(`${own.origin}/oidc/jwks`);
        await own.janua.services.clean();
      }
    };
    /** What is stored of each key that was retired. */
    const keptMembers = async () => {
      const rows = (await rowsOf(own, 'janua_oidc_records')) as Row<'janua_oidc_records'>[];
      const keys = rows.flatMap(({ payload }) => JSON.parse(payload).key ?? []);
      return keys.map((key) => Object.keys(key).sort()).sort();
    };
    const stranger = await own.browser(false);
    const leave = async (sent: Sent) => {
      const { url, status } = await stranger.open(address({ post_logout_redirect_uri: back, ...sent }));
      return url.href === back ? 'back' : status;
    };
    await own.janua.services.rotateSigningKeys();
    await pass(25 * hour);
    const keys = await readKeys(own);
    assert.ok(
      keys.length === 2 && keys.every(({ kid }) => retired.every((key) => key.kid !== kid)),
      'none is published',
    );
    for (const [token, signer, later] of [
      [hint, app, 'ES256'],
      [fastHint, fast, 'RS256'],
    ] as const) {
      assert.equal(
        (await fetch(own.origin + address({ id_token_hint: token }))).status,
        400,
        'no program ends a session by it',
      );
      const page = await remembered.open(address({ id_token_hint: token, post_logout_redirect_uri: back }));
      assert.ok(page.text.includes(ann.username), 'the page asks');
      assert.ok(await isSignedIn(remembered));

      assert.equal(await leave({ id_token_hint: token }), 'back');
      assert.equal(await leave({ id_token_hint: token, client_id: other.clientId }), 400);
      assert.equal(await leave({ id_token_hint: changed(token) }), 400);
      for (const [what, forged] of forge(token, retired))
        assert.equal(await leave({ id_token_hint: forged }), 400, what);
      const [head, , signature] = token.split('.');
      const forOther = { iss: own.origin, aud: other.clientId, sub: 'x' };
      assert.equal(await leave({ id_token_hint: `${head}.${encode(forOther)}.${signature}` }), 400);
      await setAlgorithm(own, signer, later);
      assert.equal(await leave({ id_token_hint: token }), 'back', `it counts for a client that now has ${later}`);
    }
    assert.deepEqual(await keptMembers(), [
      ['crv', 'kty', 'x', 'y'],
      ['e', 'kty', 'n'],
    ]);
    const silent = await app.begin({ prompt: 'none', id_token_hint: hint });
    const answer = requireAnswer(await (await own.browser()).open(silent.address));
    assert.ok(answer.searchParams.get('code'), answer.href);

    const foreign = await other.begin({ prompt: 'none', id_token_hint: hint });
    const refused = requireAnswer(await (await own.browser()).open(foreign.address));
    assert.equal(refused.searchParams.get('error'), 'invalid_request');

    await pass(38 * 24 * hour);
    for (const token of [hint, fastHint]) assert.equal(await leave({ id_token_hint: token }), 'back');
    await pass(3 * 24 * hour);
    for (const token of [hint, fastHint]) assert.equal(await leave({ id_token_hint: token }), 400);
    assert.deepEqual(await keptMembers(), [], 'both are removed');
  });

  test('by a form of another site needs the ID token of this very session, which gets into no address', async () => {
    const { browser, hint } = await open();
    const [other, sent] = [await open(), { post_logout_redirect_uri: back }];
    for (const forged of [{}, { id_token_hint: changed(hint) }, { id_token_hint: other.hint }]) {
      const page = await browser.submitFromElsewhere('/oidc/logout', { ...sent, ...forged });
      assert.ok(page.text.includes(ann.username));
      assert.ok(await isSignedIn(browser));
    }
    for (const fields of [sent, { ...sent, asked: 'yes' }, { ...sent, id_token_hint: hint }])
      assert.equal((await browser.submitFromElsewhere('/oidc/logout/confirm', fields)).status, 403);
    assert.ok(await isSignedIn(browser));
    browser.hasScript = false;
    const page = await browser.submitFromElsewhere('/oidc/logout', { ...sent, id_token_hint: hint });
    assert.equal(page.url.search, '');
    assert.match(page.text, /<form method="post" action="\/oidc\/logout" data-submit>/);
    // A field of that name would hide the method of the form that our script calls.
    const odd = await browser.submitFromElsewhere('/oidc/logout', { ...sent, requestSubmit: 'x', elements: 'x' });
    assert.deepEqual(Object.keys(hiddenFields(odd.text)), ['post_logout_redirect_uri', 'next']);
    browser.hasScript = true;
    const done = await browser.submitFromElsewhere('/oidc/logout', { ...sent, id_token_hint: hint });
    assert.equal(done.url.href, back);
    assert.ok(!(await isSignedIn(browser)));
    assert.ok(await isSignedIn(other.browser), 'the session of another browser goes on');
  });
});

describe('a program', () => {
  const get = (sent: Sent, init?: RequestInit) => fetch(server.origin + address(sent), { redirect: 'manual', ...init });

  for (const [method, send] of [
    ['GET', get],
    ['POST', (sent: Sent) => post(server, '/oidc/logout', sent)],
  ] as const)
    test(`ends the session of its ID token by ${method}, and no other`, async () => {
      const [{ hint, browser }, other] = [await open(), await open()];
      const sent = { id_token_hint: hint, post_logout_redirect_uri: back };
      // A second time there is nothing to end.
      for (let time = 0; time < 2; time += 1) {
        const answer = await send(sent);
        assert.deepEqual([answer.status, answer.headers.get('location')], [303, back]);
        assert.deepEqual(answer.headers.getSetCookie(), []);
        assert.deepEqual([await isSignedIn(browser), await isSignedIn(other.browser)], [false, true]);
        const recorded = await server.janua.services.auditTrail.findByRequestId(
          answer.headers.get('x-request-id') ?? '',
        );
        assert.deepEqual(
          recorded.map((event) => 'kind' in event && event.kind),
          time === 0 ? ['logged-out'] : [],
        );
      }
    });

  test('ends a remembered session', async () => {
    const app = await server.addApplication({ postLogoutRedirectUris: [back] });
    const browser = await server.browser(false);
    await browser.submit('/auth/token', { username: ann.username, password, remember: 'on' });
    const { id_token: hint = '' } = await app.signIn(browser);
    assert.equal((await get({ id_token_hint: hint })).status, 303);
    assert.equal(await isSignedIn(browser), false);
  });

  for (const idTokenAlg of signatures)
    test(`ends no session with a forged ID token, whatever algorithm and key it names, of a client with ${idTokenAlg}`, async () => {
      const { hint, browser } = await open({ idTokenAlg });
      for (const [what, forged] of forge(hint, await readKeys(server)))
        assert.equal((await get({ id_token_hint: forged })).status, 400, what);
      assert.ok(await isSignedIn(browser));
      assert.equal((await get({ id_token_hint: hint })).status, 303);
      assert.ok(!(await isSignedIn(browser)));
    });

  const harmless: Readonly<Record<string, readonly [number, (hint: string) => Promise<Response>]>> = {
    'an ID token that was changed': [400, (hint) => get({ id_token_hint: changed(hint) })],
    HEAD: [303, (hint) => get({ id_token_hint: hint }, { method: 'HEAD' })],
    'a request ahead of its user': [303, (hint) => get({ id_token_hint: hint }, { headers: { purpose: 'prefetch' } })],
    'a script of another site': [
      303,
      (hint) => get({ id_token_hint: hint }, { headers: { 'sec-fetch-site': 'cross-site' } }),
    ],
    'a script of another site in an old browser': [
      303,
      (hint) => get({ id_token_hint: hint }, { headers: { origin: 'https://evil.example.com' } }),
    ],
    'a form of another site in an old browser': [
      200,
      (hint) => post(server, '/oidc/logout', { id_token_hint: hint }, { origin: 'https://evil.example.com' }),
    ],
    'a cookie of anything': [303, (hint) => get({ id_token_hint: hint }, { headers: { cookie: 'a=b' } })],
    'no ID token': [303, () => get({})],
  };
  for (const [name, [status, send]] of Object.entries(harmless))
    test(`ends no session with ${name}`, async () => {
      const { hint, browser } = await open();
      assert.equal((await send(hint)).status, status);
      assert.ok(await isSignedIn(browser));
    });

  test('ends the session though it may not lead back, and is told', async () => {
    const { hint, browser } = await open();
    const sent = { id_token_hint: hint, post_logout_redirect_uri: 'https://evil.example.com/' };
    assert.equal((await get(sent)).status, 400);
    assert.ok(!(await isSignedIn(browser)));
  });
});

test('every ID token names its session, and a device none of a browser', async () => {
  const { app, browser } = await open();
  const first = await app.signIn(browser);
  const refreshed = await openid.refreshTokenGrant(app.config, first.refresh_token ?? '');
  assert.ok(first.claims()?.sid);
  assert.equal(refreshed.claims()?.sid, first.claims()?.sid);
  assert.notEqual((await app.signIn(await server.browser())).claims()?.sid, first.claims()?.sid);
  const television = await server.addApplication({ own: false, isPublic: true, device: true, redirectUris: [] });
  const device = await openid.initiateDeviceAuthorization(television.config, { scope: 'openid' });
  await browser.submit('/oidc/device', { user_code: device.user_code, decision: 'allow' });
  const tokens = await openid.pollDeviceAuthorizationGrant(television.config, { ...device, interval: 0 });
  assert.ok(tokens.claims()?.sid);
  await fetch(server.origin + address({ id_token_hint: tokens.id_token ?? '' }));
  assert.ok(await isSignedIn(browser));
});

/** An application that is told about logouts. */
async function startApplication() {
  const received: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const application = createServer(async (request, response) => {
    const body = new URLSearchParams(Buffer.concat(await request.toArray()).toString());
    received.push(body.get('logout_token') ?? '');
    response.writeHead(200).end();
    arrived.resolve();
    arrived = Promise.withResolvers();
  });
  application.listen(0, '127.0.0.1');
  await once(application, 'listening');
  return {
    url: `http://localhost:${(application.address() as AddressInfo).port}/backchannel`,
    async receive(count: number): Promise<readonly string[]> {
      while (received.length < count) await arrived.promise;
      return received;
    },
    async [Symbol.asyncDispose]() {
      application.closeAllConnections();
      application.close();
      await once(application, 'close');
    },
  };
}

describe('an application with a back-channel', () => {
  let own: ProviderUnderTest;
  before(async () => {
    own = await openProvider({ settings: { OIDC_PRIVATE_HOSTS: ['localhost'] } });
  });
  after(() => own[Symbol.asyncDispose]());

  const endings: Readonly<Record<string, (browser: Browser, tokens: Tokens) => Promise<unknown>>> = {
    'a logout here': (browser) => browser.submit('/auth/logout', {}),
    'a logout that an application begins': async (browser) => confirm(browser, await browser.open('/oidc/logout')),
    'a logout that a program begins by an ID token': (_browser, { id_token = '' }) =>
      fetch(own.origin + address({ id_token_hint: id_token })),
    'an account that is disabled': () => own.janua.people.disable('ann@example.com'),
  };

  for (const [name, end] of Object.entries(endings)) {
    test(`is told about ${name}`, async () => {
      await using application = await startApplication();
      const [wiki, fast, other] = [
        await own.addApplication({ backchannelLogoutUri: application.url }),
        await own.addApplication({ backchannelLogoutUri: application.url, idTokenAlg: 'ES256' }),
        await own.addApplication(),
      ];
      const browser = await own.browser();
      const [tokens, fastTokens] = [await wiki.signIn(browser), await fast.signIn(browser)];
      await other.signIn(browser);
      await end(browser, tokens);
      const read = await Promise.all((await application.receive(2)).map((token) => readToken(own, token)));
      for (const [{ clientId }, known, expected] of [
        [wiki, tokens.claims(), 'RS256'],
        [fast, fastTokens.claims(), 'ES256'],
      ] as const) {
        const { claims, typ, alg } = read.find((token) => token.claims.aud === clientId) ?? assert.fail(clientId);
        assert.deepEqual([typ, alg], ['logout+jwt', expected]);
        assert.equal(claims.iss, own.origin);
        assert.equal(claims.sub, known?.sub);
        assert.equal(claims.sid, known?.sid);
        assert.deepEqual(claims.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
        assert.ok(claims.jti && claims.iat);
        assert.ok(claims.exp - claims.iat <= 120);
        assert.ok(!('nonce' in claims));
      }
      const { address: silent } = await wiki.begin({ prompt: 'none' });
      assert.equal(requireAnswer(await browser.open(silent)).searchParams.get('error'), 'login_required');
    });
  }
});
