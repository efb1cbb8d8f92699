import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import type { NewClient } from '../../../src/capabilities/oidc/clients.ts';
import { events as providerEvents } from '../../../src/capabilities/oidc/events.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
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

const loggedOut = '/auth/login?state=0';

interface Case {
  readonly name: string;
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
  for (const { name, sent, to, asks, reason } of cases) {
    test(`${name} ends the session ${asks ? 'once the user has said so' : 'without a question'}`, async () => {
      const { app, browser, hint } = await open();
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
    const { kid } = await readToken(own, hint);
    const hour = 3_600_000;
    /** Lets time pass, until which the server looks for its keys twice. */
    const pass = async (milliseconds: number) => {
      for (const part of [milliseconds - hour, hour]) {
        own.clock.time += part;
        await fetch(`${own.origin}/oidc/jwks`);
        await own.janua.services.clean();
      }
    };
    const stranger = await own.browser(false);
    const leave = async (sent: Sent) => {
      const { url, status } = await stranger.open(address({ post_logout_redirect_uri: back, ...sent }));
      return url.href === back ? 'back' : status;
    };
    await own.janua.services.rotateSigningKeys();
    await pass(25 * hour);
    assert.equal(
      (await fetch(own.origin + address({ id_token_hint: hint }))).status,
      400,
      'no program ends a session by it',
    );
    const page = await remembered.open(address({ id_token_hint: hint, post_logout_redirect_uri: back }));
    assert.ok(page.text.includes(ann.username), 'the page asks');
    assert.ok(await isSignedIn(remembered));
    const { keys } = (await (await fetch(`${own.origin}/oidc/jwks`)).json()) as { keys: { kid: string }[] };
    assert.ok(keys.length === 2 && keys.every((key) => key.kid !== kid), 'it is not published');

    assert.equal(await leave({ id_token_hint: hint }), 'back');
    assert.equal(await leave({ id_token_hint: hint, client_id: other.clientId }), 400);
    assert.equal(await leave({ id_token_hint: changed(hint) }), 400);
    const [head, body, signature] = hint.split('.');
    const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    assert.equal(await leave({ id_token_hint: `${encode({ alg: 'none', kid })}.${body}.` }), 400);
    const forOther = { iss: own.origin, aud: other.clientId, sub: 'x' };
    assert.equal(await leave({ id_token_hint: `${head}.${encode(forOther)}.${signature}` }), 400);
    const silent = await app.begin({ prompt: 'none', id_token_hint: hint });
    const answer = requireAnswer(await (await own.browser()).open(silent.address));
    assert.ok(answer.searchParams.get('code'), answer.href);

    const foreign = await other.begin({ prompt: 'none', id_token_hint: hint });
    const refused = requireAnswer(await (await own.browser()).open(foreign.address));
    assert.equal(refused.searchParams.get('error'), 'invalid_request');

    await pass(38 * 24 * hour);
    assert.equal(await leave({ id_token_hint: hint }), 'back');
    await pass(3 * 24 * hour);
    assert.equal(await leave({ id_token_hint: hint }), 400);
    assert.ok(!JSON.stringify(await rowsOf(own, 'janua_oidc_records')).includes('"kty"'), 'it is removed');
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
      }
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
      const [wiki, other] = [
        await own.addApplication({ backchannelLogoutUri: application.url }),
        await own.addApplication(),
      ];
      const browser = await own.browser();
      const tokens = await wiki.signIn(browser);
      await other.signIn(browser);
      await end(browser, tokens);
      const [token = ''] = await application.receive(1);
      const { claims, typ } = await readToken(own, token);
      assert.equal(typ, 'logout+jwt');
      assert.equal(claims.iss, own.origin);
      assert.equal(claims.aud, wiki.clientId);
      assert.equal(claims.sub, tokens.claims()?.sub);
      assert.equal(claims.sid, tokens.claims()?.sid);
      assert.deepEqual(claims.events, { 'http://schemas.openid.net/event/backchannel-logout': {} });
      assert.ok(claims.jti && claims.iat);
      assert.ok(claims.exp - claims.iat <= 120);
      assert.ok(!('nonce' in claims));
      const { address: silent } = await wiki.begin({ prompt: 'none' });
      assert.equal(requireAnswer(await browser.open(silent)).searchParams.get('error'), 'login_required');
    });
  }
});
