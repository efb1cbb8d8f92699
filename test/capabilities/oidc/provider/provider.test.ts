import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import * as openid from 'openid-client';
import { ann, password } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import { createTemporaryFolder } from '../../../servers/process-end.ts';
import type { StoreChoice } from '../../../stores.ts';
import {
  type Application,
  introspect,
  openProvider,
  type ProviderUnderTest,
  requireAnswer,
  rowsOf,
} from '../application.ts';
import type { Browser } from '../browser.ts';

const newPassword = 'a new horse with a battery';
const bob = { username: 'bob@example.com', firstName: 'Bob', lastName: 'Baker' };
const loopback = 'http://127.0.0.1/callback';

type Tokens = Awaited<ReturnType<Application['signIn']>>;

const refreshed = (app: Application, token: string | undefined) => openid.refreshTokenGrant(app.config, token ?? '');

const refused = (error: string) => (thrown: unknown) =>
  thrown instanceof openid.ResponseBodyError && thrown.error === error;

const informed = (app: Application, tokens: Tokens) =>
  openid.fetchUserInfo(app.config, tokens.access_token, openid.skipSubjectCheck);

/** Everything that a browser and an application hold stops to work at the next request. */
async function assertEnded(app: Application, tokens: Tokens, browser: Browser): Promise<void> {
  await assert.rejects(informed(app, tokens), /401|invalid_token|WWW/i);
  assert.equal((await introspect(app, tokens.access_token)).active, false);
  assert.equal((await introspect(app, tokens.refresh_token)).active, false);
  const { address } = await app.begin({ prompt: 'none' });
  assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'login_required');
  await assert.rejects(refreshed(app, tokens.refresh_token), refused('invalid_grant'));
}

async function assertWorks(app: Application, tokens: Tokens): Promise<Tokens> {
  assert.equal((await informed(app, tokens)).email, ann.username);
  const next = await refreshed(app, tokens.refresh_token);
  assert.equal((await informed(app, next)).email, ann.username);
  return next;
}

/** Signs in to an application that is not the operator's own: the user says yes. */
async function letIn(app: Application, browser: Browser, parameters: Readonly<Record<string, string>> = {}) {
  const begun = await app.begin(parameters);
  const page = await browser.open(begun.address);
  assert.match(page.url.pathname, /^\/oidc\/interaction\//);
  const answer = await browser.submit(page.url, { decision: 'allow' });
  return app.finish(begun, requireAnswer(answer));
}

async function signInDevice(app: Application, browser: Browser) {
  const device = await openid.initiateDeviceAuthorization(app.config, { scope: 'openid email' });
  await browser.submit('/oidc/device', { user_code: device.user_code, decision: 'allow' });
  const tokens = await openid.pollDeviceAuthorizationGrant(app.config, { ...device, interval: 0 });
  return { device, tokens };
}

const offline = { scope: 'openid email offline_access', prompt: 'consent' };

/** Each way in which an application gets what lasts without the session. */
const lasting: Readonly<
  Record<string, (server: ProviderUnderTest, browser: Browser) => Promise<{ app: Application; tokens: Tokens }>>
> = {
  'offline access': async (server, browser) => {
    const app = await server.addApplication({ own: false });
    return { app, tokens: await letIn(app, browser, offline) };
  },
  'a native application': async (server, browser) => {
    const app = await server.addApplication({ own: false, isPublic: true, redirectUris: [loopback] });
    return { app, tokens: await letIn(app, browser) };
  },
  'a device': async (server, browser) => {
    const app = await server.addApplication({ own: false, isPublic: true, device: true });
    return { app, tokens: (await signInDevice(app, browser)).tokens };
  },
};

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[]) {
  const hasOwnTable = 'ownTable' in stores;
  const table = hasOwnTable ? "a team's own table in " : '';
  describe(`the provider, users in ${table}${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    const open = () => openProvider({ stores });

    test('signs a user in to an application, who logs in on the way', async () => {
      await using server = await open();
      const app = await server.addApplication();
      const browser = await server.browser(false);
      const begun = await app.begin();
      const page = await browser.open(begun.address);
      assert.match(page.url.pathname, /^\/auth\/login/);
      const next = page.url.searchParams.get('next') ?? '';
      const answer = await browser.submit('/auth/token', { username: ann.username, password, next });
      // After a form, a page leads on.
      assert.equal(answer.status, 200);
      const tokens = await app.finish(begun, requireAnswer(answer));
      const claims = tokens.claims();
      assert.equal(claims?.email, ann.username);
      assert.deepEqual(claims?.amr, ['pwd']);
      assert.equal(claims?.acr, 'urn:janua:1fa');
      assert.notEqual(claims?.sub, ann.username);
      const info = await openid.fetchUserInfo(app.config, tokens.access_token, claims?.sub ?? '');
      assert.equal(info.name, 'Ann Archer');
      assert.equal(info.preferred_username, ann.username);
    });

    const endings: Readonly<Record<string, (server: ProviderUnderTest, browser: Browser) => Promise<unknown>>> = {
      'a logout': (_server, browser) => browser.submit('/auth/logout', {}),
      'an end in the list of sessions': async (server, browser) => {
        const { sessions } = JSON.parse((await browser.open('/api/account/sessions')).text);
        const other = await server.browser();
        await other.submit('/account/sessions/end', { id: sessions[0].id });
      },
      ...(!hasOwnTable && {
        'a password that its owner changes elsewhere': async (server: ProviderUnderTest) => {
          const other = await server.browser();
          const fields = { current_password: password, new_password: newPassword };
          assert.equal((await other.submit('/account/password', fields)).status, 200);
        },
        'an administrator who ends the sessions': async ({ janua: { services } }: ProviderUnderTest) => {
          await services.administration.endSessions(ann.username);
        },
      }),
      'a password that an administrator sets': ({ janua }) => janua.people.setPassword(ann.username, newPassword),
      'an account that is disabled': ({ janua }) => janua.people.disable(ann.username),
      'an account that is removed': ({ janua }) => janua.people.remove(ann.username),
    };
    for (const [name, end] of Object.entries(endings)) {
      test(`${name} ends what applications hold of the session at the next request`, async () => {
        await using server = await open();
        const [app, browser] = [await server.addApplication(), await server.browser()];
        const tokens = await app.signIn(browser);
        const next = await assertWorks(app, tokens);
        // The application asked for it, but the user let it do so on no page.
        const kept = await app.signIn(browser, { scope: 'openid email offline_access' });
        await end(server, browser);
        await assertEnded(app, next, browser);
        await assertEnded(app, kept, browser);
      });
    }

    // How an application gets it is the same with all stores.
    const isFirst = stores.users === 'SQLite' && !hasOwnTable;
    for (const [name, signIn] of Object.entries(lasting).slice(0, isFirst ? undefined : 1)) {
      test(`what ${name} gets outlives the logout and ends by a revocation, a new password or disabling`, async () => {
        await using server = await open();
        const { people } = server.janua;
        const browser = await server.browser();
        let { app, tokens } = await signIn(server, browser);
        await browser.submit('/auth/logout', {});
        tokens = await assertWorks(app, tokens);

        await browser.logIn(ann.username, password);
        assert.match((await browser.open('/account/applications')).text, /Wiki/);
        await browser.submit('/account/applications/revoke', { client_id: app.clientId });
        await assert.rejects(refreshed(app, tokens.refresh_token), refused('invalid_grant'));
        await assert.rejects(informed(app, tokens));

        ({ app, tokens } = await signIn(server, browser));
        await people.setPassword(ann.username, newPassword);
        await assert.rejects(informed(app, tokens));
        await assert.rejects(refreshed(app, tokens.refresh_token), refused('invalid_grant'));

        await browser.logIn(ann.username, newPassword);
        ({ app, tokens } = await signIn(server, browser));
        await people.disable(ann.username);
        await assert.rejects(informed(app, tokens));
        await assert.rejects(refreshed(app, tokens.refresh_token), refused('invalid_grant'));
      });
    }

    test('another user in the same browser inherits nothing', async () => {
      await using server = await open();
      await server.janua.people.add({ ...bob, password });
      const [app, browser] = [await server.addApplication(), await server.browser()];
      const ofAnn = await app.signIn(browser);
      await browser.logIn(bob.username, password);
      const ofBob = await app.signIn(browser, { prompt: 'none' });
      assert.equal(ofBob.claims()?.email, bob.username);
      assert.notEqual(ofBob.claims()?.sub, ofAnn.claims()?.sub);
      const { address } = await app.begin({ prompt: 'none', id_token_hint: ofAnn.id_token ?? '' });
      assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'login_required');
      await assert.rejects(refreshed(app, ofAnn.refresh_token), refused('invalid_grant'));
    });

    test('of eight redemptions of a code at a time one gets tokens, and they are revoked', async () => {
      await using server = await open();
      const [app, browser] = [await server.addApplication(), await server.browser()];
      const begun = await app.begin();
      const answer = requireAnswer(await browser.open(begun.address));
      const results = await Promise.allSettled(Array.from({ length: 8 }, () => app.finish(begun, answer)));
      const got = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
      for (const result of results)
        if (result.status === 'rejected') assert.ok(refused('invalid_grant')(result.reason));
      // The winner gets none either if another request has revoked the grant before its tokens were stored.
      assert.ok(got.length <= 1);
      for (const tokens of got) await assertRevoked(app, tokens);
      await app.signIn(browser);
    });

    test('a code that is used again after 30 seconds revokes the tokens', async () => {
      await using server = await open();
      const [app, browser] = [await server.addApplication(), await server.browser()];
      for (const wait of [0, 30_000]) {
        const begun = await app.begin();
        const answer = requireAnswer(await browser.open(begun.address));
        const tokens = await app.finish(begun, answer);
        await informed(app, tokens);
        server.janua.pass(wait);
        await assert.rejects(app.finish(begun, answer), refused('invalid_grant'));
        await assertRevoked(app, tokens);
      }
    });

    test('eight refreshes with one token at a time are answered with the same successor', async () => {
      await using server = await open();
      const [app, browser] = [await server.addApplication(), await server.browser()];
      const { refresh_token: first } = await app.signIn(browser);
      const results = await Promise.all(Array.from({ length: 8 }, () => refreshed(app, first)));
      const successors = new Set(results.map((result) => result.refresh_token));
      assert.equal(successors.size, 1);
      assert.ok(!successors.has(first));
      for (const tokens of results) await informed(app, tokens);
      // The clock goes on by itself, too. A busy machine may take seconds up to here.
      server.janua.pass(4_000);
      const again = await refreshed(app, first);
      assert.ok(successors.has(again.refresh_token));
      server.janua.pass(6_000);
      await assert.rejects(refreshed(app, first), refused('invalid_grant'));
      await assertRevoked(app, again);
    });

    test('a refresh token is refused as soon as its successor was used, and the family ends', async () => {
      await using server = await open();
      const [app, browser] = [await server.addApplication(), await server.browser()];
      const { refresh_token: first } = await app.signIn(browser);
      const second = await refreshed(app, first);
      const third = await refreshed(app, second.refresh_token);
      await informed(app, third);
      await assert.rejects(refreshed(app, first), refused('invalid_grant'));
      await assertRevoked(app, third);
    });

    test('two applications sign in at the same time in one session', async () => {
      await using server = await open();
      const noticed = { backchannelLogoutUri: 'https://app.example.com/log-out' };
      const [wiki, chat] = [await server.addApplication(noticed), await server.addApplication(noticed)];
      const browser = await server.browser();
      const [one, two] = await Promise.all([wiki.signIn(browser), chat.signIn(browser)]);
      await Promise.all([assertWorks(wiki, one), assertWorks(chat, two)]);
      assert.equal(one.claims()?.sub, two.claims()?.sub);
      assert.ok(one.claims()?.sid);
      assert.notEqual(one.claims()?.sid, two.claims()?.sid);
    });

    test('two first sign-ins of a user at the same time make one subject', async () => {
      await using server = await open();
      const app = await server.addApplication();
      const browsers = await Promise.all([server.browser(), server.browser(), server.browser()]);
      const all = await Promise.all(browsers.map((browser) => app.signIn(browser)));
      assert.equal(new Set(all.map((tokens) => tokens.claims()?.sub)).size, 1);
    });

    test('the database has hashes only of what was given out', async (t) => {
      const folder = createTemporaryFolder('rows');
      t.after(() => folder.remove());
      const isInMemory = stores.users === 'SQLite' && !hasOwnTable;
      const settings = isInMemory ? { DATABASE_URL: `sqlite:${join(folder.path, 'janua.db')}` } : {};
      await using server = await openProvider({ stores, settings });
      const browser = await server.browser();
      const app = await server.addApplication({ own: false, redirectUris: [loopback], device: true });
      const begun = await app.begin(offline);
      const page = await browser.open(begun.address);
      const answer = requireAnswer(await browser.submit(page.url, { decision: 'allow' }));
      const tokens = await app.finish(begun, answer);
      const next = await refreshed(app, tokens.refresh_token);
      const waiting = await openid.initiateDeviceAuthorization(app.config, { scope: 'openid' });
      const { device, tokens: ofDevice } = await signInDevice(app, browser);
      const begunAgain = await app.begin();
      await browser.open(begunAgain.address);
      const rows = JSON.stringify(await rowsOf(server, 'janua_oidc_records', 'janua_clients'));
      const secrets = [
        ...[tokens, next, ofDevice].flatMap((set) => [set.access_token, set.refresh_token, set.id_token]),
        ...[waiting, device].flatMap((one) => [one.device_code, one.user_code, one.user_code.replace('-', '')]),
        ...[answer.searchParams.get('code'), app.secret, begun.verifier, page.url.pathname.split('/').at(-1)],
        ...[...browser.cookies.values()].map(({ value }) => value),
      ];
      assert.ok(rows.includes(app.clientId));
      for (const secret of secrets) {
        assert.ok(secret);
        assert.ok(!rows.includes(secret), `${secret} is in the database`);
      }
    });
  });
}

async function assertRevoked(app: Application, tokens: Tokens): Promise<void> {
  await assert.rejects(informed(app, tokens));
  assert.equal((await introspect(app, tokens.access_token)).active, false);
  await assert.rejects(refreshed(app, tokens.refresh_token), refused('invalid_grant'));
}
