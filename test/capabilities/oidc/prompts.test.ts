import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { ann, password } from '../../janua.ts';
import { type Application, openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import type { Browser, Place } from './browser.ts';

const bob = 'bob@example.com';
let server: ProviderUnderTest;
let closed: ProviderUnderTest;
before(async () => {
  server = await openProvider({ settings: { SIGN_UP: 'on' } });
  closed = await openProvider({ settings: { SIGN_UP: 'off' } });
  for (const { janua } of [server, closed])
    await janua.people.add({ username: bob, firstName: 'Bob', lastName: 'Baker', password });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  await closed[Symbol.asyncDispose]();
});

const nextOf = ({ url }: Place, path: string): string => {
  assert.equal(url.pathname, path, url.href);
  return url.searchParams.get('next') ?? '';
};

const logIn = (browser: Browser, username: string, next: string) =>
  browser.submit('/auth/token', { username, password, next });

/** Who is signed in. Undefined if nobody is. */
async function whoIs(browser: Browser, { janua }: ProviderUnderTest = server): Promise<string | undefined> {
  const headers = { cookie: browser.cookieHeader('/') };
  return (await janua.get('/api/me', headers)).json().username;
}

const emailOf = async (app: Application, ...[begun, answer]: Parameters<Application['finish']>) =>
  (await app.finish(begun, answer)).claims()?.email;

/** Asks with a prompt, and comes to the page with the choice. */
async function choose(at: ProviderUnderTest, app: Application, browser: Browser, prompt: string) {
  const begun = await app.begin({ prompt });
  const page = await browser.open(begun.address);
  assert.match(page.url.pathname, /^\/oidc\/interaction\//, `${page.status} ${page.url.href}`);
  assert.match(page.text, /Continue as Ann Archer/);
  assert.match(page.text, /Use another account/);
  assert.match(page.text, /Wiki/);
  assert.match(page.text, /<form method="post" action="\/auth\/logout"><button/);
  assert.equal(await whoIs(browser, at), ann.username);
  return { begun, page };
}

describe('prompt=select_account', () => {
  test('lets the user go on with the account that is signed in', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { begun, page } = await choose(server, app, browser, 'select_account');
    const answer = requireAnswer(await browser.submit(page.url, { decision: 'continue' }));
    assert.equal(await emailOf(app, begun, answer), ann.username);
  });

  test('leads to the login for another account, and the old session ends when that succeeds, not before', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { begun, page } = await choose(server, app, browser, 'select_account');
    const login = await browser.submit(page.url, { decision: 'another' });
    const next = nextOf(login, '/auth/login');
    assert.match(login.text, /name="password"/);
    assert.equal(await whoIs(browser), ann.username);
    const old = browser.cookieHeader('/');
    // A wrong password leaves the session, and shows the login page again.
    const failed = await browser.submit('/auth/token', { username: bob, password: 'wrong wrong wrong', next });
    assert.equal(nextOf(failed, '/auth/login'), next);
    assert.match(failed.text, /name="password"/);
    assert.equal(await whoIs(browser), ann.username);
    // Without a login, nothing is chosen.
    assert.match((await browser.open(next)).text, /Continue as Ann Archer/);
    const answer = requireAnswer(await logIn(browser, bob, next));
    assert.equal(await emailOf(app, begun, answer), bob);
    assert.equal(await whoIs(browser), bob);
    assert.equal((await server.janua.get('/api/me', { cookie: old })).statusCode, 401);
  });

  test('asks for a new proof too, if the application does, unless the user has logged in since', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    server.janua.pass(5_000);
    const { begun, page } = await choose(server, app, browser, 'select_account login');
    const confirm = await browser.submit(page.url, { decision: 'continue' });
    const next = nextOf(confirm, '/auth/confirm');
    const answer = requireAnswer(await browser.submit('/auth/confirm', { password, next }));
    assert.equal(await emailOf(app, begun, answer), ann.username);
    const again = await choose(server, app, browser, 'login select_account');
    const login = await browser.submit(again.page.url, { decision: 'another' });
    const other = requireAnswer(await logIn(browser, bob, nextOf(login, '/auth/login')));
    assert.equal(await emailOf(app, again.begun, other), bob);
  });

  test('is met by the login of a browser without a session, and by consent afterwards', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser(false)];
    const begun = await app.begin({ prompt: 'select_account' });
    const consent = await logIn(browser, bob, nextOf(await browser.open(begun.address), '/auth/login'));
    assert.match(consent.text, /Let Wiki in\?/);
    assert.equal(
      await emailOf(app, begun, requireAnswer(await browser.submit(consent.url, { decision: 'allow' }))),
      bob,
    );
    const again = await app.begin({ prompt: 'select_account consent' });
    const page = await browser.open(again.address);
    assert.match(page.text, /Continue as Bob Baker/);
    const asked = await browser.submit(page.url, { decision: 'continue' });
    assert.match(asked.text, /Let Wiki in\?/);
    assert.equal(await emailOf(app, again, requireAnswer(await browser.submit(asked.url, { decision: 'allow' }))), bob);
  });

  test('comes before the question whether the user may use the application', async () => {
    const { groups } = server.janua.services;
    await groups.add({ name: 'bobs', description: '', scopes: [] });
    await server.janua.services.administration.changeGroups({ username: bob }, { add: ['bobs'] });
    const [app, browser] = [await server.addApplication({ groups: ['bobs'] }), await server.browser()];
    const { begun, page } = await choose(server, app, browser, 'select_account');
    const login = await browser.submit(page.url, { decision: 'another' });
    const answer = requireAnswer(await logIn(browser, bob, nextOf(login, '/auth/login')));
    assert.equal(await emailOf(app, begun, answer), bob);
  });

  test('takes an answer once, and of its own question alone', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const consent = await browser.open((await app.begin()).address);
    assert.equal((await browser.submit(consent.url, { decision: 'continue' })).status, 400);
    const { page } = await choose(server, app, browser, 'select_account');
    assert.equal((await browser.submit(page.url, { decision: 'allow' })).status, 400);
    await browser.submit(page.url, { decision: 'continue' });
    assert.equal((await browser.submit(page.url, { decision: 'continue' })).status, 400);
  });

  test('keeps the login page from users who are signed in, where no application asks', async () => {
    const browser = await server.browser();
    for (const [next, place] of [
      ['/account', '/account'],
      ['/account?prompt=login', '/account'],
      ['//evil.example.com/?prompt=select_account', '/auth/home'],
    ] as const)
      assert.equal((await browser.open(`/auth/login?next=${encodeURIComponent(next)}`)).url.pathname, place, next);
  });
});

/** Signs up as a stranger does, by the link in the mail. */
async function signUp(browser: Browser, email: string, next: string): Promise<Place> {
  await browser.submit('/auth/sign-up', { email, next });
  const [mail] = await server.janua.mails(email);
  const link = new URL(/https?:\/\/\S*sign-up\/finish\S*/.exec(mail?.text ?? '')?.[0] ?? assert.fail(mail?.text));
  const form = await browser.open(link.pathname + link.search);
  const [, kept = ''] = /name="next" value="([^"]*)"/.exec(form.text) ?? [];
  const sent = { token: link.searchParams.get('token') ?? '', next: kept.replaceAll('&amp;', '&') };
  return browser.submit('/auth/sign-up/finish', { ...sent, first_name: 'New', last_name: 'Comer', password });
}

describe('prompt=create', () => {
  for (const isSignedIn of [false, true])
    test(`leads ${isSignedIn ? 'a user' : 'a stranger'} to the sign-up, and the request travels in the link of the mail`, async () => {
      const [app, browser] = [await server.addApplication(), await server.browser(isSignedIn)];
      const begun = await app.begin({ prompt: 'create' });
      const next = nextOf(await browser.open(begun.address), '/auth/sign-up');
      assert.equal(await whoIs(browser), isSignedIn ? ann.username : undefined);
      // The mail takes its time.
      server.janua.pass(60 * 60_000);
      const email = `new-${isSignedIn}@example.com`;
      const answer = requireAnswer(await signUp(browser, email, next));
      assert.equal(await emailOf(app, begun, answer), email);
      assert.equal(await whoIs(browser), email);
    });

  test('keeps the request where a stranger has an account already, and logs in', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const begun = await app.begin({ prompt: 'create' });
    const page = await browser.open(begun.address);
    const next = nextOf(page, '/auth/sign-up');
    assert.ok(page.text.includes(`href="/auth/login?next=${encodeURIComponent(next)}"`), page.text);
    assert.equal(await emailOf(app, begun, requireAnswer(await logIn(browser, bob, next))), bob);
    const again = await browser.open(`/auth/login?next=${encodeURIComponent(next)}`);
    assert.equal(await emailOf(app, begun, requireAnswer(again)), bob);
  });

  test('leads to the login, or to the choice of an account, where there is no sign-up', async () => {
    const [app, stranger] = [await closed.addApplication(), await closed.browser(false)];
    const begun = await app.begin({ prompt: 'create' });
    const next = nextOf(await stranger.open(begun.address), '/auth/login');
    assert.equal(await emailOf(app, begun, requireAnswer(await logIn(stranger, bob, next))), bob);
    const browser = await closed.browser();
    const asked = await choose(closed, app, browser, 'create');
    const login = await browser.submit(asked.page.url, { decision: 'another' });
    const answer = requireAnswer(await logIn(browser, bob, nextOf(login, '/auth/login')));
    assert.equal(await emailOf(app, asked.begun, answer), bob);
  });

  test('is announced only where users can sign up', async () => {
    for (const [at, announced] of [
      [server, ['none', 'login', 'consent', 'select_account', 'create']],
      [closed, ['none', 'login', 'consent', 'select_account']],
    ] as const) {
      await at.addApplication();
      const metadata = await (await fetch(`${at.origin}/.well-known/openid-configuration`)).json();
      assert.deepEqual((metadata as { prompt_values_supported: string[] }).prompt_values_supported, announced);
    }
  });

  test('stores nothing that waits', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    for (let count = 0; count < 25; count += 1) await browser.open((await app.begin({ prompt: 'create' })).address);
    // Otherwise the bound of one user would have ended a request of another application.
    const { begun, page } = await choose(server, app, browser, 'select_account');
    for (let count = 0; count < 25; count += 1) await browser.open((await app.begin({ prompt: 'create' })).address);
    const answer = requireAnswer(await browser.submit(page.url, { decision: 'continue' }));
    assert.equal(await emailOf(app, begun, answer), ann.username);
  });
});

test('a prompt that is unknown, or stands beside none, is refused at the application', async () => {
  const [app, browser] = [await server.addApplication(), await server.browser()];
  for (const prompt of ['unknown', 'none select_account', 'none create', 'access']) {
    const { address } = await app.begin({ prompt });
    assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'invalid_request', prompt);
  }
});
