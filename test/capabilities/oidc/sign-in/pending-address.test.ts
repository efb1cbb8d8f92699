import assert from 'node:assert/strict';
import { after, before, describe, type TestContext, test } from 'node:test';
import { provedBy } from '../../../../src/core/users/held.ts';
import { ann, caller, password } from '../../../janua.ts';
import { codeOf } from '../../second-factor/authenticator-app.ts';
import { createGoogle, googleUser } from '../../upstream/fakes.ts';
import { google, writeUpstreams } from '../../upstream/opened.ts';
import {
  type Application,
  type Begun,
  openProvider,
  type ProviderUnderTest,
  post,
  requireAnswer,
} from '../application.ts';
import type { Browser, Place } from '../browser.ts';

const fake = createGoogle();
const file = writeUpstreams([google]);
let server: ProviderUnderTest;
before(async () => {
  server = await openProvider({
    settings: { UPSTREAMS_FILE: file.path, SIGN_UP: 'on' },
    overrides: { fetch: fake.fetch },
  });
});
after(async () => {
  await server[Symbol.asyncDispose]();
  file[Symbol.dispose]();
});

type Sent = Readonly<Record<string, string>>;

const longestRequest = 2700;

/** Begins a sign-in whose request is as long as one may be that waits, or longer. */
async function beginLongest(app: Application, more = 0): Promise<Begun> {
  const { address } = await app.begin();
  const length = longestRequest - (address.search.length - 1) - '&login_hint='.length + more;
  // No page shows so long a hint, and no library sends it back.
  const hint = 'x'.repeat(Math.min(length, 2000));
  const rest = length - hint.length - '&ui_locales='.length;
  return app.begin({ login_hint: hint, ...(rest > 0 && { ui_locales: 'x'.repeat(rest) }) });
}

const nextOf = ({ url }: Place): string => {
  assert.equal(url.pathname, '/auth/login', url.href);
  return url.searchParams.get('next') ?? '';
};

const submit = (browser: Browser, next: string, typed = password) =>
  browser.submit('/auth/token', { username: ann.username, password: typed, next });

describe('a browser without a session', () => {
  test('keeps the request in the address that the login leads back to, and gets no cookie', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const begun = await app.begin();
    const next = nextOf(await browser.open(begun.address));
    assert.match(next, /^\/oidc\/auth\?/);
    for (const [name, value] of begun.address.searchParams)
      assert.equal(new URL(next, server.origin).searchParams.get(name), value, name);
    assert.equal(browser.cookies.size, 0);
    assert.ok((await app.finish(begun, requireAnswer(await submit(browser, next)))).id_token);
  });

  test('gets 401 as a program, and nothing waits', async () => {
    const app = await server.addApplication();
    const headers = { 'x-expected-format': 'application/json' };
    const answer = await fetch((await app.begin()).address, { headers, redirect: 'manual' });
    assert.deepEqual([answer.status, answer.headers.getSetCookie()], [401, []]);
    assert.equal(((await answer.json()) as { detail: string }).detail, 'Not authenticated');
  });

  test('signs in to two applications in two tabs', async () => {
    const [wiki, chat] = [await server.addApplication(), await server.addApplication({ name: 'Chat' })];
    const browser = await server.browser(false);
    const [one, two] = [await wiki.begin(), await chat.begin({ prompt: 'login' })];
    const [first, second] = [nextOf(await browser.open(one.address)), nextOf(await browser.open(two.address))];
    assert.ok((await chat.finish(two, requireAnswer(await submit(browser, second)))).id_token);
    assert.ok((await wiki.finish(one, requireAnswer(await browser.open(first)))).id_token);
    assert.ok((await wiki.finish(one, requireAnswer(await submit(browser, first)))).id_token);
  });

  test('that goes back to the request gets another code in the session', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const begun = await app.begin({ prompt: 'login' });
    const next = nextOf(await browser.open(begun.address));
    await app.finish(begun, requireAnswer(await submit(browser, next)));
    assert.ok((await app.finish(begun, requireAnswer(await browser.open(next)))).id_token);
    await browser.submit('/auth/logout', {});
    assert.match(nextOf(await browser.open(next)), /^\/oidc\/auth\?/);
  });

  test('gets the errors of the protocol before the login', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    for (const [parameters, error] of [
      [{ prompt: 'none' }, 'login_required'],
      [{ scope: 'openid', claims: '{' }, 'invalid_request'],
    ] as const) {
      const answer = requireAnswer(await browser.open((await app.begin(parameters)).address));
      assert.equal(answer.searchParams.get('error'), error);
    }
    const { address } = await app.begin({ redirect_uri: 'https://evil.example.com/' });
    assert.equal((await browser.open(address)).status, 400);
  });
});

/** What a user may do between the request and the login. It gives the answer of the login. */
const ways: Readonly<Record<string, (browser: Browser, login: Place) => Promise<Place>>> = {
  'the login page': (browser, login) => submit(browser, nextOf(login)),
  'a wrong password': async (browser, login) =>
    submit(browser, nextOf(await submit(browser, nextOf(login), 'a wrong password'))),
  'a refused passkey': async (browser, login) =>
    submit(browser, nextOf(await browser.submit('/auth/passkey', { credential: '{}', next: nextOf(login) }))),
  'another language': async (browser, { url }) => {
    const page = await browser.submit('/auth/language', { language: 'de', next: url.pathname + url.search });
    assert.equal(page.headers.get('content-language'), 'de');
    return submit(browser, nextOf(page));
  },
  'a second factor': async (browser, login) => {
    const { services, people } = server.janua;
    const username = 'factor@example.com';
    await people.add({ username, firstName: 'Fay', lastName: 'Factor', password });
    const account = await server.janua.account(username);
    const token = (await services.createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
    const { secret } = await services.enrolment.begin(token, caller);
    const { now } = server.janua;
    await services.enrolment.finish(token, codeOf(secret, now()), 'en', caller);
    const { url } = await browser.submit('/auth/token', { username, password, next: nextOf(login) });
    assert.equal(url.pathname, '/auth/second-factor');
    server.janua.pass(60_000);
    const next = url.searchParams.get('next') ?? '';
    return browser.submit('/auth/second-factor', { method: 'totp', code: codeOf(secret, now()), next });
  },
  'another provider': async (browser, login) => {
    const lead = requireAnswer(await browser.submit('/auth/upstream/google', { next: nextOf(login) }));
    // Over HTTPS the name has a prefix.
    for (const [name, { value }] of browser.cookies)
      assert.ok('__Host-'.length + name.length + 1 + value.length <= 4096, `browsers drop the cookie ${name}`);
    return browser.open(fake.authorize(lead.href, googleUser()));
  },
};

describe('the longest request comes through', () => {
  for (const [way, logIn] of Object.entries(ways))
    test(way, async () => {
      const [app, browser] = [await server.addApplication(), await server.browser(false)];
      const begun = await beginLongest(app);
      const login = await browser.open(begun.address);
      assert.ok((await app.finish(begun, requireAnswer(await logIn(browser, login)))).id_token);
    });

  test('a consent', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const begun = await beginLongest(app);
    const page = await browser.open(begun.address);
    assert.ok((await app.finish(begun, requireAnswer(await browser.submit(page.url, { decision: 'allow' })))).id_token);
  });
});

describe('a longer request', () => {
  const cases: Readonly<Record<string, (app: Application) => Promise<Begun>>> = {
    'with a long parameter': (app) => app.begin({ login_hint: 'x'.repeat(2049) }),
    'with many characters': (app) => beginLongest(app, 1),
    'with many characters that are escaped': (app) => app.begin({ login_hint: '€'.repeat(400) }),
  };
  for (const [name, begin] of Object.entries(cases))
    test(`${name} is refused at the application, whether a user is signed in or not`, async () => {
      const app = await server.addApplication({ own: false });
      for (const browser of [await server.browser(false), await server.browser()]) {
        const begun = await begin(app);
        const { searchParams } = requireAnswer(await browser.open(begun.address));
        assert.equal(searchParams.get('error'), 'invalid_request');
        assert.match(searchParams.get('error_description') ?? '', /more than 2\d+ characters: make .* shorter/);
        assert.equal(searchParams.get('state'), begun.state);
      }
    });

  test('needs an address that is registered', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const { address } = await app.begin({ login_hint: 'x'.repeat(3000), redirect_uri: 'https://evil.example.com/' });
    const page = await browser.open(address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
  });

  test('is answered where nothing has to wait', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    assert.ok((await app.signIn(browser, { login_hint: 'x'.repeat(3000) })).id_token);
  });

  test('of more than 8,192 characters is refused by a page, or as JSON, that says so', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser(false)];
    const { address } = await app.begin({ state: 'x'.repeat(8192) });
    const form = Object.fromEntries(address.searchParams);
    for (const page of [await browser.open(address), await browser.submitFromElsewhere('/oidc/auth', form)]) {
      assert.deepEqual([page.isElsewhere, page.status], [false, 414]);
      assert.match(page.text, /The request of the application is too long/);
    }
    const posted = await fetch(`${server.origin}/oidc/auth`, { method: 'POST', body: new URLSearchParams(form) });
    assert.deepEqual([posted.status, posted.headers.get('refresh')], [414, null]);
    const answer = await fetch(address, { headers: { 'x-expected-format': 'application/json' } });
    const { detail } = (await answer.json()) as { detail: string };
    assert.match(detail, /more than 8,192 characters/);
  });

  test('of a device is refused as the protocol says', async () => {
    const app = await server.addApplication({ isPublic: true, device: true, redirectUris: [] });
    const ask = async (fields: Sent) => {
      const sent = { client_id: app.clientId, scope: 'openid', ...fields };
      const answer = await post(server, '/oidc/device-authorization', sent);
      return { status: answer.status, body: (await answer.json()) as { error?: string; error_description?: string } };
    };
    assert.equal((await ask({ login_hint: 'x'.repeat(2048) })).status, 200);
    for (const fields of [
      { login_hint: 'x'.repeat(2049) },
      { login_hint: 'x'.repeat(2000), ui_locales: 'x'.repeat(700) },
      { claims: JSON.stringify({ userinfo: { ['x'.repeat(50_000)]: null } }) },
    ]) {
      const { status, body } = await ask(fields);
      assert.deepEqual([status, body.error], [400, 'invalid_request']);
      assert.match(body.error_description ?? '', /more than 2\d+ characters/);
    }
  });
});

/** A user who logs in at the time of the test, after a browser has kept a request. */
async function logInLater(t: TestContext, parameters: Sent) {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  server.janua.pass(Date.now() - server.janua.now());
  const [app, browser] = [await server.addApplication(), await server.browser(false)];
  const begun = await app.begin(parameters);
  const next = nextOf(await browser.open(begun.address));
  t.mock.timers.tick(1000);
  await browser.logIn(ann.username, password);
  t.mock.timers.tick(2000);
  return { app, browser, begun, next, pass: (milliseconds: number) => t.mock.timers.tick(milliseconds) };
}

type Later = Awaited<ReturnType<typeof logInLater>>;

describe('a login after the request', () => {
  for (const parameters of [{ prompt: 'login' }, { max_age: '0' }, { max_age: '1' }]) {
    test(`is the proof that ${JSON.stringify(parameters)} asks for`, async (t) => {
      const { app, browser, begun, next } = await logInLater(t, parameters);
      assert.ok((await app.finish(begun, requireAnswer(await browser.open(next)))).claims()?.auth_time);
      // Another request asks again.
      assert.equal((await browser.open((await app.begin(parameters)).address)).url.pathname, '/auth/confirm');
    });
  }

  test('is not asked for again after a consent', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser(false)];
    const begun = await app.begin({ prompt: 'login consent' });
    const page = await submit(browser, nextOf(await browser.open(begun.address)));
    assert.match(page.url.pathname, /^\/oidc\/interaction\//);
    assert.ok((await app.finish(begun, requireAnswer(await browser.submit(page.url, { decision: 'allow' })))).id_token);
  });

  const forgeries: Readonly<Record<string, (later: Later) => Promise<string> | string>> = {
    'without its time': ({ next }) => next.replace(/&asked_at=.*/, ''),
    'with an earlier time': ({ next }) => next.replace(/asked_at=(\d+)/, (_, at) => `asked_at=${Number(at) - 5000}`),
    'with another signature': ({ next }) => next.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A')),
    'with another state': ({ next }) => next.replace(/state=[^&]*/, 'state=other'),
    'with the time of another request': async ({ next, app }) => {
      const { address } = await app.begin({ prompt: 'login' });
      return `/oidc/auth${address.search}&${/asked_at=.*/.exec(next)?.[0]}`;
    },
    'after a quarter of an hour': ({ next, pass }) => {
      pass(15 * 60_000);
      return next;
    },
  };
  for (const [name, forge] of Object.entries(forgeries)) {
    test(`is no proof for a request ${name}`, async (t) => {
      const later = await logInLater(t, { prompt: 'login' });
      const place = await later.browser.open(await forge(later));
      assert.equal(place.url.pathname, '/auth/confirm');
    });
  }

  test('has to be later: a session that was there before is asked', async () => {
    const [app, stranger] = [await server.addApplication(), await server.browser(false)];
    const browser = await server.browser();
    server.janua.pass(1000);
    const begun = await app.begin({ prompt: 'login' });
    const next = nextOf(await stranger.open(begun.address));
    const asked = await browser.open(next);
    assert.equal(asked.url.pathname, '/auth/confirm');
    const back = asked.url.searchParams.get('next') ?? '';
    const answer = await browser.submit('/auth/confirm', { password, next: back });
    assert.ok((await app.finish(begun, requireAnswer(answer))).id_token);
  });
});
