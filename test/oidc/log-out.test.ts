import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, test } from 'node:test';
import {
  type Application,
  openProvider,
  type ProviderUnderTest,
  readToken,
  requireAnswer,
  rowsOf,
} from './application.ts';
import type { Browser, Place } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const back = 'https://app.example.com/bye?from=janua';

type Sent = Readonly<Record<string, string>>;

const address = (sent: Sent) => `/oidc/logout?${new URLSearchParams(sent)}`;

/** Sends the form of the page that asks. */
async function confirm(browser: Browser, page: Place): Promise<Place> {
  assert.equal(page.status, 200, page.text);
  const fields = [...page.text.matchAll(/<input type="hidden" name="(\w+)" value="([^"]*)"/g)];
  const decode = (text: string) => text.replaceAll('&amp;', '&');
  return browser.submit(
    '/oidc/logout/confirm',
    Object.fromEntries(fields.map(([, name = '', value = '']) => [name, decode(value)])),
  );
}

const isSignedIn = async (browser: Browser) => (await browser.open('/api/me')).status === 200;

async function open() {
  const [app, browser] = [await server.addApplication({ postLogoutRedirectUris: [back] }), await server.browser()];
  const { id_token: hint = '' } = await app.signIn(browser);
  return { app, browser, hint };
}

interface Case {
  readonly name: string;
  readonly sent: (hint: string, app: Application) => Sent;
  /** Where the browser comes, if the request is right. */
  readonly to?: string;
  readonly isRefused?: boolean;
}

const changed = (token: string) => `${token.slice(0, -6)}AAAAAA`;

/** OpenID's plan for logouts that an application begins, without the one that reads the metadata. */
const cases: readonly Case[] = [
  {
    name: 'with everything',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: back, state: 'a&b' }),
    to: `${back}&state=a%26b`,
  },
  { name: 'without a state', sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: back }), to: back },
  { name: 'without an address', sent: (hint) => ({ id_token_hint: hint, state: 'a' }), to: '/auth/login?state=0' },
  { name: 'with a state alone', sent: () => ({ state: 'a' }), to: '/auth/login?state=0' },
  { name: 'with nothing', sent: () => ({}), to: '/auth/login?state=0' },
  {
    name: 'with client_id in place of the ID token',
    sent: (_hint, { clientId }) => ({ client_id: clientId, post_logout_redirect_uri: back }),
    to: back,
  },
  { name: 'with an address alone', sent: () => ({ post_logout_redirect_uri: back }), to: '/auth/login?state=0' },
  {
    name: 'with a text for an ID token',
    sent: () => ({ id_token_hint: 'no-token', post_logout_redirect_uri: back }),
    isRefused: true,
  },
  {
    name: 'with a changed signature',
    sent: (hint) => ({ id_token_hint: changed(hint), post_logout_redirect_uri: back }),
    isRefused: true,
  },
  {
    name: 'with an address that is not registered',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: 'https://evil.example.com/bye' }),
    isRefused: true,
  },
  {
    name: 'with a query added to the address',
    sent: (hint) => ({ id_token_hint: hint, post_logout_redirect_uri: `${back}&more=1` }),
    isRefused: true,
  },
  {
    name: 'with the id of another application',
    sent: (hint) => ({ id_token_hint: hint, client_id: 'another', post_logout_redirect_uri: back }),
    isRefused: true,
  },
];

describe('a logout that an application begins', () => {
  for (const { name, sent, to, isRefused } of cases) {
    // Shows: VM-76
    test(`${name} ${isRefused ? 'is refused' : 'asks first, and then ends the session'}`, async () => {
      const { app, browser, hint } = await open();
      const page = await browser.open(address(sent(hint, app)));
      if (isRefused) assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
      assert.ok(await isSignedIn(browser));
      if (to === undefined) return;
      const place = await confirm(browser, page);
      assert.equal(place.url.href, new URL(to, server.origin).href);
      assert.ok(!(await isSignedIn(browser)));
    });
  }

  test('accepts an ID token that has expired, and one of a session that has ended', async (t) => {
    const { browser, hint } = await open();
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 2 * 3_600_000 });
    const stranger = await server.browser(false);
    const sent = address({ id_token_hint: hint, post_logout_redirect_uri: back });
    assert.equal((await stranger.open(sent)).url.href, back);
    assert.match((await browser.open(sent)).text, /Wiki/);
  });

  // Shows: VM-76
  test('accepts an ID token whose key was retired, as long as a session can last', async () => {
    await using own = await openProvider({
      stores: { users: 'SQLite', sessions: 'SQL', ownTable: true },
      settings: { REMEMBER_LIFETIME_SECONDS: 40 * 86_400 },
    });
    const [app, other] = [
      await own.addApplication({ postLogoutRedirectUris: [back] }),
      await own.addApplication({ postLogoutRedirectUris: [back] }),
    ];
    const { id_token: hint = '' } = await app.signIn(await own.browser());
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

  // Shows: V10.6.2
  test('by a form of another site leads to the page that asks', async () => {
    const { browser, hint } = await open();
    const sent = { id_token_hint: hint, post_logout_redirect_uri: back };
    const page = await browser.submitFromElsewhere('/oidc/logout', sent);
    assert.match(page.text, /Wiki/);
    assert.ok(await isSignedIn(browser));
    assert.equal((await browser.submitFromElsewhere('/oidc/logout/confirm', sent)).status, 403);
    assert.ok(await isSignedIn(browser));
  });
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
  const endings: Readonly<Record<string, (own: ProviderUnderTest, browser: Browser) => Promise<unknown>>> = {
    'a logout here': (_own, browser) => browser.submit('/auth/logout', {}),
    'a logout that an application begins': async (_own, browser) =>
      confirm(browser, await browser.open('/oidc/logout')),
    'an account that is disabled': (own) => own.janua.people.disable('ann@example.com'),
  };
  for (const [name, end] of Object.entries(endings)) {
    test(`is told about ${name}`, async () => {
      await using application = await startApplication();
      await using own = await openProvider({ settings: { OIDC_PRIVATE_HOSTS: ['localhost'] } });
      const [wiki, other] = [
        await own.addApplication({ backchannelLogoutUri: application.url }),
        await own.addApplication(),
      ];
      const browser = await own.browser();
      const tokens = await wiki.signIn(browser);
      await other.signIn(browser);
      await end(own, browser);
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
