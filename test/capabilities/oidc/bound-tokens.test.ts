import assert from 'node:assert/strict';
import { hash, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { calculateJwkThumbprint, type JWTPayload, SignJWT } from 'jose';
import * as openid from 'openid-client';
import { keyOf } from '../../../src/capabilities/oidc/records/record-rows.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import {
  type Application,
  basic,
  codeFields,
  introspect,
  openProvider,
  type ProviderUnderTest,
  post,
  readToken,
  requireAnswer,
} from './application.ts';
import { createIssuerKey, type IssuerKey } from './machines/issuer.ts';

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[];

const key = createIssuerKey('one');
const other = createIssuerKey('two');
const seconds = () => Math.floor(Date.now() / 1000);
const athOf = (token: string) => hash('sha256', token, 'base64url');

for (const stores of choices)
  describe(`tokens that are bound to a key, on ${stores.users}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    let server: ProviderUnderTest;
    before(async () => {
      server = await openProvider({ stores });
      const { clientAdministration } = server.janua.services;
      for (const tokenFormat of ['opaque', 'jwt'] as const)
        await clientAdministration.addResource({
          uri: `https://${tokenFormat}.example.com`,
          scopes: [tokenFormat],
          tokenFormat,
        });
    });
    after(() => server[Symbol.asyncDispose]());

    /** A proof for the token endpoint, or as the claims say. */
    const prove = (claims: JWTPayload = {}, by: IssuerKey = key, header: object = {}) => {
      const { kid: _, ...jwk } = by.jwk;
      return new SignJWT({
        htm: 'POST',
        htu: `${server.origin}/oidc/token`,
        iat: seconds(),
        jti: randomUUID(),
        ...claims,
      })
        .setProtectedHeader({ alg: by.alg, typ: 'dpop+jwt', jwk, ...header })
        .sign(by.privateKey);
    };

    async function ask(app: Application, fields: Readonly<Record<string, string>>, proof?: string) {
      const proved = app.secret === undefined ? { ...fields, client_id: app.clientId } : fields;
      const headers = { ...(app.secret !== undefined && basic(app)), ...(proof !== undefined && { DPoP: proof }) };
      return (await (await post(server, '/oidc/token', proved, headers)).json()) as Record<string, string>;
    }

    async function begin(app: Application, parameters: Readonly<Record<string, string>> = {}) {
      const begun = await app.begin(parameters);
      return codeFields(begun, requireAnswer(await (await server.browser()).open(begun.address)));
    }

    async function userinfo(token: string, proof?: string, scheme = 'DPoP') {
      const headers = { authorization: `${scheme} ${token}`, ...(proof !== undefined && { DPoP: proof }) };
      return (await fetch(`${server.origin}/oidc/userinfo`, { headers })).status;
    }

    const proveUse = (token: string, claims: JWTPayload = {}, by = key) =>
      prove({ htm: 'GET', htu: `${server.origin}/oidc/userinfo`, ath: athOf(token), ...claims }, by);

    async function lastReason() {
      const [event] = await server.janua.events({ kind: 'application-refused', order: 'newest-first' });
      assert.ok(event && 'reason' in event);
      return event.reason;
    }

    test('openid-client gets and uses them, and others see the key', async () => {
      const app = await server.addApplication({ boundTokens: true });
      const pair = await openid.randomDPoPKeyPair();
      const DPoP = openid.getDPoPHandle(app.config, pair);
      const begun = await app.begin({ dpop_jkt: await DPoP.calculateThumbprint() });
      const answer = requireAnswer(await (await server.browser()).open(begun.address));
      const checks = { pkceCodeVerifier: begun.verifier, expectedState: begun.state, expectedNonce: begun.nonce };
      const tokens = await openid.authorizationCodeGrant(app.config, answer, checks, {}, { DPoP });
      assert.equal(tokens.token_type, 'dpop');
      const subject = tokens.claims()?.sub ?? '';
      assert.equal((await openid.fetchUserInfo(app.config, tokens.access_token, subject, { DPoP })).sub, subject);
      const { cnf, token_type: type } = await introspect(app, tokens.access_token);
      assert.deepEqual([cnf, type], [{ jkt: await DPoP.calculateThumbprint() }, 'DPoP']);
      const renewed = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '', {}, { DPoP });
      assert.equal(renewed.token_type, 'dpop');
    });

    test('without a proof, a client that has to send one gets no token; another gets a plain one', async () => {
      const [bound, free] = [await server.addApplication({ boundTokens: true }), await server.addApplication()];
      const fields = await begin(bound);
      assert.equal((await ask(bound, fields)).error, 'invalid_grant');
      assert.equal(await lastReason(), 'proof-of-key');
      const { token_type: type, refresh_token: refresh = '' } = await ask(bound, fields, await prove());
      assert.equal(type, 'DPoP', 'the refusal left the code');
      assert.equal((await ask(bound, { grant_type: 'refresh_token', refresh_token: refresh })).error, 'invalid_grant');
      assert.equal((await ask(free, await begin(free))).token_type, 'Bearer');
      assert.equal((await ask(free, await begin(free), await prove())).token_type, 'DPoP');
    });

    test('a proof counts for its request and time alone', async () => {
      const app = await server.addApplication();
      const rsa = createIssuerKey('rsa', 'RS256');
      const fields = {
        grant_type: 'authorization_code',
        code: 'wrong',
        code_verifier: 'x'.repeat(43),
        redirect_uri: app.redirectUri,
      };
      const [, body] = (await prove()).split('.');
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      for (const [about, proof, isTaken] of [
        ['good', await prove(), true],
        ['with a query', await prove({ htu: `${server.origin}/oidc/token?x=1` }), true],
        ['another address', await prove({ htu: `${server.origin}/oidc/userinfo` }), false],
        ['another server', await prove({ htu: 'https://other.example.com/oidc/token' }), false],
        ['another method', await prove({ htm: 'GET' }), false],
        ['old', await prove({ iat: seconds() - 360 }), false],
        ['of the future', await prove({ iat: seconds() + 360 }), false],
        ['without time', await prove({ iat: 'x' as unknown as number }), false],
        ['without id', await prove({ jti: '' }), false],
        ['with a nonce', await prove({ nonce: 'x' }), false],
        ['another type', await prove({}, key, { typ: 'JWT' }), false],
        ['another algorithm', await prove({}, rsa), false],
        ['another key in its header', await prove({}, key, { jwk: other.jwk }), false],
        ['a private key in its header', await prove({}, key, { jwk: key.privateKey.export({ format: 'jwk' }) }), false],
        ['no key', await prove({}, key, { jwk: undefined }), false],
        ['alg none', `${encode({ alg: 'none', typ: 'dpop+jwt', jwk: key.jwk })}.${body}.`, false],
        ['no token', 'x', false],
      ] as const) {
        const { error } = await ask(app, fields, proof);
        assert.equal(error, isTaken ? 'invalid_grant' : 'invalid_dpop_proof', about);
        if (!isTaken) assert.equal(await lastReason(), 'proof-of-key', about);
      }
    });

    test('a proof that is sent 50 times at once counts once, also when it is dated ahead', async () => {
      const app = await server.addApplication();
      const all = await Promise.all(Array.from({ length: 50 }, () => begin(app)));
      const proof = await prove();
      const answers = await Promise.all(all.map((fields) => ask(app, fields, proof)));
      const [first, second] = answers.filter(({ access_token: token }) => token !== undefined);
      assert.ok(first && second === undefined);
      const token = first.access_token ?? '';
      const use = await proveUse(token);
      const uses = await Promise.all(Array.from({ length: 50 }, () => userinfo(token, use)));
      assert.equal(uses.filter((status) => status === 200).length, 1);
      const ahead = await proveUse(token, { iat: seconds() + 290 });
      assert.equal(await userinfo(token, ahead), 200);
      const { database } = server.janua.services;
      const rows = database.selectFrom('janua_oidc_records').select('expires_at').where('model', '=', 'Assertion');
      const kept = await rows.orderBy('expires_at', 'desc').executeTakeFirstOrThrow();
      assert.ok(Number(kept.expires_at) >= (seconds() + 590) * 1000, 'it is remembered for as long as it is valid');
    });

    test('proofs count for the client that proves itself, or the network, and with a token for its user and client', async () => {
      const { database } = server.janua.services;
      const count = async (party: string) => {
        const key = keyOf('assertions', party);
        const rows = database.selectFrom('janua_oidc_records').select('id').where('party', '=', key);
        return (await rows.where('model', '=', 'Assertion').execute()).length;
      };
      const [app, open] = [await server.addApplication(), await server.addApplication({ isPublic: true })];
      const { access_token: token = '' } = await ask(app, await begin(app), await prove());
      assert.equal(await count(`client ${app.clientId}`), 1);
      const before = await count('network 127.0.0.1');
      await ask(open, await begin(open), await prove());
      assert.deepEqual([await count(`client ${open.clientId}`), await count('network 127.0.0.1')], [0, before + 1]);
      const { sub = '' } = (await introspect(app, token)) as { sub?: string };
      assert.equal(await userinfo(token, await proveUse(token)), 200);
      assert.equal(await count(`user ${sub} of ${app.clientId}`), 1);
    });

    test('a bound token is used with a proof of its key and of itself alone', async () => {
      const app = await server.addApplication();
      const { access_token: token = '' } = await ask(app, await begin(app), await prove());
      const { access_token: plain = '' } = await ask(app, await begin(app));
      for (const [about, status, expected] of [
        ['good', await userinfo(token, await proveUse(token)), 200],
        ['as a bearer token', await userinfo(token, undefined, 'Bearer'), 401],
        ['as a bearer token with a proof', await userinfo(token, await proveUse(token), 'Bearer'), 400],
        ['without a proof', await userinfo(token), 400],
        ['a proof of another key', await userinfo(token, await proveUse(token, {}, other)), 401],
        ['a proof of another token', await userinfo(token, await proveUse(plain)), 401],
        ['a proof of none', await userinfo(token, await proveUse(token, { ath: undefined })), 401],
        [
          'a proof for another address',
          await userinfo(token, await proveUse(token, { htu: `${server.origin}/oidc/token` })),
          401,
        ],
        ['a plain token with a proof', await userinfo(plain, await proveUse(plain)), 401],
        ['a plain token', await userinfo(plain, undefined, 'Bearer'), 200],
      ] as const)
        assert.equal(status, expected, about);
    });

    test('the refresh token of a public client is bound, and is not replaced', async () => {
      const app = await server.addApplication({ isPublic: true });
      const { refresh_token: refresh = '' } = await ask(app, await begin(app), await prove());
      const renew = async (proof?: string) => ask(app, { grant_type: 'refresh_token', refresh_token: refresh }, proof);
      for (const _ of [1, 2]) {
        const renewed = await renew(await prove());
        assert.deepEqual([renewed.refresh_token, renewed.token_type], [refresh, 'DPoP']);
      }
      assert.equal((await renew()).error, 'invalid_grant');
      assert.equal((await renew(await prove({}, other))).error, 'invalid_grant', 'another key');
      assert.equal((await renew(await prove())).token_type, 'DPoP', 'which ends nothing');
      const confidential = await server.addApplication();
      const { refresh_token: former = '' } = await ask(confidential, await begin(confidential), await prove());
      const replaced = await ask(confidential, { grant_type: 'refresh_token', refresh_token: former }, await prove());
      assert.notEqual(replaced.refresh_token, former, 'that of a client with a secret is replaced');
    });

    test('the refresh token that replaces an unbound one is bound to the key of the proof', async () => {
      const app = await server.addApplication({ isPublic: true });
      const { refresh_token: plain = '' } = await ask(app, await begin(app));
      const renew = async (token: string, proof?: string) =>
        ask(app, { grant_type: 'refresh_token', refresh_token: token }, proof);
      const { refresh_token: bound = '', token_type: type } = await renew(plain, await prove());
      assert.deepEqual([type, bound !== plain], ['DPoP', true]);
      assert.equal((await renew(bound, await prove({}, other))).error, 'invalid_grant');
      assert.equal((await renew(bound)).error, 'invalid_grant');
      assert.equal((await renew(bound, await prove())).refresh_token, bound);
    });

    test('a code that names its key is worth nothing with another one, with and without a session', async () => {
      const app = await server.addApplication();
      const { kid: _, ...jwk } = key.jwk;
      const jkt = await calculateJwkThumbprint(jwk as { kty: string });
      for (const proof of [undefined, await prove({}, other)])
        assert.equal((await ask(app, await begin(app, { dpop_jkt: jkt }), proof)).error, 'invalid_grant');
      assert.equal((await ask(app, await begin(app, { dpop_jkt: jkt }), await prove())).token_type, 'DPoP');
    });

    test('a resource learns the key, in a signed token and by introspection', async () => {
      const app = await server.addApplication();
      const { kid: _, ...jwk } = key.jwk;
      const jkt = await calculateJwkThumbprint(jwk as { kty: string });
      const signed = { resource: 'https://jwt.example.com', scope: 'openid jwt' };
      const { access_token: token = '' } = await ask(
        app,
        { ...(await begin(app, signed)), resource: signed.resource },
        await prove(),
      );
      assert.deepEqual((await readToken(server, token)).claims.cnf, { jkt });
      const { client_id: id, client_secret: secret } = await resourceSecret();
      const opaque = { resource: 'https://opaque.example.com', scope: 'openid opaque' };
      const bound = await ask(app, { ...(await begin(app, opaque)), resource: opaque.resource }, await prove());
      const answer = await post(
        server,
        '/oidc/introspection',
        { token: bound.access_token ?? '' },
        basic({ clientId: id, secret }),
      );
      const { active, cnf } = (await answer.json()) as { active: boolean; cnf: object };
      assert.deepEqual([active, cnf], [true, { jkt }]);
    });

    async function resourceSecret() {
      const given = await server.janua.services.clientAdministration.setResourceSecret('https://opaque.example.com');
      return { client_id: given.clientId, client_secret: given.secret };
    }

    test('no bound token of a program opens the API of Janua', async () => {
      const { clientAdministration, groups } = server.janua.services;
      await groups.add({ name: 'staff', description: '', scopes: [] });
      const machine = { scopes: ['users:read'], within: ['staff'], may: {} };
      const program = { own: false, redirectUris: [], machine };
      const app = await server.addApplication(program);
      const get = async (token = '', scheme = 'Bearer') =>
        (await server.janua.get('/api/admin/users', { authorization: `${scheme} ${token}` })).statusCode;
      assert.equal(await get((await ask(app, { grant_type: 'client_credentials' })).access_token), 200);
      const { access_token: bound } = await ask(app, { grant_type: 'client_credentials' }, await prove());
      assert.ok(bound);
      for (const scheme of ['Bearer', 'DPoP']) assert.equal(await get(bound, scheme), 401, scheme);
      await assert.rejects(clientAdministration.changeClient(app.clientId, { boundTokens: true }), /./);
    });
  });
