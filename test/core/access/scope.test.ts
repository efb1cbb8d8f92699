import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { codeOf } from '../../capabilities/second-factor/authenticator-app.ts';
import { type SentHeaders, signedInBy } from '../../client.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';
import { asJson, form } from '../../web/faces.ts';

/** A server with routes that want a scope: its own, or those of an app with Janua in it. */
async function open({ mounted = false, ...stores }: Partial<StoreChoice> = {}) {
  const janua = await startJanua({
    settings: { SCOPES: ['reports:read', 'reports:write'] },
    stores: { users: 'SQLite', sessions: 'SQL', mounted, ...stores },
    addRoutes(app) {
      const reports = async () => ({ reports: [] });
      app.get('/salaries', { config: { signedIn: true, personalTokens: false } }, reports);
      app.get('/reports', { config: { signedIn: true, scope: 'reports:read' } }, reports);
      app.get('/scope-alone', { config: { scope: 'reports:read' } }, reports);
    },
  });
  const { administration } = janua.services;
  await administration.addGroup({ name: 'staff', description: '', scopes: ['reports:read', 'users:read'] });

  async function logInFor(scope?: string) {
    const sent = form({
      username: ann.username,
      password,
      grant_type: 'password',
      ...(scope !== undefined && { scope }),
    });
    const answer = await janua.app.inject({ method: 'POST', url: '/api/login', ...sent });
    return { body: answer.json(), ...signedInBy(answer) };
  }
  return {
    ...janua,
    logInFor,
    add: () => administration.changeGroups(ann.username, { add: ['staff'] }),
  };
}

for (const mounted of [false, true]) {
  describe(`a route ${mounted ? 'of an app with Janua in it' : 'of our own server'} that wants a scope`, () => {
    test('passes a user whose group grants it, from the very next request on and until the group is left', async () => {
      await using opened = await open({ mounted });
      const { get, logInFor, add, services } = opened;
      const { cookie, bearer } = await logInFor();
      const statuses = async () =>
        Promise.all([cookie, bearer].map(async (credential) => (await get('/reports', credential)).statusCode));
      assert.deepEqual(await statuses(), [403, 403]);
      await add();
      assert.deepEqual(await statuses(), [200, 200]);
      await services.administration.setScopes('staff', []);
      assert.deepEqual(await statuses(), [403, 403]);
      await services.administration.setScopes('staff', ['reports:read']);
      assert.deepEqual(await statuses(), [200, 200]);
      await services.administration.changeGroups(ann.username, { remove: ['staff'] });
      assert.deepEqual(await statuses(), [403, 403]);
      await services.administration.changeGroups(ann.username, { add: ['admins'] });
      assert.deepEqual(await statuses(), [403, 403], "admins holds Janua's scopes, not those of applications");
    });

    test('takes a personal access token, unless it says otherwise', async () => {
      await using opened = await open({ mounted });
      const { get, logInFor, add, services } = opened;
      await add();
      const account = await opened.account();
      const made = { name: 'x', scopes: ['reports:read'], days: 1 };
      const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
      const personal = { authorization: `Bearer ${token}` };
      assert.equal((await get('/reports', personal)).statusCode, 200);
      const refused = await get('/salaries', { ...personal, ...asJson });
      assert.deepEqual(
        [refused.statusCode, refused.json().detail],
        [403, 'This takes no personal access token. Log in'],
      );
      assert.match((await get('/salaries', personal)).body, /This takes no personal access token/);
      const { cookie, bearer } = await logInFor();
      for (const credential of [cookie, bearer, (await logInFor('reports:read')).bearer])
        assert.equal((await get('/salaries', credential)).statusCode, 200);
      const [event] = await opened.events({ order: 'newest-first', kind: 'permission-refused' });
      assert.ok(event);
      assert.equal(event.reason, 'personal-token');
    });

    test('tells a program and a browser which scope is missing, and janua explain too', async () => {
      await using opened = await open({ mounted });
      const { get, logInFor } = opened;
      const { cookie, bearer } = await logInFor();
      for (const url of ['/reports', '/scope-alone']) {
        const program = await get(url, { ...bearer, ...asJson });
        assert.equal(program.statusCode, 403);
        assert.equal(program.json().error, 'insufficient_scope');
        // RFC 6749 5.2 allows no quotation mark.
        assert.equal(program.json().error_description, 'You lack the permission reports:read');
        assert.equal(
          program.headers['www-authenticate'],
          'Bearer realm="janua", error="insufficient_scope", scope="reports:read"',
        );
        const page = await get(url, cookie);
        assert.equal(page.statusCode, 403);
        assert.match(
          page.body,
          /You lack the permission reports:read\. An administrator of Janua can give it to you\./,
        );
        assert.equal(page.headers['set-cookie'], undefined);
        const anonymous = await get(url, asJson);
        assert.equal(anonymous.statusCode, 401);
        assert.equal((await get(url, {})).statusCode, 303);
      }
      const events = await opened.events({ order: 'newest-first', kind: 'permission-refused' });
      assert.equal(events.length, 4);
      for (const event of events) {
        assert.ok('about' in event);
        assert.deepEqual([event.about, event.reason], ['reports:read', 'not-granted']);
      }
    });
  });
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[]) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(`scope in the password grant, users in ${table}${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('narrows the access token, and not the cookie', async () => {
      await using opened = await open(stores);
      const { get, logInFor, add } = opened;
      await add();
      const scopeOf = async (credential: Record<string, string>) =>
        (await get('/api/account', credential)).json().scope;
      for (const [asked, granted] of [
        [undefined, 'reports:read users:read'],
        ['', 'reports:read users:read'],
        [' ', 'reports:read users:read'],
        ['reports:read', 'reports:read'],
        ['users:write  reports:read x', 'reports:read'],
        ['users:write', ''],
        ['REPORTS:READ', ''],
        ['x'.repeat(9000), ''],
      ] as const) {
        const { body, bearer, cookie } = await logInFor(asked);
        assert.equal(body.scope, granted, String(asked));
        assert.equal(await scopeOf(bearer), granted);
        assert.equal(await scopeOf(cookie), 'reports:read users:read');
        assert.equal((await get('/reports', bearer)).statusCode, granted.includes('reports:read') ? 200 : 403);
      }
    });

    test('gives no field to a user without groups who asked for nothing', async () => {
      await using opened = await open(stores);
      assert.deepEqual(Object.keys((await opened.logInFor()).body), ['access_token', 'token_type', 'expires_in']);
      assert.equal((await opened.logInFor('reports:read')).body.scope, '');
    });
  });
}

test('a token that lost or never got a scope has it not, and one that gets it back has it again', async () => {
  await using opened = await open();
  const { get, logInFor, add, services } = opened;
  await add();
  const { bearer } = await logInFor('reports:read');
  await services.administration.changeGroups(ann.username, { remove: ['staff'] });
  assert.equal((await get('/reports', bearer)).statusCode, 403);
  await add();
  assert.equal((await get('/reports', bearer)).statusCode, 200);
});

test('a narrowed token changes no account, and cannot get a wider one by a confirmation', async () => {
  await using opened = await open();
  const { logInFor } = opened;
  const { bearer, cookie } = await logInFor('reports:read');
  const post = (url: string, credential: SentHeaders, fields: object) =>
    opened.post(url, fields, { ...credential, ...asJson });
  for (const [url, fields] of [
    ['/api/confirm', { password }],
    ['/auth/confirm', { password }],
    ['/api/account/password', { current_password: password, new_password: 'another long password' }],
    ['/account/profile', { first_name: 'A', last_name: 'B' }],
    ['/api/account/tokens', { name: 'x', expires_in_days: 1 }],
    ['/api/account/delete', { current_password: password }],
  ] as const) {
    const answer = await post(url, bearer, fields);
    assert.equal(answer.statusCode, 403, url);
    assert.equal(answer.json().error, 'insufficient_scope');
    assert.equal(answer.headers['www-authenticate'], 'Bearer realm="janua", error="insufficient_scope"');
    assert.equal(answer.headers['set-cookie'], undefined);
  }
  assert.equal((await post('/api/account/profile', cookie, { first_name: 'A', last_name: 'B' })).statusCode, 200);
});

test('the scope outlives the second factor', async () => {
  await using opened = await open();
  const { app, services, add, get } = opened;
  await add();
  const account = await opened.account();
  const link = (await services.createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
  const { secret } = await services.enrolment.begin(link, { route: 'a test' });
  await services.enrolment.finish(link, codeOf(secret, Date.now()), 'en', { route: 'a test' });
  const sent = form({ username: ann.username, password, scope: 'users:read' });
  const waiting = (await app.inject({ method: 'POST', url: '/api/login', ...sent })).json();
  const step = form({ mfa_token: waiting.mfa_token, method: 'totp', code: codeOf(secret, Date.now() + 30_000) });
  const done = await app.inject({ method: 'POST', url: '/api/second-factor', ...step });
  assert.equal(done.statusCode, 200, done.body);
  assert.equal(done.json().scope, 'users:read');
  const bearer = { authorization: `Bearer ${done.json().access_token}` };
  assert.equal((await get('/api/account', bearer)).json().scope, 'users:read');
});

test('the OpenAPI document names the scopes, and Authorize offers them', async () => {
  await using opened = await open();
  const document = (await opened.get('/openapi.json')).json();
  const { scopes } = document.components.securitySchemes.password.flows.password;
  assert.deepEqual(Object.keys(scopes), [
    ...['users:read', 'users:write', 'audit:read', 'sessions:write', 'clients:write', 'settings:read'],
    ...['reports:read', 'reports:write'],
  ]);
});

test('the last administrator cannot delete the own account', async () => {
  await using opened = await open();
  const { logInFor, services } = opened;
  await services.administration.changeGroups(ann.username, { add: ['admins'] });
  const { cookie } = await logInFor();
  const remove = (url: string) => opened.post(url, { current_password: password }, cookie);
  assert.equal((await remove('/api/account/delete')).statusCode, 409);
  assert.match((await remove('/account/delete')).body, /This is the last administrator/);
  assert.ok(await services.users.findByUsername(ann.username));
  await services.administration.add({
    ...{ username: 'bob@example.com', firstName: 'B', lastName: 'B', password },
    groups: ['admins'],
  });
  assert.equal((await remove('/api/account/delete')).statusCode, 200);
});
