import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import { exportJWK, generateKeyPair, type JWTPayload, SignJWT } from 'jose';
import { mostAssertions } from '../../../src/capabilities/oidc/records/grant-records.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { openProvider, type ProviderUnderTest, post } from './application.ts';
import { type DocumentServer, startDocumentServer } from './document-server.ts';

const keys = await generateKeyPair('ES256', { extractable: true });
const jwk = { ...(await exportJWK(keys.publicKey)), kid: 'one', alg: 'ES256', use: 'sig' };

let documents: DocumentServer;
let clientId: string;
before(async () => {
  documents = await startDocumentServer();
  clientId = documents.publish('/client.json', {
    client_name: 'App',
    redirect_uris: ['https://app.example.com/callback'],
    grant_types: ['authorization_code', 'refresh_token'],
    token_endpoint_auth_method: 'private_key_jwt',
    token_endpoint_auth_signing_alg: 'ES256',
    jwks: { keys: [jwk] },
  });
});
after(() => documents[Symbol.asyncDispose]());

const open = (stores?: StoreChoice, allowed = documents.host) =>
  openProvider({
    ...(stores && { stores }),
    settings: { CLIENT_ID_METADATA: [allowed], OIDC_PRIVATE_HOSTS: ['localhost'], TRUSTED_PROXIES: ['127.0.0.1'] },
  });

const seconds = () => Math.floor(Date.now() / 1000);

const sign = ({ origin }: ProviderUnderTest, claims: JWTPayload = {}) =>
  new SignJWT({ iss: clientId, sub: clientId, aud: origin, exp: seconds() + 60, jti: randomUUID(), ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(keys.privateKey);

const send = (server: ProviderUnderTest, assertion: string, headers?: Readonly<Record<string, string>>) => {
  const fields = {
    grant_type: 'authorization_code',
    ...{ code: 'wrong', code_verifier: 'x'.repeat(43), redirect_uri: 'https://app.example.com/callback' },
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion,
  };
  return post(server, '/oidc/token', fields, headers);
};

/** Whether the assertion counts. The code is wrong, so that a client that has proved itself gets `invalid_grant`. */
async function counts(server: ProviderUnderTest, assertion: string): Promise<boolean> {
  const answer = await send(server, assertion);
  const { error } = (await answer.json()) as { error: string };
  assert.match(error, /^invalid_(grant|client)$/);
  return error === 'invalid_grant';
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[]) {
  const { users, sessions } = stores;
  describe(`with users in ${users} and sessions in ${sessions}`, { skip: missing(users, sessions) }, () => {
    test('an assertion that is sent 20 times at once counts once, and never again', async () => {
      await using server = await open(stores);
      const assertion = await sign(server);
      // They wait for the document of the client, and go on together.
      const sent = await Promise.all(Array.from({ length: 20 }, () => counts(server, assertion)));
      assert.equal(sent.filter(Boolean).length, 1);
      assert.equal(await counts(server, assertion), false);
      assert.equal(await counts(server, await sign(server)), true);
    });
  });
}

for (const { title, allowed, isRefusedElsewhere } of [
  { title: 'a client whose listed host', allowed: () => documents.host, isRefusedElsewhere: true },
  { title: 'a stranger whose network', allowed: () => 'any', isRefusedElsewhere: false },
])
  test(`${title} has used too many assertions is refused, with an event`, async () => {
    await using server = await open(undefined, allowed());
    const { database, auditTrail } = server.janua.services;
    assert.equal(await counts(server, await sign(server)), true);
    const row = await database
      .selectFrom('janua_oidc_records')
      .selectAll()
      .where('model', '=', 'Assertion')
      .executeTakeFirstOrThrow();
    const rows = Array.from({ length: mostAssertions }, (_, index) => ({ ...row, id: `${index}` }));
    await insertAll(database, 'janua_oidc_records', rows);
    const answer = await send(server, await sign(server));
    const { error, error_description: description } = (await answer.json()) as Record<string, string>;
    assert.deepEqual([answer.status, error], [400, 'temporarily_unavailable']);
    assert.match(description ?? '', /too many assertions/);
    const [refused] = await Array.fromAsync(auditTrail.find({ order: 'newest-first', kind: 'application-refused' }));
    assert.ok(refused && 'detail' in refused);
    assert.equal(refused.detail, description);
    const elsewhere = await send(server, await sign(server), { 'x-forwarded-for': '192.0.2.1' });
    assert.equal(((await elsewhere.json()) as { error: string }).error === error, isRefusedElsewhere);
  });

test('an assertion lasts five minutes at most, and is for the issuer alone', async () => {
  await using server = await open();
  const { origin } = server;
  for (const [about, claims, isTaken] of [
    ['one minute', {}, true],
    ['five minutes', { exp: seconds() + 300 }, true],
    ['six minutes', { exp: seconds() + 360 }, false],
    ['a year', { exp: seconds() + 365 * 86_400 }, false],
    ['no end', { exp: undefined }, false],
    ['an end that is over', { exp: seconds() - 60 }, false],
    ['a beginning that is to come', { nbf: seconds() + 60 }, false],
    ['the issuer in a list', { aud: [origin] }, false],
    ['the issuer and another server', { aud: [origin, 'https://other.example.com'] }, false],
    ['the token endpoint', { aud: `${origin}/oidc/token` }, false],
    ['the issuer with a slash', { aud: `${origin}/` }, false],
    ['another server', { aud: 'https://other.example.com' }, false],
  ] as const)
    assert.equal(await counts(server, await sign(server, claims as JWTPayload)), isTaken, about);
});
