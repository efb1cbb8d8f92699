import assert from 'node:assert/strict';
import { createHmac, createSign, randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { importPKCS8, type JWTPayload, SignJWT } from 'jose';
import * as openid from 'openid-client';
import { readClientKeys } from '../../../src/capabilities/oidc/clients/client-keys.ts';
import type { NewClient } from '../../../src/capabilities/oidc/clients/clients.ts';
import { clientKeys } from '../../../src/capabilities/oidc/keys/foreign-keys.ts';
import { keysMilliseconds, leastBetweenFetches } from '../../../src/capabilities/oidc/keys/published-keys.ts';
import { mostAssertions } from '../../../src/capabilities/oidc/records/grant-records.ts';
import { InvalidFields } from '../../../src/core/access/refusal.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { withHeaders } from '../../client.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { signInAs } from '../admin/administrator.ts';
import { createApplication, introspect, openProvider, type ProviderUnderTest, post, wiki } from './application.ts';
import { createIssuerKey, type IssuerKey, startIssuer } from './machines/issuer.ts';

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[];

const assertionType = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const key = createIssuerKey('one');
const other = createIssuerKey('two', 'RS256');

const seconds = () => Math.floor(Date.now() / 1000);
const setOf = (...keys: readonly IssuerKey[]) => ({ keys: keys.map(({ jwk }) => jwk) });
const keysOf = (...keys: readonly IssuerKey[]) => readClientKeys(JSON.stringify(setOf(...keys)));

for (const stores of choices)
  describe(`clients with keys, on ${stores.users}`, { skip: missing(stores.users, stores.sessions) }, () => {
    let server: ProviderUnderTest;
    before(async () => {
      server = await openProvider({ stores, settings: { OIDC_PRIVATE_HOSTS: ['127.0.0.1'] } });
    });
    after(() => server[Symbol.asyncDispose]());

    const administration = () => server.janua.services.clientAdministration;

    async function add(settings: Partial<NewClient> = { jwks: keysOf(key) }): Promise<string> {
      const { client, secret } = await administration().addClient({ ...wiki, ...settings });
      assert.equal(secret, undefined, 'there is no secret to lose');
      return client.id;
    }

    const sign = (id: string, claims: JWTPayload = {}, by: IssuerKey = key, header: object = {}) =>
      new SignJWT({ iss: id, sub: id, aud: server.origin, exp: seconds() + 60, jti: randomUUID(), ...claims })
        .setProtectedHeader({ alg: by.alg, kid: by.kid, ...header })
        .sign(by.privateKey);

    const send = async (client_assertion: string, more: Readonly<Record<string, string>> = {}) => {
      const code = { code: 'wrong', code_verifier: 'x'.repeat(43), redirect_uri: 'https://app.example.com/callback' };
      const proof = { client_assertion, client_assertion_type: assertionType };
      const answer = await post(server, '/oidc/token', {
        grant_type: 'authorization_code',
        ...code,
        ...proof,
        ...more,
      });
      return ((await answer.json()) as { error: string }).error;
    };

    /** Whether the assertion counts. The code is wrong, so that a client that has proved itself gets `invalid_grant`. */
    async function counts(assertion: string, more?: Readonly<Record<string, string>>): Promise<boolean> {
      const error = await send(assertion, more);
      assert.match(error, /^invalid_(grant|client|request)$/);
      return error === 'invalid_grant';
    }

    async function lastRefusal() {
      const [event] = await server.janua.events({ kind: 'application-refused', order: 'newest-first' });
      assert.ok(event && 'reason' in event);
      return event;
    }

    test('a client signs its users in by a key, renews and asks about its tokens', async () => {
      for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'] as const) {
        const own = createIssuerKey('own', alg);
        const imported = { key: await importKey(own), kid: own.kid };
        const clientId = await add({ jwks: keysOf(own) });
        const authentication = openid.PrivateKeyJwt(imported);
        const { origin } = server;
        const given = { origin, clientId, secret: undefined, redirectUris: wiki.redirectUris, authentication };
        const app = await createApplication(given);
        const tokens = await app.signIn(await server.browser());
        const renewed = await openid.refreshTokenGrant(app.config, tokens.refresh_token ?? '');
        assert.equal((await introspect(app, renewed.access_token)).active, true, alg);
        await openid.tokenRevocation(app.config, renewed.access_token);
      }
    });

    test('only an assertion that its key has signed, for this server alone, counts', async () => {
      const id = await add();
      const [head, body, signature] = (await sign(id)).split('.');
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const hmac = (secret: string) => {
        const text = `${encode({ alg: 'HS256', kid: 'one' })}.${body}`;
        return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
      };
      const stranger = await add({ jwks: keysOf(createIssuerKey('one')) });
      for (const [about, assertion, isTaken] of [
        ['good', await sign(id), true],
        ['without kid', await sign(id, {}, key, { kid: undefined }), true],
        ['alg none', `${encode({ alg: 'none' })}.${body}.`, false],
        ['alg none with a signature', `${encode({ alg: 'none' })}.${body}.${signature}`, false],
        ['HS256 with the public key', hmac(JSON.stringify(key.jwk)), false],
        ['HS256 with the text that stands for a secret', hmac('see secrets'), false],
        ['HS256 with nothing', hmac(''), false],
        [
          'another body',
          `${head}.${encode({ iss: id, sub: id, aud: server.origin, exp: seconds() + 60, jti: 'x' })}.${signature}`,
          false,
        ],
        ['another key with this id', await sign(id, {}, createIssuerKey('one')), false],
        ['the key of another client', await sign(stranger), false],
        ['another id of the key', await sign(id, {}, key, { kid: 'two' }), false],
        ['critical header', critical(id), false],
        ['another issuer', await sign(id, { iss: 'other' }), false],
        ['another subject', await sign(id, { sub: stranger }), false],
        ['five minutes', await sign(id, { exp: seconds() + 300 }), true],
        ['six minutes', await sign(id, { exp: seconds() + 360 }), false],
        ['no end', await sign(id, { exp: undefined } as unknown as JWTPayload), false],
        ['expired', await sign(id, { exp: seconds() - 60 }), false],
        ['a beginning that is to come', await sign(id, { nbf: seconds() + 60 }), false],
        ['no id', await sign(id, { jti: undefined } as unknown as JWTPayload), false],
        ['the token endpoint as audience', await sign(id, { aud: `${server.origin}/oidc/token` }), false],
        ['the issuer and another server', await sign(id, { aud: [server.origin, 'https://other.example.com'] }), false],
        ['another server', await sign(id, { aud: 'https://other.example.com' }), false],
        ['no token', 'x', false],
        ['nothing', '', false],
      ] as const) {
        assert.equal(await counts(assertion), isTaken, about);
        if (assertion !== '') assert.equal(await counts(assertion, { client_id: id }), false, `${about}, again`);
      }
      assert.equal(await counts(await sign(id), { client_id: id }), true);
      assert.equal(await counts(await sign(id), { client_id: stranger }), false, 'in the name of another client');
    });

    /** An assertion whose header demands an extension that Janua does not know (RFC 7515 4.1.11). */
    function critical(id: string): string {
      const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const claims = { iss: id, sub: id, aud: server.origin, exp: seconds() + 60, jti: randomUUID() };
      const text = `${encode({ alg: 'ES256', kid: 'one', crit: ['x'], x: true })}.${encode(claims)}`;
      const signature = createSign('sha256').update(text).sign({ key: key.privateKey, dsaEncoding: 'ieee-p1363' });
      return `${text}.${signature.toString('base64url')}`;
    }

    test('an assertion that is sent 50 times at once counts once, and never again', async () => {
      const id = await add();
      const assertion = await sign(id);
      const sent = await Promise.all(Array.from({ length: 50 }, () => counts(assertion)));
      assert.equal(sent.filter(Boolean).length, 1);
      assert.equal(await counts(assertion), false);
      assert.equal(await counts(await sign(id)), true);
    });

    test('a client that has used too many assertions is refused, and no other client', async () => {
      const [id, another] = [await add(), await add()];
      assert.equal(await counts(await sign(id)), true);
      const { database } = server.janua.services;
      const ofClient = database.selectFrom('janua_oidc_records').selectAll().where('model', '=', 'Assertion');
      const row = await ofClient.orderBy('created_at', 'desc').orderBy('expires_at', 'desc').executeTakeFirstOrThrow();
      const parties = await ofClient.where('party', '=', row.party).execute();
      assert.equal(parties.length, 1, 'each client counts by itself');
      const rows = Array.from({ length: mostAssertions }, (_, index) => ({
        ...row,
        id: `${id} ${index}`.slice(0, 43),
      }));
      await insertAll(database, 'janua_oidc_records', rows);
      assert.equal(await send(await sign(id)), 'temporarily_unavailable');
      assert.match((await lastRefusal()).detail ?? '', /too many assertions/);
      assert.equal(await counts(await sign(another)), true);
    });

    test('with keys no secret counts, nor is there a new one; without them it counts again', async () => {
      const { client, secret = '' } = await administration().addClient(wiki);
      const basic = async () => {
        const code = { code: 'wrong', code_verifier: 'x'.repeat(43), redirect_uri: 'https://app.example.com/callback' };
        const fields = { grant_type: 'authorization_code', ...code, client_id: client.id, client_secret: secret };
        return ((await (await post(server, '/oidc/token', fields)).json()) as { error: string }).error;
      };
      assert.equal(await basic(), 'invalid_grant');
      assert.equal(await counts(await sign(client.id)), false, 'it has no keys yet');
      assert.equal((await lastRefusal()).reason, 'client-key');
      await administration().changeClient(client.id, { jwks: keysOf(key) });
      assert.equal(await basic(), 'invalid_client');
      const { reason, about } = await lastRefusal();
      assert.deepEqual([reason, about], ['client-key', client.id]);
      assert.equal(await counts(await sign(client.id)), true);
      await assert.rejects(administration().rotateSecret(client.id), /no secret of it counts/);
      await assert.rejects(administration().addSecret(client.id, { name: 'other' }), /no secret of it counts/);
      const [event] = await server.janua.events({ kind: 'client-changed', order: 'newest-first' });
      assert.equal(event?.detail, 'keys: one');
      await administration().changeClient(client.id, { jwks: [] });
      assert.equal(await basic(), 'invalid_grant');
      assert.equal(await counts(await sign(client.id)), false);
    });

    test('a key that the operator has replaced counts no more, and the new one does', async () => {
      const id = await add();
      assert.equal(await counts(await sign(id)), true);
      await administration().changeClient(id, { jwks: keysOf(key, other) });
      for (const one of [key, other]) assert.equal(await counts(await sign(id, {}, one)), true, one.kid);
      await administration().changeClient(id, { jwks: keysOf(other) });
      assert.equal(await counts(await sign(id)), false);
      assert.match((await lastRefusal()).detail ?? '', /no applicable key/);
      assert.equal(await counts(await sign(id, {}, other)), true);
    });

    test('keys at an address are fetched when they are needed, and replaced there', async () => {
      await using host = await startIssuer('', server.janua.now);
      host.keys = [key];
      const id = await add({ jwksUri: `${host.address}/jwks` });
      const unsigned = await post(server, '/oidc/token', { grant_type: 'refresh_token', client_id: id });
      assert.equal(unsigned.status, 401);
      assert.deepEqual(host.asked, [], 'nothing was signed');
      for (const _ of [1, 2]) assert.equal(await counts(await sign(id)), true);
      assert.equal(host.asked.length, 1, 'they are remembered');
      for (const _ of [1, 2, 3]) assert.equal(await counts(await sign(id, {}, other)), false);
      assert.equal(host.asked.length, 1, 'a stranger causes no more than one fetch in 30 seconds');
      host.keys = [other];
      server.janua.pass(leastBetweenFetches);
      assert.equal(await counts(await sign(id, {}, other)), true, 'the new key');
      assert.equal(await counts(await sign(id)), false, 'the former key');
      assert.equal(host.asked.length, 2);
      host.keys = [key];
      server.janua.pass(keysMilliseconds);
      assert.equal(await counts(await sign(id, {}, other)), false, 'a key that was taken back, after an hour');
    });

    test('if the keys cannot be had, the client is asked to try again, and the operator hears why', async () => {
      await using host = await startIssuer('', server.janua.now);
      host.keys = [key];
      const id = await add({ jwksUri: `${host.address}/jwks` });
      assert.equal(await counts(await sign(id)), true);
      host.wait = () => Promise.reject(new Error());
      server.janua.pass(keysMilliseconds / 2);
      assert.equal(await counts(await sign(id)), true, 'the former keys count for their hour');
      server.janua.pass(keysMilliseconds);
      assert.equal(await send(await sign(id)), 'temporarily_unavailable');
      const { reason, about, detail = '' } = await lastRefusal();
      assert.deepEqual([reason, about], ['client-keys', id]);
      assert.match(detail, /the keys of http:\/\/127.0.0.1:\d+\/jwks cannot be fetched/);
      host.wait = async () => {};
      host.keys = [];
      server.janua.pass(leastBetweenFetches);
      assert.equal(await send(await sign(id)), 'temporarily_unavailable');
      assert.match((await lastRefusal()).detail ?? '', /no key of a kind/);
    });
  });

/** Imports a private key as a program does that has it from a file. */
async function importKey({ privateKey, alg }: IssuerKey): Promise<CryptoKey> {
  const name = alg === 'EdDSA' ? 'Ed25519' : alg;
  return (await importPKCS8(String(privateKey.export({ format: 'pem', type: 'pkcs8' })), name)) as CryptoKey;
}

test('a key set is refused unless Janua can use each of its keys, and all are public', () => {
  const rsa = other.jwk;
  const privateJwk = key.privateKey.export({ format: 'jwk' });
  for (const [about, text, expected] of [
    ['none', ' ', 0],
    ['several', JSON.stringify(setOf(key, other, createIssuerKey('three', 'EdDSA'))), 3],
    ['one for encryption beside it', JSON.stringify({ keys: [key.jwk, { ...rsa, use: 'enc' }] }), 1],
    ['as many as there may be', JSON.stringify({ keys: Array(clientKeys.most).fill(key.jwk) }), clientKeys.most],
    ['one more', JSON.stringify({ keys: Array(clientKeys.most + 1).fill(key.jwk) }), 'too-many'],
    ['a private key', JSON.stringify({ keys: [rsa, privateJwk] }), 'private-key'],
    ['a symmetric key', JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0' }] }), 'private-key'],
    ['only one for encryption', JSON.stringify({ keys: [{ ...rsa, use: 'enc' }] }), 'not-client-keys'],
    ['another curve', JSON.stringify({ keys: [{ ...key.jwk, crv: 'P-384' }] }), 'not-client-keys'],
    ['a point beside the curve', JSON.stringify({ keys: [{ ...key.jwk, x: key.jwk.y }] }), 'not-client-keys'],
    ['a short modulus', JSON.stringify({ keys: [{ ...rsa, n: rsa.n?.slice(0, 171) }] }), 'not-client-keys'],
    ['a large exponent', JSON.stringify({ keys: [{ ...rsa, e: rsa.n }] }), 'not-client-keys'],
    ['a bare key', JSON.stringify(key.jwk), 'not-client-keys'],
    ['an empty set', '{"keys":[]}', 'not-client-keys'],
    ['keys that are none', '{"keys":[null,1,"x",[]]}', 'not-client-keys'],
    ['no JSON', 'x', 'not-client-keys'],
  ] as const) {
    const read = () => readClientKeys(text);
    if (typeof expected === 'number') assert.equal(read().length, expected, about);
    else assert.throws(read, (error) => error instanceof InvalidFields && error.faults[0]?.code === expected, about);
  }
  for (const one of readClientKeys(JSON.stringify({ keys: [{ ...key.jwk, x5u: 'https://x.example.com', n: 1 }] })))
    assert.deepEqual(Object.keys(one).sort(), ['crv', 'kid', 'kty', 'x', 'y'], 'only what verifies is kept');
});

test('keys are given on the page and by the API, and go with no secret, trust or public client', async () => {
  await using server = await openProvider();
  const { get, post: send } = withHeaders(server.janua, await signInAs(server.janua, [admins]));
  const fields = { name: 'Wiki', redirect_uris: ['https://wiki.example.com/callback'] };
  const added = await send('/api/admin/clients/add', { ...fields, jwks: setOf(key) });
  assert.equal(added.statusCode, 201, added.body);
  const { client_id: id, client_secret, jwks } = added.json();
  assert.deepEqual([client_secret, jwks], [null, [{ kid: 'one', kty: 'EC', crv: 'P-256' }]]);
  const page = await get(`/admin/clients/${id}`);
  assert.match(page.body, /proves itself with a key/);
  assert.match(page.body, /one \(P-256\)/);
  assert.doesNotMatch(page.body, /rotate-secret/);
  const form = await get(`/admin/clients/${id}/change`);
  assert.match(
    form.body,
    /<textarea id="jwks"[^>]*>\{&quot;keys&quot;:\[\{&quot;kty|<textarea id="jwks"[^>]*>\{&#34;keys/,
  );
  const here = `/api/admin/clients/${id}/change`;
  for (const [about, change, field, detail] of [
    ['keys and an address', { jwks_uri: 'https://wiki.example.com/jwks' }, 'jwks_uri', /^Either keys or their address/],
    ['an address without TLS', { jwks: '', jwks_uri: 'http://wiki.example.com/jwks' }, 'jwks_uri', /^An https address/],
    [
      'a private key',
      { jwks: { keys: [key.privateKey.export({ format: 'jwk' })] } },
      'jwks',
      /^There is a private or symmetric key in it/,
    ],
  ] as const) {
    const answer = await send(here, change);
    assert.equal(answer.statusCode, 422, about);
    const { errors } = answer.json() as { errors: { field: string; detail: string }[] };
    assert.equal(errors[0]?.field, field, about);
    assert.match(errors[0]?.detail ?? '', detail, about);
  }
  assert.equal((await send(here, { jwks: '', jwks_uri: 'https://wiki.example.com/jwks' })).statusCode, 200);
  assert.match((await get(`/admin/clients/${id}`)).body, /https:\/\/wiki\.example\.com\/jwks/);
  assert.equal((await send('/api/admin/clients/add', { ...fields, public: true, jwks: setOf(key) })).statusCode, 422);
  const program = {
    machine: true,
    machine_scopes: 'users:read',
    within: 'staff',
    trusts: 'github:o/r,repository_id=1',
  };
  const both = await send('/api/admin/clients/add', { name: 'CI', ...program, jwks: setOf(key) });
  assert.match(both.body, /Either keys or tokens of other issuers/);
});
