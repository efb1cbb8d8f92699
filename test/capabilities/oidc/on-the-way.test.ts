import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { NewClient } from '../../../src/capabilities/oidc/clients/clients.ts';
import { password, type TestJanua } from '../../janua.ts';
import { addApp, codeOf } from '../second-factor/authenticator-app.ts';
import { type Begun, openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import { type Browser, hiddenFields, type Place } from './browser.ts';

// A user comes from an application, and has to do something before the login: the way leads back to the application all the same.

const document = 'https://handbook.example.com/client.json';
const names = { first_name: 'New', last_name: 'Comer' };

let site: ProviderUnderTest;
let strict: ProviderUnderTest;
before(async () => {
  const settings = { SIGN_UP: 'on', CLIENT_ID_METADATA: ['handbook.example.com'] } as const;
  [site, strict] = [
    await openProvider({ settings }),
    await openProvider({ settings: { ...settings, SECOND_FACTOR: 'required' } }),
  ];
});
after(async () => {
  await site[Symbol.asyncDispose]();
  await strict[Symbol.asyncDispose]();
});

/** Adds a user, and opens an application as a stranger does. */
async function arrive(at: ProviderUnderTest, username: string, client: Partial<NewClient> = {}) {
  await at.janua.people.add({ username, firstName: 'Eve', lastName: 'Evans', password });
  const app = await at.addApplication(client);
  const begun = await app.begin();
  const [browser, other] = [await at.browser(false), await at.browser(false)];
  return { app, begun, browser, other, login: await browser.open(begun.address) };
}

/** Follows a link of a page by its text. */
function follow(browser: Browser, { text, url }: Place, words: string): Promise<Place> {
  const [, address] = new RegExp(`href="([^"]*)"[^>]*>${words}<`).exec(text) ?? [];
  assert.ok(address, `no link ${words} in ${text}`);
  return browser.open(new URL(address.replaceAll('&amp;', '&'), url));
}

/** Sends the form of a page, with its hidden fields. */
function send(browser: Browser, { text, url }: Place, fields: Record<string, string>, action = url.pathname) {
  const [main = ''] = text.split('<footer>', 1);
  return browser.submit(action, { ...hiddenFields(main), ...fields });
}

const logIn = (browser: Browser, login: Place, username: string, secret = password) =>
  send(browser, login, { username, password: secret }, '/auth/token');

/** Opens the link of the newest mail to an address. */
async function openMail({ janua }: ProviderUnderTest, browser: Browser, address: string): Promise<Place> {
  const link = await linkTo(janua, address);
  return browser.open(link.pathname + link.search);
}

async function linkTo(janua: TestJanua, address: string): Promise<URL> {
  const [mail] = await janua.mails(address);
  return new URL(/https?:\/\/\S*[?&]token=\S*/.exec(mail?.text ?? '')?.[0] ?? assert.fail(`no link in ${mail?.text}`));
}

async function requireFinished({ app, begun }: Awaited<ReturnType<typeof arrive>>, place: Place): Promise<void> {
  assert.ok((await app.finish(begun as Begun, requireAnswer(place))).id_token);
}

describe('the login page', () => {
  test('names the application that it leads to, and a stranger by its host alone', async () => {
    const { clientId } = await site.addApplication({ name: 'Wiki & Co' });
    const unknown = 'x'.repeat(22);
    for (const [path, name] of [
      [`/oidc/auth?client_id=${clientId}`, 'Wiki &amp; Co'],
      [`/oidc/auth?client_id=${encodeURIComponent(document)}`, 'handbook.example.com'],
      ['/oidc/auth?client_id=https://evil.example.com/client.json', undefined],
      [`/oidc/auth?client_id=${unknown}`, undefined],
      [`/oidc/interaction/x?client_id=${clientId}`, undefined],
      [`//evil.example.com/oidc/auth?client_id=${clientId}`, undefined],
    ] as const) {
      const { text } = await (await site.browser(false)).open(`/auth/login?state=2&next=${encodeURIComponent(path)}`);
      assert.ok(text.includes(`>to continue to ${name ?? 'Janua'}<`), `${path}: ${text}`);
      assert.equal(text.includes('Please log in to continue'), name === undefined, path);
    }
  });

  test('goes on to the application after a login without a name', async () => {
    const arrived = await arrive(site, 'blank@example.com');
    const refused = await logIn(arrived.browser, arrived.login, ' ');
    await requireFinished(arrived, await logIn(arrived.browser, refused, 'blank@example.com'));
  });
});

describe('the way to the application leads', () => {
  test('through a sign-up, also where the mail is opened in another browser', async () => {
    const arrived = await arrive(site, 'known@example.com');
    const email = 'new@example.com';
    const form = await follow(arrived.browser, arrived.login, 'Sign up');
    const sent = await send(arrived.browser, form, { email });
    assert.match(sent.text, /Open the link in this browser: from there you continue to Wiki\./);
    const finish = await openMail(site, arrived.other, email);
    await requireFinished(arrived, await send(arrived.other, finish, { ...names, password }));
  });

  test('through a reset, also where the mail is opened in another browser', async () => {
    const username = 'forgetful@example.com';
    const arrived = await arrive(site, username);
    const form = await follow(arrived.browser, arrived.login, 'Forgot password\\?');
    const sent = await send(arrived.browser, form, { email: username });
    assert.match(sent.text, /Open the link in this browser: from there you continue to Wiki\./);
    assert.ok(new URL((await follow(arrived.browser, sent, 'Back to the sign-in page')).url).searchParams.has('next'));
    const reset = await openMail(site, arrived.other, username);
    const login = await send(arrived.other, reset, { password: 'another long password' });
    await requireFinished(arrived, await logIn(arrived.other, login, username, 'another long password'));
  });

  test('past what a reset leaves, if something still signs in', async () => {
    const username = 'factors@example.com';
    const arrived = await arrive(site, username);
    const { time } = await addAppOf(site, username);
    await send(arrived.browser, await follow(arrived.browser, arrived.login, 'Forgot password\\?'), {
      email: username,
    });
    const reset = await openMail(site, arrived.browser, username);
    const login = await send(arrived.browser, reset, { password: 'another long password' });
    const step = await logIn(arrived.browser, login, username, 'another long password');
    assert.ok((await follow(arrived.browser, step, 'Back to the sign-in page')).url.searchParams.has('next'));
    const security = await send(arrived.browser, step, { code: time(30) });
    assert.match(security.text, /Remove every passkey, app and linked account that you do not know/);
    await requireFinished(arrived, await follow(arrived.browser, security, 'Continue'));
  });

  test('through the second factor that every account needs, also where the mail is opened in another browser', async () => {
    const username = 'lacking@example.com';
    const arrived = await arrive(strict, username);
    const told = await logIn(arrived.browser, arrived.login, username);
    assert.equal(told.url.pathname, '/auth/enrol-factor');
    const link = await openMail(strict, arrived.other, username);
    const app = await send(arrived.other, link, {}, '/auth/enrol-factor/begin');
    const secret = secretOf(app);
    const codes = await send(arrived.other, app, { code: codeOf(secret, Date.now()) }, '/auth/enrol-factor');
    const login = await follow(arrived.other, codes, 'I have saved the codes');
    const step = await logIn(arrived.other, login, username);
    await requireFinished(arrived, await send(arrived.other, step, { code: codeOf(secret, Date.now() + 30_000) }));
  });

  test('through the second factor that the application demands', async () => {
    const username = 'demanded@example.com';
    const arrived = await arrive(site, username, { name: 'Payroll', secondFactor: true });
    const { browser } = arrived;
    const security = await logIn(browser, arrived.login, username);
    assert.match(security.text, /Payroll needs a second factor\. Add one here\./);
    const app = await send(browser, security, {}, '/account/security/totp/begin');
    const secret = secretOf(app);
    const codes = await send(browser, app, { code: codeOf(secret, Date.now()) }, '/account/security/totp');
    await requireFinished(arrived, await follow(browser, codes, 'I have saved the codes'));
  });

  test('through the second factor that every account needs, after a sign-up', async () => {
    const arrived = await arrive(strict, 'other@example.com');
    const email = 'newer@example.com';
    await send(arrived.browser, await follow(arrived.browser, arrived.login, 'Sign up'), { email });
    const finish = await openMail(strict, arrived.browser, email);
    const told = await send(arrived.browser, finish, { ...names, password });
    assert.equal(told.url.pathname, '/auth/enrol-factor');
    const next = told.url.searchParams.get('next');
    assert.match(next ?? '', /^\/oidc\/auth\?/);
    assert.equal((await linkTo(strict.janua, email)).searchParams.get('next'), next);
  });
});

test('after a reset, the browser that asked for it goes on to a page of ours, and no other browser does', async () => {
  const username = 'returning@example.com';
  await site.janua.people.add({ username, firstName: 'Eve', lastName: 'Evans', password });
  const next = '/account/sessions?state=1';
  for (const [place, isSame] of [true, false].entries()) {
    const secret = `a long password ${place}`;
    const [browser, other] = [await site.browser(false), await site.browser(false)];
    const login = await browser.open(next);
    await send(browser, await follow(browser, login, 'Forgot password\\?'), { email: username });
    const reader = isSame ? browser : other;
    const reset = await openMail(site, reader, username);
    assert.deepEqual([...reset.url.searchParams.keys()], ['token']);
    const again = await send(reader, reset, { password: secret });
    const home = await logIn(reader, again, username, secret);
    assert.equal(home.url.pathname + home.url.search, isSame ? next : '/auth/home');
    // It counts once, and a newer request without `next` ends it.
    assert.ok(![...reader.cookies.keys()].some((key) => key.includes('reset-next')));
  }
});

test('a browser keeps no next beyond this site, and forgets one when it asks again without', async () => {
  const browser = await site.browser(false);
  const kept = () => [...browser.cookies.keys()].some((key) => key.includes('reset-next'));
  for (const [next, isKept] of [
    ['//evil.example.com/', false],
    ['/account', true],
    ['https://evil.example.com/', false],
    ['/account', true],
    [undefined, false],
  ] as const) {
    await browser.submit('/auth/forgot-password', { email: 'nobody@example.com', ...(next && { next }) });
    assert.equal(kept(), isKept, String(next));
  }
  // As from a program on the machine, or another port of it.
  const [username, secret] = ['planted@example.com', 'another long password'];
  await site.janua.people.add({ username, firstName: 'Eve', lastName: 'Evans', password });
  await browser.submit('/auth/forgot-password', { email: username, next: '/account' });
  for (const [key, cookie] of browser.cookies)
    if (key.includes('reset-next'))
      browser.cookies.set(key, { ...cookie, value: Buffer.from('//evil.example.com/').toString('base64url') });
  const reset = await openMail(site, browser, username);
  const login = await send(browser, reset, { password: secret });
  assert.ok(!login.url.searchParams.has('next'));
});

const toDocument = `/oidc/auth?client_id=${encodeURIComponent(document)}`;

test('no mail that a stranger asks for leads to anything but an application of the operator', async () => {
  const browser = await strict.browser(false);
  for (const [place, next] of [
    '//evil.example.com/',
    '/account/confirm-email?token=x',
    '/YOUR-ACCOUNT-IS-LOCKED',
    '/oidc/auth?client_id=unknown',
    toDocument,
  ].entries()) {
    const [stranger, owner] = [`stranger${place}@example.com`, `owner${place}@example.com`];
    await strict.janua.people.add({ username: owner, firstName: 'Eve', lastName: 'Evans', password });
    for (const [path, email] of [
      ['/auth/sign-up', stranger],
      ['/auth/forgot-password', owner],
    ] as const)
      assert.doesNotMatch((await browser.submit(path, { email, next })).text, /from there you continue/, next);
    for (const to of [stranger, owner])
      assert.deepEqual([...(await linkTo(strict.janua, to)).searchParams.keys()], ['token'], `${to}: ${next}`);
  }
});

test('no mailed link leads to another site', async () => {
  const browser = await strict.browser(false);
  for (const [place, next] of ['//evil.example.com/', toDocument].entries()) {
    const username = `careful${place}@example.com`;
    await strict.janua.people.add({ username, firstName: 'Eve', lastName: 'Evans', password });
    await browser.submit('/auth/token', { username, password, next });
    assert.deepEqual([...(await linkTo(strict.janua, username)).searchParams.keys()], ['token'], next);
  }
});

const secretOf = ({ text }: Place): string => /secret=([A-Z2-7]+)/.exec(text)?.[1] ?? assert.fail(text);

/** Adds an authenticator app, and gives the codes that it shows some seconds from now. */
async function addAppOf({ janua }: ProviderUnderTest, username: string) {
  const secret = await addApp(janua, await janua.account(username));
  return { time: (seconds: number) => codeOf(secret, Date.now() + seconds * 1000) };
}
