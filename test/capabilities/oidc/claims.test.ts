import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { claimsOf } from '../../../src/capabilities/oidc/claims.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import { ann, caller, password } from '../../janua.ts';
import { codeOf } from '../second-factor/authenticator-app.ts';
import { openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import { Browser } from './browser.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const now = () => server.janua.now();

async function requireAccount(username: string) {
  const account = await server.janua.account(username);
  return account;
}

let count = 0;

/** A new user, with the secret of an authenticator app. */
async function addUser({ hasApp = false } = {}) {
  count += 1;
  const username = `user-${count}@example.com`;
  await server.janua.people.add({ username, firstName: 'Uma', lastName: 'User', password });
  const { createEnrolmentLink, enrolment } = server.janua.services;
  if (!hasApp) return { username, nextCode: () => '' };
  const token = (await createEnrolmentLink(provedBy(await requireAccount(username)))).split('=')[1] ?? '';
  const { secret } = await enrolment.begin(token, caller);
  await enrolment.finish(token, codeOf(secret, now()), 'en', caller);
  return {
    username,
    /** A code that was not used yet. */
    nextCode() {
      server.janua.pass(60_000);
      return codeOf(secret, now());
    },
  };
}

async function logInWithPassword(username: string): Promise<Browser> {
  const browser = new Browser(server.origin);
  await browser.logIn(username, password);
  return browser;
}

/** A session that began with a password alone, of a user who has added an authenticator app since. */
async function startWithPassword(username: string): Promise<Browser> {
  const account = await requireAccount(username);
  const session = await server.janua.services.sessions.start(
    { userId: account.user.id, stamp: stampOf(account) },
    { methods: ['pwd'] },
  );
  const browser = new Browser(server.origin);
  browser.cookies.set('session', { value: session.cookie, path: '/' });
  return browser;
}

describe('what an application gets to know', () => {
  test('is the same random subject for all applications', async () => {
    const browser = await server.browser();
    const [one, two] = [await server.addApplication(), await server.addApplication()];
    const subjects = [(await one.signIn(browser)).claims()?.sub, (await two.signIn(browser)).claims()?.sub];
    assert.match(subjects[0] ?? '', /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
    assert.equal(subjects[0], subjects[1]);
    assert.notEqual(subjects[0], (await requireAccount(ann.username)).user.id);
  });

  test('is when the user proved their identity, and not when the session was used', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const loggedIn = now();
    for (let use = 0; use < 2; use += 1) {
      server.janua.pass(10 * 60_000);
      assert.equal((await browser.open('/api/me')).status, 200);
    }
    const { auth_time: time = 0 } = (await app.signIn(browser)).claims() ?? {};
    assert.ok(time > 0 && time <= loggedIn / 1000, `${time}, login at ${loggedIn / 1000}`);
  });

  test('is whether the address is verified', async () => {
    const app = await server.addApplication();
    const claims = (await app.signIn(await server.browser())).claims();
    assert.equal(claims?.email_verified, false);
    const { username } = await addUser();
    await server.janua.services.administration.verify(username);
    assert.equal((await app.signIn(await logInWithPassword(username))).claims()?.email_verified, true);
  });

  test('is the user name as an address only where it is one', () => {
    const user = { id: '7', firstName: 'Ann', lastName: 'Archer', groups: [] };
    for (const [username, isAddress] of [
      ['ann@example.com', true],
      ['jörg@bücher.example', true],
      ['ann', false],
      ['EMP-0007', false],
      ['ann@', false],
      ['ann@[127.0.0.1]', false],
      ['ann@example.com,eve@example.com', false],
    ] as const) {
      const account = {
        user: { ...user, username },
        isAddressVerified: true,
        passwordHash: '',
        disabled: false,
        scopes: [],
        stamp: '',
      };
      const claims = claimsOf('subject', account);
      assert.equal(claims.preferred_username, username);
      const { email, email_verified } = { email: undefined, email_verified: undefined, ...claims };
      assert.deepEqual([email, email_verified], isAddress ? [username, true] : [undefined, undefined], username);
    }
  });

  test('are the groups, as they are now, and the language that the user chose', async () => {
    const app = await server.addApplication();
    const { username } = await addUser();
    const browser = await logInWithPassword(username);
    const first = await app.signIn(browser, { scope: 'openid profile groups' });
    assert.deepEqual(first.claims()?.groups, []);
    assert.equal(first.claims()?.locale, undefined);
    const { groups, administration } = server.janua.services;
    await groups.add({ name: 'editors', description: '', scopes: [] });
    await administration.changeGroups(username, { add: ['editors'] });
    await browser.submit('/auth/language', { language: 'de' });
    const next = await openid.refreshTokenGrant(app.config, first.refresh_token ?? '');
    assert.deepEqual(next.claims()?.groups, ['editors']);
    assert.equal(next.claims()?.locale, 'de');
  });
});

describe('how surely it is the user', () => {
  test('is said after a second factor', async () => {
    const app = await server.addApplication();
    const { username, nextCode } = await addUser({ hasApp: true });
    const browser = new Browser(server.origin);
    const begun = await app.begin();
    const page = await browser.open(begun.address);
    const next = page.url.searchParams.get('next') ?? '';
    const second = await browser.submit('/auth/token', { username, password, next });
    assert.match(second.url.pathname, /^\/auth\/second-factor/);
    // A pending login is no login.
    const { address } = await app.begin({ prompt: 'none' });
    assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'login_required');
    const answer = await browser.submit('/auth/second-factor', { method: 'totp', code: nextCode(), next });
    const claims = (await app.finish(begun, requireAnswer(answer))).claims();
    assert.equal(claims?.acr, 'urn:janua:2fa');
    assert.deepEqual(String(claims?.amr).split(',').sort(), ['mfa', 'otp', 'pwd']);
    assert.ok(claims?.auth_time);
  });

  const demands = {
    'acr_values asks': { settings: {}, parameters: { acr_values: 'urn:janua:2fa' } },
    'an essential claim asks': {
      settings: {},
      parameters: { claims: JSON.stringify({ id_token: { acr: { essential: true, values: ['urn:janua:2fa'] } } }) },
    },
    'the client demands it': { settings: { secondFactor: true }, parameters: {} },
  };
  for (const [name, { settings, parameters }] of Object.entries(demands)) {
    test(`is proved by a second factor where ${name}`, async () => {
      const app = await server.addApplication(settings);
      const { username, nextCode } = await addUser({ hasApp: true });
      const browser = await startWithPassword(username);
      const { address } = await app.begin({ ...parameters, prompt: 'none' });
      assert.match(requireAnswer(await browser.open(address)).searchParams.get('error') ?? '', /_required$/);
      const begun = await app.begin(parameters);
      const page = await browser.open(begun.address);
      assert.match(page.url.pathname, /^\/auth\/confirm/);
      const next = page.url.searchParams.get('next') ?? '';
      const answer = await browser.submit('/auth/confirm', { password, code: nextCode(), next });
      const claims = (await app.finish(begun, requireAnswer(answer))).claims();
      assert.equal(claims?.acr, 'urn:janua:2fa');
      assert.match(String(claims?.amr), /\botp\b/);
      assert.ok((await app.signIn(browser, { ...parameters, prompt: 'none' })).id_token);
    });
  }

  test('is told to be missing where an essential claim asks for what there is not', async () => {
    const app = await server.addApplication();
    const { username, nextCode } = await addUser({ hasApp: true });
    const browser = await startWithPassword(username);
    const values = ['urn:other:3fa'];
    const begun = await app.begin({ claims: JSON.stringify({ id_token: { acr: { essential: true, values } } }) });
    const next = (await browser.open(begun.address)).url.searchParams.get('next') ?? '';
    const answer = requireAnswer(await browser.submit('/auth/confirm', { password, code: nextCode(), next }));
    assert.equal(answer.searchParams.get('error'), 'unmet_authentication_requirements');
  });

  test('is only a wish in acr_values: a user without a second factor gets in, and the application gets to know', async () => {
    const app = await server.addApplication();
    const { username } = await addUser();
    const tokens = await app.signIn(await logInWithPassword(username), { acr_values: 'urn:janua:2fa' });
    assert.equal(tokens.claims()?.acr, 'urn:janua:1fa');
  });

  test('is demanded: a user without a second factor is led to add one', async () => {
    const app = await server.addApplication({ secondFactor: true });
    const { username } = await addUser();
    const browser = await logInWithPassword(username);
    const begun = await app.begin();
    const place = await browser.open(begun.address);
    assert.ok(!place.isElsewhere);
    assert.equal(place.url.pathname, '/account/security');
    assert.equal(place.url.searchParams.get('state'), '7');

    // The pages keep where the user wanted to go, to the end.
    const hidden = (text: string) => /name="next" value="([^"]+)"/.exec(text)?.[1]?.replaceAll('&amp;', '&') ?? '';
    const page = await browser.submit('/account/security/totp/begin', { next: hidden(place.text) });
    const secret = /secret=([A-Z2-7]{32})/.exec(page.text)?.[1] ?? '';
    const wrong = await browser.submit('/account/security/totp', { code: '000000', next: hidden(page.text) });
    const right = { code: codeOf(secret, now()), next: hidden(wrong.text) };
    const codes = await browser.submit('/account/security/totp', right);
    const link =
      /<a class="button" href="(\/oidc\/[^"]+)">/.exec(codes.text)?.[1]?.replaceAll('&amp;', '&') ??
      assert.fail(codes.text);
    const tokens = await app.finish(begun, requireAnswer(await browser.open(link)));
    assert.equal(tokens.claims()?.acr, 'urn:janua:2fa');
  });

  test('leads nowhere else when a factor is added, whatever the form sends', async () => {
    const { username } = await addUser();
    const browser = await logInWithPassword(username);
    const place = await browser.open('/account/security?next=//evil.example');
    assert.doesNotMatch(place.text, /value="\/\/evil/);
    const page = await browser.submit('/account/security/totp/begin', {});
    const secret = /secret=([A-Z2-7]{32})/.exec(page.text)?.[1] ?? '';
    const sent = { code: codeOf(secret, now()), next: 'https://evil.example/' };
    const codes = await browser.submit('/account/security/totp', sent);
    assert.match(codes.text, /<a class="button" href="\/account\/security\?state=\d+">/);
  });
});
