import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as openid from 'openid-client';
import { introspect, openProvider, type ProviderUnderTest, readToken, requireAnswer } from './application.ts';

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
    assert.ok(!('username' in told) && !('email' in told));
  });

  // Shows: V9.2.4
  test('is signed, and lasts five minutes, for a resource that wants it (RFC 9068)', async () => {
    const [app, browser] = [await server.addApplication(), await server.browser()];
    const tokens = await app.signIn(browser, { resource: signed.uri, scope: 'openid files:read' });
    assert.equal(tokens.expires_in, 300);
    const { claims, typ, alg } = await readToken(server, tokens.access_token);
    assert.deepEqual([typ, alg], ['at+jwt', 'ES256']);
    assert.equal(claims.iss, server.origin);
    assert.equal(claims.aud, signed.uri);
    assert.equal(claims.sub, tokens.claims()?.sub);
    assert.equal(claims.client_id, app.clientId);
    assert.equal(claims.scope, 'files:read');
    assert.equal(claims.exp - claims.iat, 300);
    assert.ok(claims.jti);
    await assert.rejects(openid.fetchUserInfo(app.config, tokens.access_token, openid.skipSubjectCheck));
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
