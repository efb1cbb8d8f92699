import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { ann } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';
import { type Application, basic, openProvider, post, readToken, rowsOf, wiki } from '../application.ts';

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';
const tools = { uri: 'https://tools.example.com', scopes: ['tools:use'], tokenFormat: 'opaque' } as const;
const notes = {
  uri: 'https://notes.example.com',
  scopes: ['notes:read', 'notes:write'],
  tokenFormat: 'opaque',
} as const;
const files = { uri: 'https://files.example.com', scopes: ['files:read'], tokenFormat: 'jwt' } as const;
const secrets = { uri: 'https://secrets.example.com', scopes: ['notes:read'], tokenFormat: 'opaque' } as const;

interface Answer {
  readonly access_token?: string;
  readonly error?: string;
  readonly [name: string]: unknown;
}

/** Tools, an MCP server for example, calls the API of notes for its user. */
async function open(stores?: StoreChoice) {
  const server = await openProvider(stores === undefined ? {} : { stores });
  const { clientAdministration } = server.janua.services;
  for (const resource of [tools, notes, files, secrets]) await clientAdministration.addResource(resource);
  const exchanges = { [notes.uri]: ['notes:read'], [files.uri]: ['files:read'] };
  await clientAdministration.changeResource(tools.uri, { exchanges });
  const [api, other] = [
    await clientAdministration.setResourceSecret(tools.uri),
    await clientAdministration.setResourceSecret(notes.uri),
  ];
  const send = async (path: string, fields: object, as: Pick<Application, 'clientId' | 'secret'>) =>
    (await (await post(server, path, fields as Record<string, string>, basic(as))).json()) as Answer;
  const usual = { grant_type: grantType, subject_token_type: accessToken, resource: notes.uri };
  return {
    ...{ server, clientAdministration, api, other },
    exchange: (subject_token: string, fields: object = {}, as = api) =>
      send('/oidc/token', { ...usual, subject_token, ...fields }, as),
    ask: (token: string | undefined, as = other) => send('/oidc/introspection', { token: token ?? '' }, as),
    tokenOf: async (app: Application) =>
      (await app.signIn(await server.browser(), { resource: tools.uri, scope: 'openid tools:use' })).access_token,
    [Symbol.asyncDispose]: server[Symbol.asyncDispose],
  };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] as const satisfies StoreChoice[])
  describe(`token exchange, users in ${stores.users}`, { skip: missing(stores.users, stores.sessions) }, () => {
    test('gives a token for the same user, application and session, with what the pair allows', async () => {
      await using opened = await open(stores);
      const app = await opened.server.addApplication();
      const sent = await opened.tokenOf(app);
      const { access_token: token, expires_in: seconds, ...answer } = await opened.exchange(sent);
      assert.deepEqual(answer, { issued_token_type: accessToken, token_type: 'Bearer', scope: 'notes:read' });
      assert.ok(Number(seconds) <= 3600 && Number(seconds) > 3500);
      const told = await opened.ask(token);
      const before = await opened.ask(sent, opened.api);
      assert.deepEqual(
        [told.active, told.aud, told.scope, told.client_id, told.act],
        [true, notes.uri, 'notes:read', app.clientId, { sub: tools.uri }],
      );
      assert.deepEqual([told.sub, told.exp], [before.sub, before.exp]);
      // However often it asks, the table does not grow.
      const rows = (await rowsOf(opened.server, 'janua_oidc_records')).length;
      const again = await Promise.all(Array.from({ length: 20 }, () => opened.exchange(sent)));
      assert.ok(again.every(({ access_token }) => access_token === token));
      assert.equal((await rowsOf(opened.server, 'janua_oidc_records')).length, rows);
    });

    test('ends with what the former token ends with, and with the permission of the administrator', async () => {
      await using opened = await open(stores);
      const { server, ask, exchange, clientAdministration, tokenOf } = opened;
      const { services } = server.janua;
      const { user } = (await services.users.findByUsername(ann.username)) ?? assert.fail();
      const exchanges = { [notes.uri]: ['notes:read'] };
      for (const [about, end, again] of [
        ['the pair', () => clientAdministration.changeResource(tools.uri, { exchanges: {} }), { exchanges }],
        ['the scope', () => clientAdministration.changeResource(notes.uri, { scopes: ['notes:write'] }), undefined],
      ] as const) {
        const sent = await tokenOf(await server.addApplication());
        const { access_token: token } = await exchange(sent);
        assert.equal((await ask(token)).active, true, about);
        await end();
        assert.equal((await ask(token)).active, false, about);
        assert.ok((await exchange(sent)).error, about);
        if (again !== undefined) await clientAdministration.changeResource(tools.uri, again);
        else await clientAdministration.changeResource(notes.uri, { scopes: notes.scopes });
      }
      const app = await server.addApplication();
      for (const [about, end] of [
        ['the grant', (token: string) => post(server, '/oidc/revocation', { token }, basic(app))],
        ['the session', () => services.administration.endSessions({ userId: user.id })],
        ['the group', () => clientAdministration.changeClient(app.clientId, { groups: ['admins'] })],
        ['the application', () => clientAdministration.removeClient(app.clientId)],
      ] as const) {
        const sent = await tokenOf(app);
        const { access_token: token } = await exchange(sent);
        assert.equal((await ask(token)).active, true, about);
        await end(sent);
        assert.equal((await ask(token)).active, false, about);
        assert.equal((await exchange(sent)).error, 'invalid_request', about);
        if (about === 'the group') await clientAdministration.changeClient(app.clientId, { groups: [] });
      }
    });
  });

test('a signed token is given for a resource that wants one, for five minutes', async () => {
  await using opened = await open();
  const sent = await opened.tokenOf(await opened.server.addApplication());
  const { access_token: token = '', expires_in: seconds } = await opened.exchange(sent, { resource: files.uri });
  assert.equal(seconds, 300);
  const { claims } = await readToken(opened.server, token);
  assert.deepEqual([claims.aud, claims.scope, claims.act], [files.uri, 'files:read', { sub: tools.uri }]);
  assert.equal((await opened.exchange(token)).error, 'invalid_request');
});

test('what is not allowed is refused, and explain says why', async () => {
  await using opened = await open();
  const { server, api, other, exchange, clientAdministration } = opened;
  const app = await server.addApplication();
  const sent = await opened.tokenOf(app);
  const { access_token: exchanged = '' } = await exchange(sent);
  const plain = (await app.signIn(await server.browser())).access_token;
  const { refresh_token: refresh = '' } = await app.signIn(await server.browser(), { resource: tools.uri });
  const program = await clientAdministration.addClient({
    ...{ ...wiki, own: false, redirectUris: [] },
    machine: { scopes: [], within: [], may: { [tools.uri]: ['tools:use'] } },
  });
  const robot = { clientId: program.client.id, secret: program.secret };
  const answer = await post(server, '/oidc/token', { grant_type: 'client_credentials' }, basic(robot));
  const { access_token: ofProgram = '' } = (await answer.json()) as Answer;
  const refused: [string, string, object, string][] = [
    ['a token for userinfo', plain, {}, 'invalid_request'],
    ['a refresh token', refresh, {}, 'invalid_request'],
    ['a token of a program', ofProgram, {}, 'invalid_request'],
    ['no token', 'unknown', {}, 'invalid_request'],
    ['another kind', sent, { subject_token_type: 'urn:ietf:params:oauth:token-type:jwt' }, 'invalid_request'],
    [
      'for another kind',
      sent,
      { requested_token_type: 'urn:ietf:params:oauth:token-type:id_token' },
      'invalid_request',
    ],
    ['an actor', sent, { actor_token: sent, actor_token_type: accessToken }, 'invalid_request'],
    ['an audience', sent, { audience: notes.uri }, 'invalid_request'],
    ['a resource that is not allowed', sent, { resource: secrets.uri }, 'invalid_target'],
    ['its own resource', sent, { resource: tools.uri }, 'invalid_target'],
    ['Janua itself', sent, { resource: server.origin }, 'invalid_target'],
    ['an unknown resource', sent, { resource: 'https://evil.example.com' }, 'invalid_target'],
    ['no resource', sent, { resource: '' }, 'invalid_target'],
    ['more scope', sent, { scope: 'notes:read notes:write' }, 'invalid_scope'],
    ['a scope of OpenID Connect', sent, { scope: 'openid' }, 'invalid_scope'],
  ];
  for (const [about, token, fields, error] of refused)
    assert.equal((await exchange(token, fields)).error, error, about);
  // The receiver of an exchanged token cannot exchange it on, and no other party can exchange a token that it has seen.
  await clientAdministration.changeResource(notes.uri, { exchanges: { [secrets.uri]: ['notes:read'] } });
  const onward = { resource: secrets.uri };
  assert.equal((await exchange(exchanged, onward, other)).error, 'invalid_request');
  assert.equal((await exchange(sent, onward, other)).error, 'invalid_request');
  assert.equal((await exchange(sent, {}, { ...api, secret: 'wrong' })).error, 'invalid_client');
  assert.equal((await exchange(sent, {}, app as never)).error, 'invalid_request');
  const reasons = (await server.janua.events({ kind: 'application-refused' })).map(({ reason }) => reason);
  for (const reason of ['not-exchangeable', 'no-exchange', 'unknown-resource', 'scope'])
    assert.ok(reasons.includes(reason), reason);
});

test('a pair is refused that could not work', async () => {
  await using opened = await open();
  const { clientAdministration } = opened;
  const set = (uri: string, exchanges: object) =>
    clientAdministration.changeResource(uri, { exchanges: exchanges as Record<string, string[]> });
  for (const [uri, exchanges, code] of [
    [tools.uri, { 'https://none.example.com': ['x'] }, 'unknown-resource'],
    [tools.uri, { [notes.uri]: ['files:read'] }, 'not-of-resource'],
    [tools.uri, { [tools.uri]: ['tools:use'] }, 'not-for-itself'],
    [files.uri, { [notes.uri]: ['notes:read'] }, 'not-of-signed'],
    [
      tools.uri,
      Object.fromEntries(Array.from({ length: 21 }, (_, index) => [`https://${index}.example.com`, ['x']])),
      'too-many',
    ],
  ] as const)
    await assert.rejects(set(uri, exchanges), (error: { faults?: { field: string; code: string }[] }) => {
      assert.deepEqual(
        error.faults?.map(({ field, code: found }) => [field, found]),
        [['exchange_for', code]],
      );
      return true;
    });
});

test('gives no token if the former one is revoked in the middle', async () => {
  await using opened = await open();
  const { database } = opened.server.janua.services;
  const sent = await opened.tokenOf(await opened.server.addApplication());
  // The revocation, which deletes the tokens that there are, comes before the new token is stored.
  const revoke = sql`create trigger revocation before insert on janua_oidc_records when new.model = 'AccessToken'
    begin delete from janua_oidc_records where model = 'AccessToken'; end`;
  await revoke.execute(database);
  assert.equal((await opened.exchange(sent)).error, 'invalid_grant');
  const tokens = database.selectFrom('janua_oidc_records').select('id').where('model', '=', 'AccessToken');
  assert.deepEqual(await tokens.execute(), []);
});
