import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { describe, test } from 'node:test';
import { redeemLimits } from '../../../src/capabilities/upstream/provider.ts';
import { createGoogle, foreignJwk, googleUser, type Tricks } from './fakes.ts';
import { google, leadOf, open, refusalOf } from './opened.ts';

const second = { ...google, id: 'second' };
const past = Math.floor(Date.now() / 1000) - 3600;

const tampered: Record<string, Tricks> = {
  'of another issuer': { claims: { iss: 'https://evil.example' } },
  'for another client': { claims: { aud: 'another' } },
  'for several clients, of which another one was authorized': { claims: { aud: ['janua', 'another'], azp: 'another' } },
  'with another nonce': { claims: { nonce: 'x'.repeat(43) } },
  'without a nonce': { claims: { nonce: undefined } },
  'that has expired': { claims: { exp: past } },
  'from the future': { claims: { nbf: past + 7200 } },
  'without a subject': { claims: { sub: undefined } },
  'with a subject that is no text': { claims: { sub: 7 } },
  'with a subject of several lines': { claims: { sub: 'a\nb' } },
  'with a subject of 256 characters': { claims: { sub: 'x'.repeat(256) } },
  'with the algorithm none': { header: { alg: 'none' }, signature: 'none' },
  'with an algorithm of secrets': { header: { alg: 'HS256' } },
  'signed by another key': { signature: 'foreign' },
  'signed by a key that is not listed': { header: { kid: 'k2' }, signature: 'foreign' },
  'signed by a key that it brings along': { header: { jwk: foreignJwk }, signature: 'foreign' },
  'that is missing': { omitsIdToken: true },
};

describe('a sign-in is refused with an ID token', () => {
  for (const [name, tricks] of Object.entries(tampered))
    test(name, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch });
      const browser = opened.createBrowser();
      const back = fake.authorize(await browser.begin(), googleUser());
      fake.tricks = tricks;
      assert.equal((await browser.back(back)).statusCode, 403);
      assert.equal(browser.jar.session, undefined);
      assert.deepEqual(await opened.decisions(), ['upstream-refused: invalid-response']);
    });

  test('with the nonce of another sign-in', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const [victim, attacker] = [opened.createBrowser(), opened.createBrowser()];
    const nonce = new URL(await victim.begin()).searchParams.get('nonce');
    assert.ok(nonce);
    const back = fake.authorize(await attacker.begin(), googleUser());
    fake.tricks = { claims: { nonce } };
    assert.equal((await attacker.back(back)).statusCode, 403);
    assert.equal(attacker.jar.session, undefined);
  });

  test('signed by a key of the address that the keys redirect to', async () => {
    const fake = createGoogle();
    fake.tricks = { signature: 'foreign' };
    await using opened = await open({
      async fetch(address, init) {
        if (!address.endsWith('/certs')) return fake.fetch(address, init);
        const headers = { location: 'https://evil.example/certs' };
        if (init.redirect === 'manual') return new Response(null, { status: 302, headers });
        return Response.json({ keys: [foreignJwk] });
      },
    });
    const browser = opened.createBrowser();
    assert.equal((await browser.back(fake.authorize(await browser.begin(), googleUser()))).statusCode, 403);
    assert.equal(browser.jar.session, undefined);
  });

  test('whose user is another one than that of userinfo', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const browser = opened.createBrowser();
    // Without an address in the ID token, userinfo is asked.
    const user = googleUser({ email: undefined });
    const back = fake.authorize(await browser.begin(), user);
    fake.tricks = { userinfo: { sub: 'another', email: 'ann@gmail.com', email_verified: true } };
    assert.equal((await browser.back(back)).statusCode, 403);
    fake.tricks = { userinfo: { email: 'gail@gmail.com', email_verified: true } };
    const again = fake.authorize(await browser.begin(), user);
    assert.equal((await browser.back(again)).statusCode, 303);
    assert.equal(await browser.whoAmI(), 'gail@gmail.com');
  });
});

const over = [400, 'This sign-in has expired, was used already, or began in another browser. Please begin again.'];

describe('a browser is not taken back', () => {
  type Opened = Awaited<ReturnType<typeof open>>;
  type Attempt = (address: URL, opened: Opened) => Promise<Awaited<ReturnType<Opened['app']['inject']>>>;
  let browser: ReturnType<Opened['createBrowser']>;

  const attempts: Record<string, Attempt> = {
    'in another browser': (address, { createBrowser }) => createBrowser().back(address.href),
    'in another browser with a sign-in of its own': async (address, { createBrowser }) => {
      const other = createBrowser();
      await other.begin();
      return other.back(address.href);
    },
    'in another browser, with the cookie in the address': (address, { createBrowser }) => {
      for (const name of ['upstream', 'flow']) address.searchParams.set(name, browser.jar.upstream ?? '');
      return createBrowser().back(address.href);
    },
    'at the address of another provider': (address) => browser.back(address.href.replace('/google/', '/second/')),
    'with another state': (address) => {
      address.searchParams.set('state', 'x'.repeat(43));
      return browser.back(address.href);
    },
    'with two states': (address) => browser.back(`${address.href}&state=x`),
    'without a state': (address) => {
      address.searchParams.delete('state');
      return browser.back(address.href);
    },
    'with a cookie that was changed': (address) => {
      const [text = '', signature] = browser.jar.upstream?.split('.') ?? [];
      const content = JSON.parse(Buffer.from(text, 'base64url').toString());
      const changed = Buffer.from(JSON.stringify({ ...content, next: '/admin' })).toString('base64url');
      browser.jar.upstream = `${changed}.${signature}`;
      return browser.back(address.href);
    },
    'with something else in the cookie': (address) => {
      browser.jar.upstream = 'x';
      return browser.back(address.href);
    },
    twice: (address) => backTwice(address.href, address.href),
    'twice, with another code': (address) => backTwice(address.href, address.href.replace(/code=\w+/, 'code=other')),
  };

  /** Comes back with one sign-in at two addresses. */
  async function backTwice(first: string, second: string) {
    const cookie = browser.jar.upstream;
    assert.equal((await browser.back(first)).statusCode, 303);
    browser.jar.upstream = cookie ?? '';
    delete browser.jar.session;
    return browser.back(second);
  }

  for (const [name, attempt] of Object.entries(attempts))
    test(name, async () => {
      const fake = createGoogle();
      await using opened = await open({ entries: [google, second], fetch: fake.fetch });
      browser = opened.createBrowser();
      const answer = await attempt(new URL(fake.authorize(await browser.begin(), googleUser())), opened);
      assert.deepEqual(refusalOf(answer), over);
      assert.equal(
        answer.cookies.find((cookie) => cookie.name === 'session'),
        undefined,
      );
    });

  test('after ten minutes', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch, time: Date.now() });
    const browser = opened.createBrowser();
    const back = fake.authorize(await browser.begin(), googleUser());
    opened.pass(10 * 60 * 1000);
    assert.deepEqual(refusalOf(await browser.back(back)), over);
  });
});

describe('a sign-in is refused', () => {
  for (const [name, change, reason] of [
    [
      'with another issuer in the answer (RFC 9207)',
      (query) => query.set('iss', 'https://evil.example'),
      'invalid-response',
    ],
    ['without an issuer in the answer of a provider that sends it', (query) => query.delete('iss'), 'invalid-response'],
    ['with a code of another sign-in', (query) => query.set('code', 'injected'), 'invalid-response'],
    ['without a code', (query) => query.delete('code'), 'invalid-response'],
    ['with two codes', (query) => query.append('code', 'x'), 'invalid-response'],
    ['that its user has cancelled', (query) => query.set('error', 'access_denied'), 'denied'],
  ] as [string, (query: URLSearchParams) => void, string][])
    test(name, async () => {
      const fake = createGoogle();
      await using opened = await open({ fetch: fake.fetch });
      const browser = opened.createBrowser();
      const back = new URL(fake.authorize(await browser.begin(), googleUser()));
      change(back.searchParams);
      assert.equal((await browser.back(back.href)).statusCode, 403);
      assert.deepEqual(await opened.decisions(), [`upstream-refused: ${reason}`]);
    });

  test('with a code that a user got in another browser', async () => {
    const fake = createGoogle();
    await using opened = await open({ fetch: fake.fetch });
    const [victim, attacker] = [opened.createBrowser(), opened.createBrowser()];
    const stolen = new URL(fake.authorize(await victim.begin(), googleUser()));
    const own = new URL(fake.authorize(await attacker.begin(), googleUser({ sub: '2' })));
    // PKCE and the nonce bind the code to the browser that began.
    own.searchParams.set('code', stolen.searchParams.get('code') ?? '');
    assert.equal((await attacker.back(own.href)).statusCode, 403);
    assert.equal(attacker.jar.session, undefined);
  });
});

describe('a provider that says wrong things about itself is refused', () => {
  const unreachable = [503, 'That provider cannot be reached at the moment. Try again later, or sign in another way.'];
  const huge = 'x'.repeat(1024 * 1024);

  for (const [name, discovery] of Object.entries<Record<string, unknown>>({
    'no authorization endpoint': { authorization_endpoint: undefined },
    'a relative authorization endpoint': { authorization_endpoint: '/authorize' },
    'a script as authorization endpoint': { authorization_endpoint: 'javascript:alert(1)' },
    'an authorization endpoint without TLS': { authorization_endpoint: 'http://accounts.google.com/authorize' },
    'a number as authorization endpoint': { authorization_endpoint: 7 },
    'no token endpoint': { token_endpoint: undefined },
    'a token endpoint without TLS': { token_endpoint: 'http://accounts.google.com/token' },
    'a token endpoint that is no address': { token_endpoint: '::' },
    'more than 64 KiB': { policy: [huge.slice(0, 64 * 1024)] },
    'a text of more than 512 characters': { policy: 'x'.repeat(513) },
  }))
    test(`with ${name}, before the browser is led there`, async () => {
      const fake = createGoogle();
      fake.tricks = { discovery };
      await using opened = await open({ fetch: fake.fetch });
      assert.deepEqual(refusalOf(await opened.createBrowser().post('/auth/upstream/google', {})), unreachable);
      assert.deepEqual(await opened.decisions(), ['upstream-refused: unreachable']);
    });

  for (const [name, tricks] of Object.entries<Tricks>({
    'no address of the keys': { discovery: { jwks_uri: undefined } },
    'keys that are no address': { discovery: { jwks_uri: '::' } },
    'a number as userinfo endpoint': { discovery: { userinfo_endpoint: 7 } },
    'userinfo that is no address': { discovery: { userinfo_endpoint: '::' } },
    'an ID token of 128 KiB': { claims: { picture: huge.slice(0, 100 * 1024) } },
    'a megabyte of userinfo': { userinfo: { sub: String(googleUser().sub), email: 'gail@gmail.com', picture: huge } },
  }))
    test(`with ${name}, when the browser comes back`, async () => {
      const fake = createGoogle();
      fake.tricks = tricks;
      await using opened = await open({ fetch: fake.fetch });
      const browser = opened.createBrowser();
      const back = fake.authorize(await browser.begin(), googleUser({ email: undefined }));
      assert.ok([403, 503].includes((await browser.back(back)).statusCode));
      assert.match((await opened.decisions()).join(), /^upstream-refused: (invalid-response|unreachable)$/);
    });
});

test('what a provider said about itself before stays while it says wrong things', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch, time: Date.now() });
  const browser = opened.createBrowser();
  await browser.begin();
  opened.pass(61 * 60 * 1000);
  fake.tricks = { discovery: { authorization_endpoint: 'javascript:alert(1)' } };
  assert.match(await browser.begin(), /^https:\/\/accounts\.google\.com\/o\/oauth2\/v2\/auth\?/);
});

test('a form of another site begins nothing, and an unknown provider is not there', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const headers = { 'sec-fetch-site': 'cross-site', origin: 'https://evil.example' };
  const answer = await opened.post('/auth/upstream/google', undefined, headers);
  assert.equal(answer.statusCode, 403);
  assert.equal(fake.calls.length, 0);
  assert.equal((await opened.post('/auth/upstream/other')).statusCode, 404);
  assert.equal((await opened.get('/auth/upstream/other/callback?state=x&code=y')).statusCode, 404);
});

test('a field that the form does not have makes no other sign-in of it', async () => {
  const fake = createGoogle();
  await using opened = await open({ entries: [google, second], fetch: fake.fetch });
  const browser = opened.createBrowser();
  const extras = {
    ...{ sessionId: 'x', confirms: 'on', upstream: 'second', state: 'x', expiresAt: '1' },
    ...{ remembered: 'on', remember: '' },
  };
  const answer = await browser.back(fake.authorize(await browser.begin('google', extras), googleUser()));
  assert.equal(answer.headers.location, '/auth/home');
  const signedIn = await opened.services.access.findSignedIn({ cookie: browser.jar.session });
  assert.deepEqual([signedIn?.user.username, signedIn?.session.remembered], ['gail@gmail.com', false]);

  const begun = await browser.post('/account/sign-in-methods/begin', { ...extras, upstream: 'google' });
  const linking = await browser.back(fake.authorize(leadOf(begun), googleUser({ sub: 'another' })));
  assert.equal(linking.statusCode, 200, 'the page with the button that links');
});

test('a login leads to no other site', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example']) {
    const browser = opened.createBrowser();
    const answer = await browser.back(fake.authorize(await browser.begin('google', { next }), googleUser()));
    assert.equal(answer.headers.location, '/auth/home');
  }
});

test('a HEAD of the way back signs nobody in, and does not use it up', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  const browser = opened.createBrowser();
  const back = fake.authorize(await browser.begin(), googleUser());
  const { pathname, search } = new URL(back);
  const headers = { cookie: `upstream=${browser.jar.upstream}` };
  const answer = await opened.app.inject({ method: 'HEAD', url: pathname + search, headers });
  assert.equal(answer.statusCode, 400);
  assert.deepEqual(answer.cookies, []);
  assert.equal((await browser.back(back)).statusCode, 303);
  assert.equal(await browser.whoAmI(), 'gail@gmail.com');
});

test('the cookie of a sign-in is not larger than browsers keep, however long next is', async () => {
  const fake = createGoogle();
  await using opened = await open({ fetch: fake.fetch });
  for (const next of [`/${'x'.repeat(2799)}`, `/${'x'.repeat(5000)}`, `/${'ä'.repeat(1000)}`]) {
    const answer = await opened.createBrowser().post('/auth/upstream/google', { next, remember: 'on' });
    assert.equal(answer.cookies.length, 1);
    for (const { name, value } of answer.cookies)
      assert.ok('__Host-'.length + name.length + 1 + value.length <= 4096, name);
  }
});

test('a provider whose document names another issuer is not used', async () => {
  const fake = createGoogle();
  await using opened = await open({
    async fetch(address, init) {
      const answer = await fake.fetch(address, init);
      const isDiscovery = address.includes('/.well-known/');
      return isDiscovery
        ? Response.json({ ...((await answer.json()) as object), issuer: 'https://evil.example' })
        : answer;
    },
  });
  assert.equal((await opened.createBrowser().post('/auth/upstream/google', {})).statusCode, 503);
});

test('a stranger who sends many browsers back asks the provider a few times at once, and others have their turn', async () => {
  const fake = createGoogle();
  const gate = Promise.withResolvers<void>();
  const changed = new EventEmitter();
  let asking = 0;
  let mostAsking = 0;
  await using opened = await open({
    async fetch(address, init) {
      if (!address.endsWith('/token')) return fake.fetch(address, init);
      asking += 1;
      mostAsking = Math.max(mostAsking, asking);
      changed.emit('change');
      await gate.promise;
      asking -= 1;
      return fake.fetch(address, init);
    },
  });
  let refused = 0;
  async function begin(remoteAddress: string) {
    const browser = opened.createBrowser();
    const { pathname, search } = new URL(fake.authorize(await browser.begin(), googleUser()));
    const headers = { cookie: `upstream=${browser.jar.upstream}` };
    return async () => {
      const { statusCode } = await opened.get(pathname + search, headers, remoteAddress);
      if (statusCode === 503) refused += 1;
      changed.emit('change');
      return statusCode;
    };
  }
  const reach = async (isReached: () => boolean) => {
    while (!isReached()) await once(changed, 'change');
  };
  const { atOnce, ofNetwork, waiting } = redeemLimits;
  const returns: (() => Promise<number>)[] = [];
  for (let index = 0; index < ofNetwork + waiting + 3; index += 1)
    returns.push(await begin(`2001:db8:0:${index.toString(16)}::1`));
  const others: (() => Promise<number>)[] = [];
  for (let index = 0; index <= atOnce - ofNetwork; index += 1) others.push(await begin(`192.0.2.${index % 2}`));
  const sent = returns.map((back) => back());
  await reach(() => asking + refused >= ofNetwork + 3);
  assert.equal(asking, ofNetwork);
  const sentByOthers = others.map((back) => back());
  // The last of them waits, in the room of one of the stranger's.
  await reach(() => asking + refused >= atOnce + 4);
  assert.deepEqual([asking, refused], [atOnce, 4]);
  gate.resolve();
  assert.deepEqual(new Set(await Promise.all(sentByOthers)), new Set([303]));
  const statuses = await Promise.all(sent);
  assert.equal(mostAsking, atOnce);
  for (const [index, status] of statuses.entries())
    assert.equal(status === 503 ? await returns[index]?.() : status, 303, 'a sign-in without a turn is not used up');
});
