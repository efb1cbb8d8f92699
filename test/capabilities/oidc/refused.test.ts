import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import type { NewClient } from '../../../src/capabilities/oidc/clients/clients.ts';
import { explain } from '../../../src/core/audit/explanation.ts';
import { events } from '../../../src/site.ts';
import { ann, password } from '../../janua.ts';
import { openProvider, type ProviderUnderTest, post, requireAnswer } from './application.ts';
import type { Browser, Place } from './browser.ts';

/** Why Ann cannot use an application: a server of its own, the settings of the client, and what the page says. */
const barriers = {
  'she is in none of its groups': {
    ...{ settings: {}, client: { groups: ['staff'] }, says: /may not use this application/ },
    advice: `janua users groups ${ann.username} --add staff`,
  },
  'it demands a second factor, and there are none': {
    ...{ settings: { SECOND_FACTOR: 'off' as const }, client: { secondFactor: true }, says: /this site offers none/ },
    advice: '--no-second-factor',
  },
} as const satisfies Readonly<Record<string, object>>;

for (const [why, { settings, client, says, advice }] of Object.entries(barriers))
  describe(`an application that Ann cannot use because ${why}`, () => {
    let server: ProviderUnderTest;
    before(async () => {
      server = await openProvider({ settings });
      await server.janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
    });
    after(() => server[Symbol.asyncDispose]());

    const addApplication = (more: Partial<NewClient> = {}) =>
      server.addApplication({ ...client, groups: [...('groups' in client ? client.groups : [])], own: false, ...more });

    const explainShown = async ({ text, headers }: Pick<Place, 'text' | 'headers'>) => {
      const id = headers.get('x-request-id') ?? '';
      assert.ok(text.includes(id), 'the page shows the id');
      const [event] = await server.janua.services.auditTrail.findByRequestId(id);
      assert.ok(event && 'kind' in event);
      return explain(event, events, { username: ann.username })
        .map((line) => line.join(' '))
        .join('\n');
    };

    test('is named on a page with the account, and gets to know when she goes back', async () => {
      const [app, browser] = [await addApplication(), await server.browser()];
      const begun = await app.begin();
      const page = await browser.open(begun.address);
      assert.deepEqual([page.isElsewhere, page.status], [false, 403], page.text);
      for (const shown of ['You cannot use Wiki', ann.username, 'Use another account', 'Back to Wiki'])
        assert.ok(page.text.includes(shown), shown);
      assert.match(page.text, says);
      assert.match(page.text, /<form method="post" action="\/auth\/logout"><button/);
      const explained = await explainShown(page);
      assert.ok(explained.includes(advice), explained);
      assert.ok(explained.includes(app.clientId));
      assert.equal((await browser.submit(page.url, { decision: 'allow' })).status, 403);
      const answer = requireAnswer(await browser.submit(page.url, { decision: 'deny' }));
      assert.equal(answer.origin + answer.pathname, app.redirectUri);
      const { error, state, iss, code } = Object.fromEntries(answer.searchParams);
      assert.deepEqual([error, state, iss, code], ['access_denied', begun.state, server.origin, undefined]);
      assert.equal((await browser.open(page.url)).status, 400, 'nothing waits any more');
    });

    test('opens with another account, and until then the session goes on', async () => {
      const [app, browser] = [await addApplication(), await server.browser()];
      const begun = await app.begin({ login_hint: ann.username });
      const page = await browser.open(begun.address);
      server.janua.pass(1000);
      let login = await browser.submit(page.url, { decision: 'another' });
      assert.equal(login.url.pathname, '/auth/login');
      assert.match(login.text, /name="username" value=""/);
      assert.equal((await browser.open('/api/me')).status, 200);
      const next = login.url.searchParams.get('next') ?? '';
      login = await browser.submit('/auth/token', { username: ann.username, password: 'wrong', next });
      assert.equal(login.url.pathname, '/auth/login', 'after a wrong password');
      const again = await browser.submit('/auth/token', { username: ann.username, password, next });
      assert.equal(again.status, 403, 'with the same account');
      if (!('groups' in client)) return;

      const username = `bob-${randomUUID()}@example.com`;
      await server.janua.people.add({ username, password, firstName: 'Bob', lastName: 'Baker' });
      await server.janua.services.administration.changeGroups(username, { add: ['staff'] });
      const consent = await browser.submit('/auth/token', { username, password, next });
      const answer = requireAnswer(await browser.submit(consent.url, { decision: 'allow' }));
      const tokens = await app.finish(begun, answer);
      assert.equal(tokens.claims()?.email, username);
    });

    for (const redirect of ['http://127.0.0.1/callback', 'http://localhost/callback', 'com.example.app:/callback'])
      test(`is told at once at ${redirect}`, async () => {
        const app = await addApplication({ isPublic: true, redirectUris: [redirect] });
        const browser = await server.browser();
        const answer = requireAnswer(await browser.open((await app.begin()).address));
        assert.equal(answer.searchParams.get('error'), 'access_denied');
      });

    const openDevice = (browser: Browser, code: string) => browser.open(`/oidc/device?user_code=${code}`);

    for (const format of ['page', 'JSON'])
      test(`on a device is told at once, by ${format}`, async () => {
        const app = await addApplication({ isPublic: true, device: true, redirectUris: [], name: 'Television' });
        const device = await openid.initiateDeviceAuthorization(app.config, { scope: 'openid' });
        const browser = await server.browser();
        if (format === 'page') {
          const page = await openDevice(browser, device.user_code);
          assert.equal(page.status, 403);
          for (const shown of ['You cannot use Television', ann.username]) assert.ok(page.text.includes(shown), shown);
          assert.ok((await explainShown(page)).includes(advice));
        } else {
          const headers = { cookie: browser.cookieHeader('/') };
          const answer = await fetch(`${server.origin}/api/oidc/device?user_code=${device.user_code}`, { headers });
          assert.deepEqual([answer.status, ((await answer.json()) as { error: string }).error], [403, 'access_denied']);
        }
        const poll = { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: app.clientId };
        const told = await post(server, '/oidc/token', { ...poll, device_code: device.device_code });
        assert.equal(((await told.json()) as { error: string }).error, 'access_denied');
        assert.match((await openDevice(browser, device.user_code)).text, /There is no device/);
      });
  });

test('an essential second factor that nobody can have is refused to the application at once', async () => {
  await using server = await openProvider({ settings: { SECOND_FACTOR: 'off' } });
  const app = await server.addApplication();
  const claims = JSON.stringify({ id_token: { acr: { essential: true, value: 'urn:janua:2fa' } } });
  const answer = requireAnswer(await (await server.browser()).open((await app.begin({ claims })).address));
  assert.equal(answer.searchParams.get('error'), 'unmet_authentication_requirements');
});

test('the login page leads a user who is signed in on at once, unless the user asked for another account', async () => {
  await using server = await openProvider();
  const app = await server.addApplication();
  const login = await (await server.browser(false)).open((await app.begin()).address);
  const next = login.url.searchParams.get('next') ?? '';
  const browser = await server.browser();
  for (const [to, place] of [
    [next, '/callback'],
    ['/oidc/auth?asked_at=9999999999999.x', '/oidc/auth'],
    ['/account', '/account'],
    ['', '/auth/home'],
  ] as const)
    assert.equal((await browser.open(`/auth/login?next=${encodeURIComponent(to)}`)).url.pathname, place, to);
  const other = await browser.open(`/auth/login?account=other&next=${encodeURIComponent(next)}`);
  assert.equal(other.url.pathname, '/auth/login');
});
