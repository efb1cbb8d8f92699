import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { explain } from '../../../../src/core/audit/explanation.ts';
import { events } from '../../../../src/site.ts';
import { ann } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import {
  type Application,
  basic,
  codeFields,
  createApplication,
  introspect,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
} from '../application.ts';

const signed = {
  uri: 'https://files.example.com/',
  scopes: ['files:read', 'files:write'],
  tokenFormat: 'jwt',
} as const;
const opaque = { uri: 'https://mail.example.com/', scopes: ['mail:read'], tokenFormat: 'opaque' } as const;

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
  for (const resource of [signed, opaque]) await server.janua.services.clientAdministration.addResource(resource);
});
after(() => server[Symbol.asyncDispose]());

describe('an access token', () => {
  test('is opaque, and lasts an hour, if no resource is named', async () => {
    const app = await server.addApplication();
    const tokens = await app.signIn(await server.browser());
    assert.ok(!tokens.access_token.includes('.'));
    assert.equal(tokens.expires_in, 3600);
    const told = await introspect(app, tokens.access_token);
    assert.deepEqual(
      [told.active, told.client_id, told.sub, told.iss],
      [true, app.clientId, tokens.claims()?.sub, server.origin],
    );
    assert.ok(!('email' in told));
  });

  test('is signed, and lasts five minutes, for a resource that wants it (RFC 9068)', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser, { resource: signed.uri, scope: 'openid files:read' });
    assert.equal(tokens.expires_in, 300);
    const { claims, typ, alg } = await readToken(server, tokens.access_token);
    assert.deepEqual([typ, alg], ['at+jwt', 'RS256']);
    assert.equal(claims.iss, server.origin);
    assert.equal(claims.aud, signed.uri);
    assert.equal(claims.sub, tokens.claims()?.sub);
    assert.equal(claims.client_id, app.clientId);
    assert.equal(claims.scope, 'files:read');
    assert.equal(claims.exp - claims.iat, 300);
    assert.ok(claims.jti);
    await assert.rejects(openid.fetchUserInfo(app.config, tokens.access_token, openid.skipSubjectCheck));
  });

  test('is signed by ES256 for a resource that was added with it', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const resource = 'https://es.example.com';
    await server.janua.services.clientAdministration.addResource({ ...signed, uri: resource, alg: 'ES256' });
    const { access_token } = await app.signIn(browser, { resource, scope: 'openid files:read' });
    const { typ, alg } = await readToken(server, access_token);
    assert.deepEqual([typ, alg], ['at+jwt', 'ES256']);
  });

  test('is for the resource of the authorization, if none is named at the token endpoint', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    for (const scope of ['openid files:read', 'files:read', 'openid offline_access files:read']) {
      const begun = await app.begin({ resource: signed.uri, scope });
      const answer = requireAnswer(await browser.open(begun.address));
      const given = await post(server, '/oidc/token', codeFields(begun, answer), basic(app));
      const tokens = (await given.json()) as { access_token: string; refresh_token: string };
      assert.equal((await readToken(server, tokens.access_token)).claims.aud, signed.uri);
      const fields = { grant_type: 'refresh_token', refresh_token: tokens.refresh_token };
      const renewed = (await (await post(server, '/oidc/token', fields, basic(app))).json()) as typeof tokens;
      assert.equal((await readToken(server, renewed.access_token)).claims.aud, signed.uri);
    }
  });

  test('is opaque for a resource that asks, and has its audience', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser, { resource: opaque.uri, scope: 'openid mail:read files:read' });
    const told = await introspect(app, tokens.access_token);
    assert.deepEqual([told.active, told.aud, told.scope], [true, opaque.uri, 'mail:read']);
  });

  test('goes to no resource that is unknown', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const { address } = await app.begin({ resource: 'https://evil.example.com/' });
    assert.equal(requireAnswer(await browser.open(address)).searchParams.get('error'), 'invalid_target');
  });

  test('goes to no resource that the user did not let the application use', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser, { resource: signed.uri, scope: 'openid files:read' });
    const other = openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '', { resource: opaque.uri });
    await assert.rejects(other, { error: 'invalid_target' });
  });

  test('that is revoked takes along the refresh token, which may be revoked itself', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser);
    await openid.tokenRevocation(app.config, tokens.access_token);
    assert.equal((await introspect(app, tokens.access_token)).active, false);
    const refresh = (token = '') => openid.refreshTokenGrant(app.config, token);
    await assert.rejects(refresh(tokens.refresh_token), { error: 'invalid_grant' });
    const next = await refresh((await app.signIn(browser)).refresh_token);
    await openid.tokenRevocation(app.config, next.refresh_token ?? '');
    await assert.rejects(refresh(next.refresh_token), { error: 'invalid_grant' });
    assert.equal((await introspect(app, next.access_token)).active, false);
    await openid.tokenRevocation(app.config, 'unknown');
  });
});

/** What a client or an API hears about a token. */
async function ask({ clientId, secret }: Pick<Application, 'clientId' | 'secret'>, token: string) {
  const answer = await post(server, '/oidc/introspection', { token }, basic({ clientId, secret }));
  return {
    status: answer.status,
    requestId: answer.headers.get('x-request-id') ?? '',
    ...((await answer.json()) as Told),
  };
}
interface Told {
  readonly active?: boolean;
  readonly error?: string;
  readonly aud?: string;
  readonly scope?: string;
  readonly sid?: string;
}

describe('an API with a secret', () => {
  const notes = { uri: 'https://notes.example.com', scopes: ['notes:read'], tokenFormat: 'opaque' } as const;
  let api: Pick<Application, 'clientId' | 'secret'>;
  let own: Application;
  let token: string;
  before(async () => {
    const { clientAdministration } = server.janua.services;
    await clientAdministration.addResource(notes);
    api = await clientAdministration.setResourceSecret(`${notes.uri}/`);
    own = await server.addApplication({ backchannelLogoutUri: 'https://app.example.com/logout' });
    token = await tokenFor(notes.uri, 'openid notes:read');
  });
  const tokenFor = async (resource: string, scope: string) =>
    (await own.signIn(await server.browser(), { resource, scope })).access_token;

  test('hears of the tokens that were made for it, of any client, and not in which session', async () => {
    const told = await ask(api, token);
    assert.deepEqual([told.active, told.aud, told.scope, told.sid], [true, notes.uri, 'notes:read', undefined]);
    assert.ok((await ask(own, token)).sid);
  });

  test('hears nothing of other tokens, and explain says so under the id of the request', async () => {
    const below = { ...notes, uri: `${notes.uri}/other` };
    await server.janua.services.clientAdministration.addResource(below);
    const others = {
      'for a resource whose address begins with its own': await tokenFor(below.uri, 'openid notes:read'),
      'for another resource': await tokenFor(opaque.uri, 'openid mail:read'),
      'for userinfo': (await own.signIn(await server.browser())).access_token,
      'that refreshes': (await own.signIn(await server.browser(), { resource: notes.uri, scope: 'notes:read' }))
        .refresh_token,
    };
    for (const [which, other = ''] of Object.entries(others)) {
      const { status, requestId, ...told } = await ask(api, other);
      assert.deepEqual([status, told], [200, { active: false }], which);
      const [event] = await server.janua.services.auditTrail.findByRequestId(requestId);
      assert.ok(event && 'kind' in event, which);
      const text = explain(event, events).join('\n');
      assert.match(text, /a token that was not made for it/);
      assert.match(text, /janua resources set URL --secret/);
      assert.match(text, /Because,the token is for (?!undefined)/);
    }
    // What is no token at all is no matter of rights.
    const { requestId } = await ask(api, 'unknown');
    assert.deepEqual(await server.janua.services.auditTrail.findByRequestId(requestId), []);
  });

  test('ends the rule of the same origin: a client there hears nothing any more', async () => {
    const plain = { ...notes, uri: 'https://plain.example.com' };
    await server.janua.services.clientAdministration.addResource(plain);
    const neighbour = await server.addApplication({ redirectUris: [`${plain.uri}/callback`] });
    const sent = await tokenFor(plain.uri, 'openid notes:read');
    assert.equal((await ask(neighbour, sent)).active, true);
    const { clientId, secret } = await server.janua.services.clientAdministration.setResourceSecret(plain.uri);
    assert.equal((await ask(neighbour, sent)).active, false);
    assert.equal((await ask({ clientId, secret }, sent)).active, true);
    await server.janua.services.clientAdministration.removeResource(plain.uri);
    assert.equal((await ask(neighbour, sent)).active, false, 'nor once the resource is gone');
  });

  test('gets a new secret, which ends the old one, and keeps its id', async () => {
    const { clientAdministration } = server.janua.services;
    const former = api;
    api = await clientAdministration.setResourceSecret(notes.uri);
    assert.equal(api.clientId, former.clientId);
    assert.equal((await ask(former, token)).error, 'invalid_client');
    assert.equal((await ask(api, token)).active, true);
    for (const secret of ['', 'wrong']) assert.ok((await ask({ ...api, secret }, token)).error);
    await assert.rejects(clientAdministration.setResourceSecret('https://none.example.com'), /no resource/);
    await assert.rejects(clientAdministration.setResourceSecret(signed.uri), /signed/);
  });

  test('does nothing else: it is no client anywhere but where it asks', async () => {
    const { clientId, secret = '' } = api;
    const refresh = (await own.signIn(await server.browser())).refresh_token ?? '';
    for (const [path, fields] of [
      ['/oidc/token', { grant_type: 'client_credentials' }],
      ['/oidc/token', { grant_type: 'refresh_token', refresh_token: refresh }],
      ['/oidc/token', { grant_type: 'authorization_code', code: 'x', redirect_uri: notes.uri }],
      ['/oidc/revocation', { token }],
      ['/oidc/device-authorization', { scope: 'openid' }],
      ['/oidc/par', { response_type: 'code', redirect_uri: notes.uri }],
    ] as const) {
      const answer = await post(server, path, fields, basic(api));
      assert.deepEqual([answer.status, ((await answer.json()) as Told).error], [401, 'invalid_client'], path);
    }
    const authentication = openid.ClientSecretBasic(secret);
    const app = await createApplication({
      origin: server.origin,
      clientId,
      secret,
      authentication,
      redirectUris: [notes.uri],
    });
    const browser = await server.browser();
    const page = await browser.open((await app.begin()).address);
    assert.deepEqual([page.isElsewhere, page.status], [false, 400]);
    assert.equal((await browser.open(`/oidc/logout?client_id=${clientId}`)).status, 400);
    assert.equal((await ask(api, token)).active, true);
  });

  test('hears nothing once the user has lost the group of the application, and is gone with its resource', async () => {
    const { groups, clientAdministration } = server.janua.services;
    await groups.add({ name: 'readers', description: '', scopes: [] });
    await clientAdministration.changeClient(own.clientId, { groups: ['readers'] });
    const { requestId, active } = await ask(api, token);
    assert.equal(active, false);
    // The token is for it: there is nothing to set right at the API.
    assert.deepEqual(await server.janua.services.auditTrail.findByRequestId(requestId), []);
    await clientAdministration.removeResource(notes.uri);
    assert.equal((await ask(api, token)).error, 'invalid_client');
  });
});

for (const engine of ['PostgreSQL', 'MariaDB'] as const)
  test(`an API asks about its tokens on ${engine}`, { skip: missing(engine) }, async () => {
    await using other = await openProvider({ stores: { users: engine, sessions: 'SQL' } });
    const { clientAdministration } = other.janua.services;
    await clientAdministration.addResource(opaque);
    const api = await clientAdministration.setResourceSecret(opaque.uri);
    const again = await clientAdministration.setResourceSecret(opaque.uri);
    assert.equal(again.clientId, api.clientId);
    const app = await other.addApplication();
    const { access_token: token } = await app.signIn(await other.browser(), { resource: opaque.uri });
    const answer = await post(other, '/oidc/introspection', { token }, basic(again));
    assert.equal(((await answer.json()) as Told).active, true);
  });

test('introspection says the username to an application that may know it', async () => {
  await using server = await openProvider();
  const app = await server.addApplication();
  const browser = await server.browser();
  for (const [scope, username] of [
    ['openid profile', ann.username],
    ['openid email', ann.username],
    ['openid groups', undefined],
  ] as const) {
    const { access_token: token } = await app.signIn(browser, { scope });
    assert.equal((await introspect(app, token)).username, username, scope);
  }
  // A server that lets in each token with a user name must not take one that lasts for a month.
  const { refresh_token: refreshToken = '' } = await app.signIn(browser, { scope: 'openid profile' });
  assert.equal('username' in (await introspect(app, refreshToken)), false);
  assert.equal('username' in (await introspect(app, 'unknown')), false);
});
