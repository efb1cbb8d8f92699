import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type SentHeaders, withHeaders } from '../../client.ts';
import { insertSample } from '../../ground/database/sample-rows.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { asJson, sessionCookie } from '../../web/faces.ts';

const day = 86_400_000;

async function open(stores: StoreChoice = { users: 'SQLite', sessions: 'SQL' }) {
  const janua = await startJanua({ settings: { SCOPES: ['reports:read'] }, time: Date.now(), stores });
  const { administration } = janua.services;
  await administration.addGroup({ name: 'staff', description: '', scopes: ['reports:read', 'users:read'] });
  await administration.changeGroups(ann.username, { add: ['staff'] });
  const client = withHeaders(janua, asJson);
  return {
    ...janua,
    ...client,
    async make(more: object = {}, credential?: SentHeaders) {
      const fields = { name: 'Report', scope: 'reports:read', expires_in_days: 30, ...more };
      const made = await client.post('/api/account/tokens', fields, credential ?? (await janua.logIn()).bearer);
      assert.equal(made.statusCode, 201, made.body);
      return { ...made.json(), bearer: { authorization: `Bearer ${made.json().token}` } };
    },
  };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[]) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(`personal access tokens, users in ${table}${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('sign their user in with the scopes that were chosen, until they expire', async () => {
      await using opened = await open(stores);
      const { make, get, pass, services } = opened;
      const { token, bearer, scope } = await make({ scope: ['users:read'] });
      assert.match(token, /^janua_pat_[\w-]{22}\.[\w-]{49}$/);
      assert.equal(scope, 'users:read');
      assert.equal((await get('/api/me', bearer)).json().username, ann.username);
      assert.equal((await get('/api/account', bearer)).json().scope, 'users:read');
      await services.administration.changeGroups(ann.username, { remove: ['staff'] });
      assert.equal((await get('/api/account', bearer)).json().scope, '');
      pass(30 * day);
      assert.equal((await get('/api/me', bearer)).statusCode, 401);
    });

    test('are listed with their last use, to the minute, and ended one by one', async () => {
      await using opened = await open(stores);
      const { make, get, post, logIn, pass, now } = opened;
      const { bearer, id } = await make();
      const other = await make({ name: 'Other' });
      const session = (await logIn()).bearer;
      const listed = async () => (await get('/api/account/tokens', session)).json().tokens;
      assert.equal((await listed()).length, 2);
      assert.equal((await listed()).find((one: { id: string }) => one.id === id).last_used_at, null);
      await get('/api/me', bearer, '192.0.2.7');
      const first = new Date(now()).toISOString();
      pass(59_000);
      await get('/api/me', bearer, '192.0.2.8');
      const used = (await listed()).find((one: { id: string }) => one.id === id);
      assert.deepEqual([used.last_used_at, used.last_used_address], [first, '192.0.2.7']);
      pass(1000);
      await get('/api/me', bearer, '192.0.2.8');
      assert.equal((await listed()).find((one: { id: string }) => one.id === id).last_used_address, '192.0.2.8');
      assert.equal((await post('/api/account/tokens/end', { id }, session)).statusCode, 200);
      assert.equal((await post('/api/account/tokens/end', { id }, session)).statusCode, 404);
      assert.equal((await get('/api/me', bearer)).statusCode, 401);
      assert.equal((await get('/api/me', other.bearer)).statusCode, 200);
    });

    test('end with the factors, a new password by an operator, disabling and the account', async () => {
      await using opened = await open(stores);
      const { make, get, services, people } = opened;
      const statusOf = async (bearer: Record<string, string>) => (await get('/api/me', bearer)).statusCode;
      const account = await opened.account();
      const first = await make();
      await insertSample(services.database, 'janua_totp', {
        id: `active:${account.user.id}`,
        user_id: account.user.id,
      });
      await services.manageFactors.removeAll(account.user, { caller: { route: 'a test' } });
      assert.equal(await statusOf(first.bearer), 401);
      const second = await make();
      await people.disable(ann.username);
      assert.equal(await statusOf(second.bearer), 401);
      await people.enable(ann.username);
      const third = await make();
      await people.remove(ann.username);
      assert.equal(await statusOf(third.bearer), 401);
    });
  });
}

test("another user's token is not there to end or to see", async () => {
  await using opened = await open();
  const { make, post, get, services } = opened;
  const { id, bearer } = await make();
  await services.administration.add({ username: 'eve@example.com', firstName: 'E', lastName: 'E', password });
  const eve = (await post('/api/login', { username: 'eve@example.com', password })).json();
  const headers = { authorization: `Bearer ${eve.access_token}` };
  assert.equal((await post('/api/account/tokens/end', { id }, headers)).statusCode, 404);
  assert.deepEqual((await get('/api/account/tokens', headers)).json(), { tokens: [] });
  assert.equal((await get('/api/me', bearer)).statusCode, 200);
});

test('a personal token changes no account, makes no tokens, and is no fresh proof', async () => {
  await using opened = await open();
  const { make, post, get, services } = opened;
  const { bearer, id } = await make();
  for (const [url, fields] of [
    ['/api/account/tokens', { name: 'x', expires_in_days: 1 }],
    ['/api/account/tokens/end', { id }],
    ['/api/confirm', { password }],
    ['/api/account/password', { current_password: password, new_password: 'another long password' }],
    ['/api/account/delete', { current_password: password }],
  ] as const)
    assert.equal((await post(url, fields, bearer)).statusCode, 403, url);
  assert.equal((await get('/api/account/export', bearer)).statusCode, 403);
  assert.equal((await post('/api/logout', {}, bearer)).statusCode, 401);
  await services.administration.changeGroups(ann.username, { add: ['admins'] });
  const { bearer: ofAdministrator } = await make({ scope: ['users:write'] });
  const user = await services.users.findByUsername(ann.username);
  const refused = await post(`/api/admin/users/${user?.user.id}/groups`, { groups: '' }, ofAdministrator);
  assert.deepEqual([refused.statusCode, refused.json().error], [401, 'insufficient_user_authentication']);
  assert.equal((await get('/api/me', bearer)).statusCode, 200);
});

test('no other spelling of a token is accepted, and a wrong checksum is not looked up', async () => {
  await using opened = await open();
  const { make, get, post, services } = opened;
  const { token } = await make();
  const changed = (at: number) => {
    const letter = token[at] === 'A' ? 'B' : 'A';
    return `${token.slice(0, at)}${letter}${token.slice(at + 1)}`;
  };
  for (const at of [10, 30, 40, token.length - 7, token.length - 6, token.length - 1])
    assert.equal((await get('/api/me', { authorization: `Bearer ${changed(at)}` })).statusCode, 401, String(at));
  for (const text of [
    'janua_pat_',
    `${token}A`,
    token.slice(0, -1),
    token.replace('janua_pat_', 'janua_'),
    ` ${token} x`,
  ])
    assert.equal((await get('/api/me', { authorization: `Bearer ${text}` })).statusCode, 401, text);
  const login = await post('/api/login', { username: ann.username, password }, {});
  const signedIn = { cookie: `session=${sessionCookie(login)}` };
  assert.equal((await get('/api/me', signedIn)).statusCode, 200);
  const both = { ...signedIn, authorization: `Bearer ${changed(40)}` };
  assert.equal((await get('/api/me', both)).statusCode, 401, 'the cookie does not stand in');
  const account = await opened.account();
  assert.equal((await services.personalTokens.list(account.user)).length, 1);
});

test('a token with a scope that its owner lacks is refused, and the scope is named', async () => {
  await using opened = await open();
  const { post, get, logIn } = opened;
  const session = (await logIn()).bearer;
  const fields = { name: 'x', scope: ['reports:read', 'users:write', 'a:b'], expires_in_days: 1 };
  const refused = await post('/api/account/tokens', fields, session);
  assert.equal(refused.statusCode, 422);
  assert.deepEqual(refused.json().errors, [{ field: 'scope', detail: 'You lack: users:write, a:b' }]);
  const page = await post('/account/tokens', fields, { ...session, 'x-expected-format': 'text/html' });
  assert.match(page.body, /id="scope-error">You lack: users:write, a:b</);
  assert.match(page.body, /value="reports:read" checked/);
  assert.deepEqual((await get('/api/account/tokens', session)).json(), { tokens: [] });
});

test('a token needs a name, and an end within a year', async () => {
  await using opened = await open();
  const { post, logIn } = opened;
  const session = (await logIn()).bearer;
  for (const fields of [
    { name: ' ', expires_in_days: 1 },
    { name: 'x' },
    { name: 'x', expires_in_days: 0 },
    { name: 'x', expires_in_days: 366 },
    { name: 'x', expires_in_days: -1 },
    { name: 'x', expires_in_days: '1e1' },
    { name: 'x', expires_in_days: '' },
    { name: 'x'.repeat(101), expires_in_days: 1 },
    { name: 'a\0b', expires_in_days: 1 },
  ])
    assert.equal((await post('/api/account/tokens', fields, session)).statusCode, 422, JSON.stringify(fields));
  for (const fields of [
    { name: 'x', expires_in_days: 1.5 },
    { name: 'x', expires_in_days: null },
    { name: 'x', expires_in_days: 1, scope: [1] },
    { name: ['x'], expires_in_days: 1 },
  ])
    assert.equal((await post('/api/account/tokens', fields, session)).statusCode, 400, JSON.stringify(fields));
});

test('a password that is changed ends the tokens only if the user asks for it', async () => {
  await using opened = await open();
  const { make, post, get, logIn } = opened;
  const { bearer } = await make();
  const change =
    (current: string, next: string, more: object = {}) =>
    async () => {
      const fields = { current_password: current, new_password: next, ...more };
      const answer = await post('/api/account/password', fields, (await logIn(ann.username, current)).bearer);
      assert.equal(answer.statusCode, 200, answer.body);
    };
  await change(password, 'another long password')();
  assert.equal((await get('/api/me', bearer)).statusCode, 200);
  await change('another long password', password, { end_tokens: 'on' })();
  assert.equal((await get('/api/me', bearer)).statusCode, 401);
});
