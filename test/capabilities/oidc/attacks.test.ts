import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { request as sendRequest } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { ann, password } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { startProxy } from '../../servers/proxy.ts';
import { createDatabase } from '../../servers/shared.ts';
import {
  type Application,
  type Begun,
  basic,
  codeFields,
  introspect,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
} from './application.ts';
import type { Browser } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
  await server.janua.people.add({ username: 'mallory@example.com', firstName: 'Mal', lastName: 'Lory', password });
});
after(() => server[Symbol.asyncDispose]());

type Sent = Readonly<Record<string, string>>;

async function malloryBrowser(): Promise<Browser> {
  const browser = await server.browser(false);
  await browser.logIn('mallory@example.com', password);
  return browser;
}

/** A sign-in that has come to its answer. */
async function answered(app: Application, browser: Browser, parameters: Readonly<Record<string, string>> = {}) {
  const begun = await app.begin(parameters);
  return { begun, answer: requireAnswer(await browser.open(begun.address)) };
}

async function redeem(app: Application, begun: Begun, answer: URL, changes: Readonly<Record<string, string>> = {}) {
  const [headers, id] = app.secret === undefined ? [{}, { client_id: app.clientId }] : [basic(app), {}];
  const sent = await post(server, '/oidc/token', { ...codeFields(begun, answer), ...id, ...changes }, headers);
  return (await sent.json()) as { error?: string; access_token?: string; id_token?: string };
}

/** A token with another head or body. */
function forge(token: string, head: object, body: object, sign: (text: string) => string): string {
  const [oldHead = '', oldBody = ''] = token.split('.');
  const decode = (part: string) => JSON.parse(Buffer.from(part, 'base64url').toString());
  const encode = (part: object) => Buffer.from(JSON.stringify(part)).toString('base64url');
  const text = `${encode({ ...decode(oldHead), ...head })}.${encode({ ...decode(oldBody), ...body })}`;
  return `${text}.${sign(text)}`;
}

describe('a redirect address', () => {
  const near = [
    'https://app.example.com:8443/callback',
    'https://app.example.com:443/callback',
    'http://app.example.com/callback',
    'https://app.example.com/Callback',
    'https://APP.example.com/callback',
    'https://app.example.com/callback/',
    'https://app.example.com/callback/../evil',
    'https://app.example.com/callback%2f..%2fevil',
    'https://app.example.com/callback?next=https://evil.example.com',
    'https://app.example.com/callback#fragment',
    'https://app.example.com/callback#',
    'https://user@app.example.com/callback',
    'https://app.example.com@evil.example.com/callback',
    'https://app.example.com.evil.example.com/callback',
    'https://evil.example.com/callback?https://app.example.com/callback',
    'https://app.example.com\\@evil.example.com/callback',
    '//app.example.com/callback',
    'javascript:alert(1)',
    'data:text/html,x',
    '',
  ];

  test('is compared as a whole: nothing that only looks alike gets an answer', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    for (const redirect_uri of near) {
      const { address } = await app.begin({ redirect_uri });
      const page = await browser.open(address);
      assert.deepEqual([page.isElsewhere, page.status], [false, 400], redirect_uri);
      assert.ok(!page.text.includes('evil.example.com') || !page.text.includes('href="https://evil'));
    }
  });

  test('is no open redirect: an error goes nowhere without a known client and address', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const evil = 'https://evil.example.com/';
    for (const changes of [
      { client_id: 'unknown', redirect_uri: evil },
      { redirect_uri: evil, prompt: 'none', max_age: '-1' },
      { redirect_uri: evil, response_type: 'token' },
      { redirect_uri: evil, scope: '' },
      { redirect_uri: evil, request: 'x' },
    ]) {
      const { address } = await app.begin(changes);
      const page = await browser.open(address);
      assert.deepEqual([page.isElsewhere, page.status], [false, 400], JSON.stringify(changes));
    }
  });

  test('given twice gets no answer', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { address } = await app.begin();
    address.searchParams.append('redirect_uri', 'https://evil.example.com/');
    const page = await browser.open(address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
  });

  test('of a loopback address may have any port, and nothing else that differs', async () => {
    const app = await server.addApplication({
      own: false,
      isPublic: true,
      redirectUris: ['http://127.0.0.1/callback'],
    });
    const browser = await server.browser();
    const good = await browser.open((await app.begin({ redirect_uri: 'http://127.0.0.1:50123/callback' })).address);
    assert.match(good.url.pathname, /^\/oidc\/interaction\//);
    for (const redirect_uri of [
      'http://127.0.0.1:50123/other',
      'http://localhost:50123/callback',
      'https://127.0.0.1:50123/callback',
      'http://127.0.0.2:50123/callback',
      'http://127.0.0.1.evil.example.com/callback',
    ]) {
      const page = await browser.open((await app.begin({ redirect_uri })).address);
      assert.deepEqual([page.isElsewhere, page.status], [false, 400], redirect_uri);
    }
  });
});

describe('a code', () => {
  test('is worth nothing to another client, at another address or with another verifier', async () => {
    const [app, other, browser] = [
      await server.addApplication(),
      await server.addApplication(),
      await server.browser(),
    ];
    const attempts: ((begun: Begun, answer: URL) => ReturnType<typeof redeem>)[] = [
      (begun, answer) => redeem(other, begun, answer),
      (begun, answer) => redeem(app, begun, answer, { redirect_uri: 'https://app.example.com/other' }),
      (begun, answer) => redeem(app, begun, answer, { code_verifier: openid.randomPKCECodeVerifier() }),
      (begun, answer) =>
        redeem(app, begun, answer, { code_verifier: begun.address.searchParams.get('code_challenge') ?? '' }),
      async (begun, answer) => {
        const fields = { ...codeFields(begun, answer), client_id: other.clientId, client_secret: other.secret ?? '' };
        return (await (await post(server, '/oidc/token', fields)).json()) as { error?: string };
      },
    ];
    for (const attempt of attempts) {
      const { begun, answer } = await answered(app, browser);
      assert.equal((await attempt(begun, answer)).error, 'invalid_grant');
    }
  });

  test('that is injected into another sign-in does not fit its challenge, nonce and state', async () => {
    const app = await server.addApplication();
    const ofAttacker = await answered(app, await malloryBrowser());
    const ofVictim = await answered(app, await server.browser());
    const injected = new URL(ofVictim.answer);
    injected.searchParams.set('code', ofAttacker.answer.searchParams.get('code') ?? '');
    await assert.rejects(app.finish(ofVictim.begun, injected), { error: 'invalid_grant' });
    // The whole answer of the attacker: the application sees that it did not begin it.
    await assert.rejects(app.finish(ofVictim.begun, ofAttacker.answer));
  });

  test('names the issuer beside it, so that no other provider can pass as this one (RFC 9207)', async () => {
    const app = await server.addApplication();
    const { begun, answer } = await answered(app, await server.browser());
    assert.equal(answer.searchParams.get('iss'), server.origin);
    for (const change of [
      (url: URL) => url.searchParams.set('iss', 'https://evil.example.com'),
      (url: URL) => url.searchParams.delete('iss'),
    ]) {
      const changed = new URL(answer);
      change(changed);
      await assert.rejects(app.finish(begun, changed));
    }
    assert.ok((await app.finish(begun, answer)).id_token);
  });

  test('cannot be had without a challenge or a nonce, and no verifier is taken for a missing one', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    for (const method of ['plain', 's256', 'none']) {
      const { answer } = await answered(app, browser, { code_challenge_method: method });
      assert.equal(answer.searchParams.get('error'), 'invalid_request', method);
    }
    const begun = await app.begin();
    for (const name of ['code_challenge', 'code_challenge_method', 'nonce']) begun.address.searchParams.delete(name);
    assert.equal(requireAnswer(await browser.open(begun.address)).searchParams.get('error'), 'invalid_request');
  });
});

test('a code is worth nothing after a minute', async (t) => {
  const browser = await server.browser();
  const apps = [await server.addApplication(), await server.addApplication({ isPublic: true })];
  const sent = await Promise.all(apps.map(async (app) => ({ app, ...(await answered(app, browser)) })));
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + 61_000 });
  for (const { app, begun, answer } of sent)
    assert.equal(
      (await redeem(app, begun, answer)).error,
      'invalid_grant',
      `with a secret: ${app.secret !== undefined}`,
    );
});

describe('a refresh token', () => {
  test('is worth nothing to another client, or without the proof of its own', async () => {
    const [app, other, browser] = [
      await server.addApplication(),
      await server.addApplication(),
      await server.browser(),
    ];
    const { refresh_token = '' } = await app.signIn(browser);
    const fields = { grant_type: 'refresh_token', refresh_token };
    for (const [body, headers] of [
      [fields, basic(other)],
      [{ ...fields, client_id: app.clientId }, {}],
      [{ ...fields, client_id: app.clientId, client_secret: 'wrong' }, {}],
      [fields, {}],
    ] as const) {
      const answer = await post(server, '/oidc/token', body, headers);
      assert.match(((await answer.json()) as { error: string }).error, /^invalid_(grant|client|request)$/);
    }
    assert.ok((await openid.refreshTokenGrant(app.config, refresh_token)).access_token);
  });
});

describe('a signed token', () => {
  test('is no hint without a right signature, whatever its algorithm and key', async () => {
    const [app, other, browser] = [
      await server.addApplication(),
      await server.addApplication(),
      await server.browser(),
    ];
    const { id_token: token = '' } = await app.signIn(browser);
    const { kid } = await readToken(server, token);
    const { keys } = (await (await fetch(`${server.origin}/oidc/jwks`)).json()) as { keys: object[] };
    const hmac = (key: string) => (text: string) => createHmac('sha256', key).update(text).digest('base64url');
    const signature = () => token.split('.')[2] ?? '';
    const forged = {
      'algorithm none': forge(token, { alg: 'none' }, {}, () => ''),
      'algorithm None': forge(token, { alg: 'None' }, {}, signature),
      'no algorithm': forge(token, { alg: undefined }, {}, signature),
      'the public key as a secret': forge(token, { alg: 'HS256' }, {}, hmac(JSON.stringify(keys[0]))),
      'the secret of the client': forge(token, { alg: 'HS256' }, {}, hmac(app.secret ?? '')),
      'another subject': forge(token, {}, { sub: 'another' }, signature),
      'another audience': forge(token, {}, { aud: other.clientId }, signature),
      'an unknown key': forge(token, { kid: 'unknown' }, {}, signature),
      'a path for a key': forge(token, { kid: '../../../../dev/null' }, {}, signature),
      'a statement for a key': forge(token, { kid: `${kid}' or '1'='1` }, {}, signature),
      'a key of its own': forge(token, { jwk: keys[0], jku: 'https://evil.example.com/jwks' }, { sub: 'x' }, signature),
      'half a token': token.slice(0, 100),
    };
    for (const [name, hint] of Object.entries(forged)) {
      const { answer } = await answered(app, browser, { id_token_hint: hint, prompt: 'none' });
      assert.equal(answer.searchParams.get('error'), 'invalid_request', name);
      const page = await browser.open(`/oidc/logout?${new URLSearchParams({ id_token_hint: hint })}`);
      assert.equal(page.status, 400, name);
    }
    const { answer } = await answered(other, browser, { id_token_hint: token, prompt: 'none' });
    assert.equal(answer.searchParams.get('error'), 'invalid_request', 'of another application');
  });

  test('is no access token: neither an ID token nor one of another resource opens userinfo', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser);
    for (const token of [tokens.id_token ?? '', tokens.refresh_token ?? '', 'wrong']) {
      const answer = await fetch(`${server.origin}/oidc/userinfo`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get('www-authenticate') ?? '', /invalid_token/);
    }
  });
});

describe('what an application holds', () => {
  test("opens nothing of Janua's own API", async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser);
    for (const token of [tokens.access_token, tokens.refresh_token, tokens.id_token]) {
      for (const url of [
        '/api/me',
        '/api/account/sessions',
        '/api/account/applications',
        '/api/oidc/device',
        '/admin/me',
      ]) {
        const headers = { authorization: `Bearer ${token}`, 'x-expected-format': 'application/json' };
        assert.equal((await fetch(server.origin + url, { headers })).status, 401, url);
        const cookie = { cookie: `session=${token}`, 'x-expected-format': 'application/json' };
        assert.equal((await fetch(server.origin + url, { headers: cookie })).status, 401, url);
      }
    }
  });

  test('ends with the application, and its old secret with a new one', async () => {
    const { clientAdministration } = server.janua.services;
    const [app, other] = [await server.addApplication(), await server.addApplication()];
    const browser = await server.browser();
    const tokens = await app.signIn(browser);
    await clientAdministration.rotateSecret(app.clientId);
    const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' };
    assert.equal((await post(server, '/oidc/token', fields, basic(app))).status, 401);
    await clientAdministration.removeClient(app.clientId);
    const headers = { authorization: `Bearer ${tokens.access_token}` };
    assert.equal((await fetch(`${server.origin}/oidc/userinfo`, { headers })).status, 401);
    const page = await browser.open((await app.begin()).address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
    assert.ok((await other.signIn(browser)).id_token);
  });

  test('says nothing to another application at introspection or revocation', async () => {
    const [app, other, browser] = [
      await server.addApplication(),
      await server.addApplication(),
      await server.browser(),
    ];
    const tokens = await app.signIn(browser);
    assert.deepEqual(await introspect(other, tokens.access_token), { active: false });
    assert.deepEqual(await introspect(other, tokens.refresh_token), { active: false });
    await openid.tokenRevocation(other.config, tokens.access_token).catch(() => {});
    assert.equal((await introspect(app, tokens.access_token)).active, true);
  });

  test('is of the user of the session, whatever the request says', async () => {
    const app = await server.addApplication({ own: false });
    const browser = await malloryBrowser();
    const annSubject = (await (await server.addApplication()).signIn(await server.browser())).claims()?.sub ?? '';
    const begun = await app.begin({ sub: annSubject, user_id: annSubject, username: ann.username });
    const page = await browser.open(begun.address);
    const fields = { decision: 'allow', accountId: annSubject, sub: annSubject, user: ann.username };
    const tokens = await app.finish(begun, requireAnswer(await browser.submit(page.url, fields)));
    assert.equal(tokens.claims()?.email, 'mallory@example.com');
    const claims = JSON.stringify({ id_token: { sub: { value: annSubject } } });
    const { address } = await app.begin({ claims, prompt: 'none' });
    assert.match(requireAnswer(await browser.open(address)).searchParams.get('error') ?? '', /_required$/);
  });
});

describe('a page of the provider', () => {
  async function waiting() {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const begun = await app.begin();
    const page = await browser.open(begun.address);
    assert.match(page.url.pathname, /^\/oidc\/interaction\//);
    return { app, browser, begun, page };
  }

  test('is of the browser in which the sign-in began, and of its user', async () => {
    const { app, browser, begun, page } = await waiting();
    for (const other of [await malloryBrowser(), await server.browser()]) {
      assert.equal((await other.open(page.url)).status, 400);
      assert.equal((await other.submit(page.url, { decision: 'allow' })).status, 400);
      // With the name of the cookie, and the id that stands in the address.
      const id = page.url.pathname.split('/').at(-1) ?? '';
      other.cookies.set('oidc-interaction', { value: id, path: page.url.pathname });
      assert.equal((await other.submit(page.url, { decision: 'allow' })).status, 400);
      assert.equal((await other.open(`/oidc/auth/${id}`)).status, 400);
      // With the signed cookies themselves, as a host of the same site could plant them.
      for (const [name, cookie] of browser.cookies) if (name.startsWith('oidc-')) other.cookies.set(name, cookie);
      assert.equal((await other.open(page.url)).status, 400);
      assert.equal((await other.submit(page.url, { decision: 'allow' })).status, 400);
      assert.equal((await other.open(`/oidc/auth/${id}`)).status, 400);
    }
    const answer = requireAnswer(await browser.submit(page.url, { decision: 'allow' }));
    assert.ok((await app.finish(begun, answer)).id_token);
    // It works once.
    assert.equal((await browser.submit(page.url, { decision: 'allow' })).status, 400);
  });

  test('gives nothing of one user to the next in the same browser', async () => {
    const { browser, page } = await waiting();
    await browser.logIn('mallory@example.com', password);
    const place = await browser.submit(page.url, { decision: 'allow' });
    assert.deepEqual([place.isElsewhere, place.status], [false, 400]);
  });

  test('takes no form of another site and no link, and is shown in no frame', async () => {
    const { browser, page } = await waiting();
    assert.equal(page.headers.get('x-frame-options'), 'DENY');
    assert.match(page.headers.get('content-security-policy') ?? '', /frame-ancestors 'none'/);
    assert.match(page.headers.get('content-security-policy') ?? '', /form-action 'self'/);
    assert.match(page.headers.get('cache-control') ?? '', /no-store/);
    const cookie = browser.cookieHeader(page.url.pathname);
    const device = await openDevice();
    for (const [path, fields] of [
      [page.url.pathname, { decision: 'allow' }],
      ['/oidc/device', { user_code: device.user_code, decision: 'allow' }],
    ] as const) {
      const link = `${server.origin}${path}?${new URLSearchParams(fields)}`;
      assert.equal((await fetch(link, { headers: { cookie }, redirect: 'manual' })).status, 200, link);
      for (const headers of [
        { cookie, 'sec-fetch-site': 'cross-site' },
        { cookie, 'sec-fetch-site': 'same-site' },
        { cookie, origin: 'https://evil.example.com' },
        { cookie, origin: 'null' },
      ] as const)
        assert.equal((await post(server, path, fields, headers)).status, 403, path);
    }
  });

  async function openDevice() {
    const app = await server.addApplication({ own: false, isPublic: true, device: true });
    return openid.initiateDeviceAuthorization(app.config, { scope: 'openid' });
  }

  test('can be reached by a form of another site only over a page of ours', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const begun = await app.begin();
    const fields = Object.fromEntries(begun.address.searchParams);
    const tokens = await app.finish(begun, requireAnswer(await browser.submitFromElsewhere('/oidc/auth', fields)));
    assert.ok(tokens.id_token);
    const answer = await post(server, '/oidc/auth', { ...fields, redirect_uri: 'https://evil.example.com/' });
    assert.equal(answer.status, 200);
    assert.match(answer.headers.get('refresh') ?? '', /^0; url=\/oidc\/auth\?/);
  });

  test('is not decided by a token: neither a limited one nor a personal one', async () => {
    const { browser, page } = await waiting();
    const { accessTokens } = await programTokens();
    browser.cookies.delete('session');
    const cookie = browser.cookieHeader(page.url.pathname);
    assert.match(cookie, /oidc-interaction=/);
    const device = await openDevice();
    for (const token of accessTokens) {
      const headers = { authorization: `Bearer ${token}`, cookie };
      const json = { ...headers, 'x-expected-format': 'application/json' };
      assert.equal((await post(server, page.url.pathname, { decision: 'allow' }, json)).status, 403);
      const fields = { user_code: device.user_code, decision: 'allow' };
      assert.equal((await post(server, '/api/oidc/device', fields, headers)).status, 403);
    }
  });

  async function programTokens() {
    const logIn = await post(server, '/api/login', { username: ann.username, password, scope: 'profile:read' });
    const { access_token: limited } = (await logIn.json()) as { access_token: string };
    const full = await post(server, '/api/login', { username: ann.username, password });
    const { access_token: session } = (await full.json()) as { access_token: string };
    const made = await post(
      server,
      '/api/account/tokens',
      { name: 'Script', expires_in_days: '7', current_password: password },
      { authorization: `Bearer ${session}` },
    );
    const { token: personal } = (await made.json()) as { token: string };
    assert.ok(limited && personal, `${made.status}`);
    return { accessTokens: [limited, personal] };
  }
});

describe('an address of the server', () => {
  /** A request as fetch does not send it. */
  const askOf =
    ({ origin }: ProviderUnderTest) =>
    (path: string, headers: Sent, method = 'GET', body = '') => {
      const { port } = new URL(origin);
      return new Promise<{ text: string; location: string; status: number }>((resolve, reject) => {
        const sent = sendRequest({ host: '127.0.0.1', port, path, method, headers }, async (answer) => {
          const text = Buffer.concat(await answer.toArray()).toString();
          resolve({ text, location: answer.headers.location ?? '', status: answer.statusCode ?? 0 });
        });
        sent.on('error', reject);
        sent.end(body);
      });
    };

  test('never follows Host, X-Forwarded-Host or the target of a request', async () => {
    await using own = await openProvider({ settings: { PUBLIC_URL: 'https://login.example.com' } });
    const added = await own.janua.services.clientAdministration.addClient({
      ...defaultSettings,
      ...{ name: 'Television', redirectUris: ['https://app.example.com/callback'] },
      ...{ own: true, device: true, isPublic: true },
    });
    const clientId = added.client.id;
    const { port } = new URL(own.origin);
    const ask = askOf(own);
    const evil = {
      host: 'evil.example.com',
      'x-forwarded-host': 'evil.example.com',
      'x-forwarded-proto': 'http',
      forwarded: 'host=evil.example.com',
    };
    const query = new URLSearchParams({
      ...{ client_id: clientId, response_type: 'code', scope: 'openid', code_challenge_method: 'S256' },
      ...{ redirect_uri: 'https://app.example.com/callback', code_challenge: 'x'.repeat(43), state: 's' },
    });
    const form = { ...evil, 'content-type': 'application/x-www-form-urlencoded' };
    const answers = [
      await ask('/.well-known/openid-configuration', evil),
      await ask('/.well-known/oauth-authorization-server', evil),
      await ask(`http://evil.example.com/.well-known/openid-configuration`, { host: `127.0.0.1:${port}` }),
      await ask('/oidc/device-authorization', form, 'POST', `client_id=${clientId}&scope=openid`),
      await ask(`/oidc/auth?${query}`, evil),
      await ask(`http://evil.example.com/oidc/auth?${query}`, evil),
      await ask(`/oidc/auth?${query}&prompt=none`, evil),
      await ask('/oidc/logout', evil),
    ];
    for (const { text, location, status } of answers) {
      assert.ok(status < 500);
      assert.ok(!text.includes('evil.example.com'), text);
      assert.ok(!location.includes('evil.example.com'), location);
    }
    assert.match(answers[0]?.text ?? '', /"issuer":"https:\/\/login\.example\.com"/);
    assert.match(answers[3]?.text ?? '', /"verification_uri":"https:\/\/login\.example\.com\/oidc\/device"/);
    assert.match(answers[6]?.location ?? '', /^https:\/\/app\.example\.com\/callback\?error=login_required/);
  });

  test('is guarded however it is written and whichever program asks', async () => {
    await server.addApplication();
    const ask = askOf(server);
    for (const path of [
      '/oidc/interaction/x',
      '/oidc/device',
      '//oidc/device',
      '/oidc//device',
      '/oidc/./device',
      '/%6fidc/device',
    ]) {
      for (const agent of ['kube-probe/1.30', 'GoogleHC/1.0', 'curl']) {
        const answer = await ask(path, { 'user-agent': agent, 'x-expected-format': 'application/json' });
        assert.ok([401, 404, 400].includes(answer.status), `${path}: ${answer.status}`);
      }
    }
  });
});

describe('much and missing', () => {
  test('a store that is away gives 503, and no code that is not stored', { skip: missing('PostgreSQL') }, async () => {
    const database = await createDatabase('postgres');
    const url = new URL(database.url);
    await using proxy = await startProxy(Number(url.port));
    url.port = String(proxy.port);
    const folder = createTemporaryFolder('away');
    const settings = { DATABASE_URL: url.href, ENCRYPTION_KEY_FILE: join(folder.path, 'key') };
    await using own = await openProvider({ settings });
    const [app, browser] = [await own.addApplication(), await own.browser()];
    const tokens = await app.signIn(browser);
    const begun = await app.begin();
    proxy.cut();
    const place = await browser.open(begun.address);
    assert.deepEqual([place.isElsewhere, place.status], [false, 503]);
    const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token ?? '' };
    const answers = [
      await post(own, '/oidc/token', fields, basic(app)),
      await post(own, '/oidc/introspection', { token: tokens.access_token }, basic(app)),
      await post(own, '/oidc/revocation', { token: tokens.access_token }, basic(app)),
      await fetch(`${own.origin}/oidc/userinfo`, { headers: { authorization: `Bearer ${tokens.access_token}` } }),
      await fetch(`${own.origin}/oidc/logout?client_id=${app.clientId}`),
    ];
    for (const answer of answers) {
      assert.equal(answer.status, 503, answer.url);
      assert.ok(!(await answer.text()).includes('access_token'));
    }
    proxy.pass();
    folder.remove();
  });
});
