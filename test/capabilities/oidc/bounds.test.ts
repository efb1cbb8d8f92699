import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import * as openid from 'openid-client';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { ann, password } from '../../janua.ts';
import { type Application, introspect, openProvider, type ProviderUnderTest, requireAnswer } from './application.ts';
import type { Browser } from './browser.ts';

const files = { uri: 'https://files.example.com', scopes: ['files:read'], tokenFormat: 'opaque' } as const;
const mail = { uri: 'https://mail.example.com', scopes: ['mail:read'], tokenFormat: 'opaque' } as const;
const lasting = { scope: 'openid offline_access', prompt: 'consent' };

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
  for (const resource of [files, mail]) await server.janua.services.clientAdministration.addResource(resource);
});
after(() => server[Symbol.asyncDispose]());

/** Signs in, and lets the application in where the user is asked. */
async function signIn(app: Application, browser: Browser, parameters: Readonly<Record<string, string>> = {}) {
  const begun = await app.begin(parameters);
  const page = await browser.open(begun.address);
  return app.finish(
    begun,
    requireAnswer(page.isElsewhere ? page : await browser.submit(page.url, { decision: 'allow' })),
  );
}

const isTaken = (app: Application, { access_token: token }: openid.TokenEndpointResponse) =>
  openid.fetchUserInfo(app.config, token, openid.skipSubjectCheck).then(
    () => true,
    () => false,
  );

describe('what an application keeps', () => {
  test('ends with a new password, and the application signs in again in the session that goes on', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const kept = await signIn(app, browser, lasting);
    const fresh = 'another long password';
    await browser.submit('/account/password', { current_password: password, new_password: fresh });
    assert.equal(await isTaken(app, kept), false);
    assert.equal(await isTaken(app, await signIn(app, browser)), true);
    assert.equal(await isTaken(app, await signIn(app, browser, lasting)), true);
    await server.janua.people.setPassword(ann.username, password);
  });

  test('is not ended by the end of a plain sign-in in the same browser', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const kept = await signIn(app, browser, lasting);
    const plain = await signIn(app, browser);
    await openid.tokenRevocation(app.config, plain.refresh_token ?? '');
    assert.equal(await isTaken(app, plain), false);
    assert.equal(await isTaken(app, kept), true);
  });

  test('ends with the session, when it has expired and is not yet removed', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { refresh_token: token = '' } = await signIn(app, browser);
    server.janua.pass(25 * 3_600_000);
    await assert.rejects(openid.refreshTokenGrant(app.config, token), { error: 'invalid_grant' });
    server.janua.pass(Date.now() - server.janua.now());
    assert.ok(await openid.refreshTokenGrant(app.config, token), 'the session is still stored');
  });

  test('ends when a refresh token is used again that was used long before', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const first = await signIn(app, browser, lasting);
    let current = first;
    for (let uses = 0; uses < 5; uses += 1) {
      current = await openid.refreshTokenGrant(app.config, current.refresh_token ?? '');
      server.janua.pass(11_000);
    }
    assert.equal(await isTaken(app, current), true);
    const held = await server.janua.services.opened.database
      .selectFrom('janua_oidc_records')
      .select('id')
      .where('model', '=', 'RefreshToken')
      .where('client_id', '=', app.clientId)
      .execute();
    assert.ok(held.length <= 2, `${held.length} refresh tokens are stored`);
    await assert.rejects(openid.refreshTokenGrant(app.config, first.refresh_token ?? ''), { error: 'invalid_grant' });
    await assert.rejects(openid.refreshTokenGrant(app.config, current.refresh_token ?? ''), { error: 'invalid_grant' });
    assert.equal(await isTaken(app, current), false);
    server.janua.pass(Date.now() - server.janua.now());
  });

  test('is removed from the store after its session has ended', async () => {
    const [app, ...browsers] = [await server.addApplication(), await server.browser(), await server.browser()];
    for (const browser of browsers) await signIn(app, browser);
    const { database } = server.janua.services.opened;
    const held = async () => {
      const own = database.selectFrom('janua_oidc_records').select('id').where('client_id', '=', app.clientId);
      return (await own.execute()).length;
    };
    const before = await held();
    await browsers[0]?.submit('/auth/logout', {});
    await database.deleteFrom('janua_leases').where('name', '=', 'cleaning').execute();
    await server.janua.services.clean();
    while ((await held()) !== before / 2) await setImmediate();
    assert.ok(before > 0);
  });

  test('ends in every session when the user takes it back', async () => {
    const app = await server.addApplication();
    const browsers = await Promise.all([server.browser(), server.browser()]);
    const kept: openid.TokenEndpointResponse[] = [];
    for (const browser of browsers) kept.push(await signIn(app, browser), await signIn(app, browser, lasting));
    await browsers[0]?.submit('/account/applications/revoke', { client_id: app.clientId });
    assert.deepEqual(await Promise.all(kept.map((tokens) => isTaken(app, tokens))), [false, false, false, false]);
  });

  test('is nothing for one with a secret, even if it has an address on machines of users', async () => {
    const redirectUris = ['https://app.example.com/callback', 'http://localhost:5690/callback'];
    const app = await server.addApplication({ own: false, redirectUris });
    const browser = await server.browser();
    const tokens = await signIn(app, browser);
    // Only the address of a machine is asked about each time.
    assert.ok((await browser.open((await app.begin()).address)).isElsewhere);
    await browser.submit('/auth/logout', {});
    assert.equal(await isTaken(app, tokens), false);
  });

  test("ends for good while a user of a team's own table is disabled", async () => {
    await using team = await openProvider({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
    const [app, browser] = [await team.addApplication(), await team.browser()];
    const kept = await signIn(app, browser, lasting);
    await team.janua.people.disable(ann.username);
    assert.equal(await isTaken(app, kept), false);
    await team.janua.people.enable(ann.username);
    assert.equal(await isTaken(app, kept), false);
  });
});

describe('a request', () => {
  test('names one resource', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { address } = await app.begin({ resource: files.uri });
    address.searchParams.append('resource', mail.uri);
    const answer = requireAnswer(await browser.open(address));
    assert.equal(answer.searchParams.get('error'), 'invalid_target');
    assert.equal(answer.searchParams.get('code'), null);
  });

  test('waits for the decision of its user for a quarter of an hour', async () => {
    const [app, browser] = [await server.addApplication({ own: false }), await server.browser()];
    const waiting = await browser.open((await app.begin()).address);
    server.janua.pass(16 * 60_000);
    await server.janua.services.clean();
    assert.equal((await browser.submit(waiting.url, { decision: 'allow' })).status, 400);
    server.janua.pass(Date.now() - server.janua.now());
  });

  test('that the store cannot answer is a fault of the server, and not of the application', async () => {
    await using broken = await openProvider({ stores: { users: 'SQLite', sessions: 'SQL', ownTable: true } });
    const [app, browser] = [await broken.addApplication({ own: false }), await broken.browser()];
    await using opened = await openTestDatabase(broken.janua.databaseUrl);
    await sql`alter table janua_oidc_records rename to gone`.execute(opened.database);
    assert.equal((await browser.open((await app.begin()).address)).status, 500);
  });
});

describe('a token of a resource', () => {
  test('is described to a client of the same origin, and to no other one', async () => {
    const app = await server.addApplication();
    const tokens = await app.signIn(await server.browser(), { resource: files.uri, scope: 'files:read' });
    const own = await server.addApplication({ redirectUris: [`${files.uri}/unused`] });
    const other = await server.addApplication({ redirectUris: [`${mail.uri}/unused`] });
    assert.equal((await introspect(own, tokens.access_token)).active, true);
    assert.equal((await introspect(other, tokens.access_token)).active, false);
  });
});

test('a logout is told over TLS, but to hosts that the operator lists', async () => {
  const backchannelLogoutUri = 'http://127.0.0.1:8080/logout';
  await assert.rejects(server.addApplication({ backchannelLogoutUri }));
  await using listed = await openProvider({ settings: { OIDC_PRIVATE_HOSTS: ['127.0.0.1'] } });
  await listed.addApplication({ backchannelLogoutUri });
});
