import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openProvider, readToken, requireAnswer } from '../oidc/application.ts';
import { addApp, codeOf as codeAt } from '../second-factor/authenticator-app.ts';
import { createGoogle, googleUser } from './fakes.ts';
import { gitHub, google, leadOf, open, writeUpstreams } from './opened.ts';

const page = '/account/sign-in-methods';
const refused = `/auth/confirm?${new URLSearchParams({ state: 'refused', next: page })}`;
const minute = 60 * 1000;

/** A user whose account was created with Google. The clock can be moved on, and what Google says of the time moves with it. */
async function openSignedIn(entry = google, entries = [entry]) {
  const fake = createGoogle();
  const opened = await open({ entries, fetch: fake.fetch });
  const browser = opened.createBrowser();
  await browser.back(fake.authorize(await browser.begin(), googleUser()));
  const sessionOf = async () => (await opened.services.access.findSignedIn({ cookie: browser.jar.session }))?.session;

  /** Presses the button of the confirm page, signs in at the provider, and comes back. @param takes milliseconds */
  async function confirm(claims: Record<string, unknown>, takes = 0, next = page) {
    const url = leadOf(await browser.post('/auth/confirm/upstream/google', { next }));
    const { searchParams } = new URL(url);
    assert.deepEqual([searchParams.get('prompt'), searchParams.get('max_age')], ['login', '0']);
    opened.pass(takes);
    return browser.back(fake.authorize(url, googleUser(claims)));
  }
  return { opened, browser, fake, sessionOf, confirm, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
}

type User = Awaited<ReturnType<typeof openSignedIn>>;

async function sqlIn({ opened }: User, text: string): Promise<void> {
  const account = await opened.account('gail@gmail.com');
  await opened.services.hold(provedBy(account), ({ db }) => sql.raw(text).execute(db));
}

/** Seconds since 1970. */
const seconds = (ago = 0) => Math.floor(Date.now() / 1000) - ago;

test('a user without a password gives a fresh proof with the provider, in the same session', async () => {
  await using user = await openSignedIn();
  const before = await user.sessionOf();
  user.opened.pass(11 * minute);
  const begin = () => user.browser.post(`${page}/begin`, { upstream: 'google' });
  assert.match(String((await begin()).headers.location), /^\/auth\/confirm/);
  assert.equal((await user.confirm({ auth_time: seconds() })).headers.location, page);
  assert.equal((await begin()).statusCode, 200);
  const after = await user.sessionOf();
  assert.equal(after?.id, before?.id);
  assert.notEqual(after?.cookieHash, before?.cookieHash);
  assert.equal((await user.opened.events({ kind: 'confirmed' })).length, 1);
});

test('after the proof, the browser is led to no other site', async () => {
  await using user = await openSignedIn();
  for (const next of ['https://evil.example/', '//evil.example/', '/\\\\evil.example', `/${'a'.repeat(60_000)}`]) {
    const url = leadOf(await user.browser.post('/auth/confirm/upstream/google', { next }));
    const answer = await user.browser.back(user.fake.authorize(url, googleUser({ auth_time: seconds() })));
    assert.equal(answer.headers.location, '/account', next.slice(0, 30));
  }
});

/** The fields and buttons of the page that asks for a fresh proof. */
const shownOn = (body: string) =>
  Array.from(
    body.matchAll(/(?:<input[^>]*name="(password|code)"|action="([^"]*)"|(Log out and sign in again))/g),
    (found) => found.slice(1).find(Boolean),
  ).filter((one) => !['/auth/logout', '/auth/language'].includes(one ?? ''));

test('a user without a password is asked for nothing that they do not have', async () => {
  await using user = await openSignedIn(google, [google, { ...google, id: 'second' }, gitHub]);
  const { browser, opened } = user;
  const account = await opened.account('gail@gmail.com');
  const { body } = await browser.get('/account');
  assert.match(body, /No second factor/);
  assert.doesNotMatch(body, /Password only/);
  const confirm = async () => shownOn((await browser.get(`/auth/confirm?next=${page}`)).body);
  assert.deepEqual(await confirm(), ['/auth/confirm/upstream/google']);
  assert.deepEqual((await browser.get('/api/confirm')).json().fields, ['method', 'code', 'credential', 'next']);
  await sqlIn(user, `update janua_identities set upstream = 'github'`);
  assert.deepEqual(await confirm(), ['Log out and sign in again']);
  const { passwordHash } = await opened.account();
  await opened.services.hold(provedBy(account), async (held) =>
    opened.services.users.setPassword?.(held, passwordHash ?? assert.fail()),
  );
  assert.deepEqual(await confirm(), ['/auth/confirm', 'password']);
  assert.match((await browser.get('/account')).body, /Password only/);
});

describe('no fresh proof is', () => {
  for (const [name, claimsOf, reason, takes] of [
    ['a sign-in of long ago', () => ({ auth_time: seconds(120) }), 'invalid-response', 0],
    [
      'a sign-in of long ago, of a user who comes back late',
      () => ({ auth_time: seconds(180) }),
      'invalid-response',
      minute,
    ],
    ['a sign-in without its time', () => ({}), 'invalid-response', 0],
    ['another user, without an account', () => ({ auth_time: seconds(), sub: 'another' }), 'not-own', 0],
  ] as const)
    test(name, async () => {
      await using user = await openSignedIn();
      const before = await user.sessionOf();
      assert.equal((await user.confirm(claimsOf(), takes)).headers.location, refused);
      assert.match((await user.browser.get(refused)).body, /did not confirm that it is you/);
      assert.equal((await user.sessionOf())?.authenticatedAt, before?.authenticatedAt);
      assert.equal((await user.opened.decisions()).at(-1), `upstream-refused: ${reason}`);
    });

  test('another user with an account here: the session stays', async () => {
    await using user = await openSignedIn();
    const other = user.opened.createBrowser();
    const eve = { sub: 'eve', email: 'eve@gmail.com' };
    await other.back(user.fake.authorize(await other.begin(), googleUser(eve)));
    assert.equal((await user.confirm({ ...eve, auth_time: seconds() })).headers.location, refused);
    assert.equal(await user.browser.whoAmI(), 'gail@gmail.com');
  });

  test('a proof of another session', async () => {
    await using user = await openSignedIn();
    const other = user.opened.createBrowser();
    const url = leadOf(await user.browser.post('/auth/confirm/upstream/google', {}));
    await other.back(user.fake.authorize(await other.begin(), googleUser()));
    other.jar.upstream = user.browser.jar.upstream ?? '';
    assert.equal((await other.back(user.fake.authorize(url, googleUser({ auth_time: seconds() })))).statusCode, 400);
  });
});

describe('an account with a second factor', () => {
  async function openWithFactor(entry = google) {
    const user = await openSignedIn(entry);
    const secret = await addApp(user.opened, await user.opened.account('gail@gmail.com'));
    const codeOf = () => codeAt(secret, user.opened.now());
    return { ...user, codeOf };
  }

  test('is asked for it too, in place of the password, the proof counts once, and a login is recorded with both', async () => {
    await using user = await openWithFactor();
    const before = await user.sessionOf();
    user.opened.pass(11 * minute);
    const answer = await user.confirm({ auth_time: seconds() });
    assert.equal(answer.headers.location, `/auth/confirm?next=${encodeURIComponent(page)}`);
    assert.equal((await user.sessionOf())?.authenticatedAt, before?.authenticatedAt);
    const { body } = await user.browser.get(String(answer.headers.location));
    assert.match(body, /name="code"/);
    assert.doesNotMatch(body, /name="password"|confirm\/upstream/);

    const send = (code: string) => user.browser.post('/auth/confirm', { method: 'totp', code, next: page });
    assert.equal((await send('000000')).statusCode, 422);
    assert.equal((await send(user.codeOf())).headers.location, page);
    assert.deepEqual((await user.sessionOf())?.methods, ['fed', 'otp', 'mfa']);
    user.opened.pass(minute);
    assert.deepEqual(shownOn((await send(user.codeOf())).body), ['/auth/confirm/upstream/google']);

    const other = user.opened.createBrowser();
    await other.back(user.fake.authorize(await other.begin(), googleUser()));
    await other.post('/auth/second-factor', { method: 'totp', code: user.codeOf() });
    assert.equal((await user.opened.decisions()).at(-1), 'login-succeeded: upstream+totp');
  });

  test('is not, if that of the provider counts', async () => {
    await using user = await openWithFactor({ ...google, countsAsSecondFactor: ['mfa'] });
    assert.equal((await user.confirm({ auth_time: seconds(), amr: ['mfa'] })).headers.location, page);
    assert.deepEqual((await user.sessionOf())?.methods, ['fed', 'mfa']);
  });
});

for (const parameters of [{ prompt: 'login' }, { max_age: '0' }])
  test(`an application that asks for ${JSON.stringify(parameters)} gets it from a user of a provider`, async () => {
    const fake = createGoogle();
    using file = writeUpstreams([google]);
    await using provider = await openProvider({
      settings: { UPSTREAMS_FILE: file.path, SIGN_UP: 'on' },
      overrides: { fetch: fake.fetch },
    });
    const app = await provider.addApplication();
    const browser = await provider.browser(false);
    const lead = requireAnswer(await browser.submit('/auth/upstream/google', { next: '/account' }));
    await browser.open(fake.authorize(lead.href, googleUser()));
    provider.janua.pass(5000);
    const begun = await app.begin(parameters);
    const asked = await browser.open(begun.address);
    assert.equal(asked.url.pathname, '/auth/confirm');
    const next = asked.url.searchParams.get('next') ?? '';
    const away = requireAnswer(await browser.submit('/auth/confirm/upstream/google', { next }));
    const back = await browser.open(fake.authorize(away.href, googleUser({ auth_time: seconds() })));
    const tokens = await app.finish(begun, requireAnswer(back));
    const { claims } = await readToken(provider, tokens.id_token ?? '');
    assert.deepEqual(claims.amr, ['fed']);
    assert.ok(claims.auth_time >= seconds());
  });
