import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { defaultSettings } from '../../../src/capabilities/oidc/clients/clients.ts';
import { requireRightsOf } from '../../../src/core/access/rights.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { addTo, signInAs } from '../../capabilities/admin/administrator.ts';
import { addApp } from '../../capabilities/second-factor/authenticator-app.ts';
import type { SentHeaders } from '../../client.ts';
import { ann, caller, startJanua, type TestJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import type { StoreChoice } from '../../stores.ts';

const helpdeskScopes = ['users:read', 'users:write', 'sessions:write', 'clients:write'];
const redirect = 'https://app.example.com/callback';

type Role = 'outsider' | 'member' | 'administrator' | 'narrowed token' | 'personal token';

/** Users and clients with the rights of a group, and an actor. */
interface Scene {
  readonly janua: TestJanua;
  readonly group: string;
  /** In the group. */
  readonly target: string;
  /** In no group. */
  readonly plain: string;
  readonly actor: string;
  /** Guarded by the group. */
  readonly guarded: string;
  /** Guarded by none. */
  readonly open: string;
}

interface Request {
  readonly url: string;
  readonly body?: Record<string, unknown>;
}

let count = 0;

async function arrange(janua: TestJanua, groupsOf: (group: string) => readonly string[]): Promise<Scene> {
  const { groups, clients } = janua.services;
  count += 1;
  const group = `finance-${count}`;
  await groups.add({ name: group, description: '', scopes: [] });
  const target = await addTo(janua, `target-${count}@example.com`, [group]);
  const plain = await addTo(janua, `plain-${count}@example.com`, []);
  const actor = await addTo(janua, `actor-${count}@example.com`, groupsOf(group));
  const settings = { ...defaultSettings, name: 'Books', redirectUris: [redirect], isPublic: false };
  const [guarded, open] = [
    await clients.add({ ...settings, groups: [group], secondFactor: true }),
    await clients.add(settings),
  ];
  return { janua, group, target, plain, actor, guarded: guarded.client.id, open: open.client.id };
}

async function credentialOf({ services }: TestJanua, id: string, role: Role): Promise<Record<string, string>> {
  const account = await services.users.findById(id);
  assert.ok(account);
  if (role === 'personal token') {
    const made = { name: 'x', scopes: helpdeskScopes, days: 1 };
    const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
    return { authorization: `Bearer ${token}` };
  }
  const isNarrowed = role === 'narrowed token';
  const session = await services.sessions.start(
    { userId: id, stamp: stampOf(account) },
    { methods: ['pwd', 'otp', 'mfa'], ...(isNarrowed && { tokenScope: helpdeskScopes.join(' ') }) },
  );
  return isNarrowed ? { authorization: `Bearer ${session.accessToken}` } : { cookie: `session=${session.cookie}` };
}

const groupsOf: Readonly<Record<Role, (group: string) => readonly string[]>> = {
  outsider: () => ['helpdesk'],
  member: (group) => ['helpdesk', group],
  administrator: () => [admins],
  'narrowed token': () => [admins],
  'personal token': (group) => ['helpdesk', group],
};

const post = (janua: TestJanua, { url, body = {} }: Request, headers: SentHeaders) =>
  janua.post(`/api/admin${url}`, body, headers);

const client =
  (change: Record<string, unknown>) =>
  ({ guarded }: Scene) => ({
    url: `/clients/${guarded}/change`,
    body: change,
  });

/** Every change of what has the rights of a group, or that gives them. */
const changes: Readonly<Record<string, (scene: Scene) => Request>> = {
  'puts a user into the group': ({ plain, group }) => ({ url: `/users/${plain}/groups`, body: { groups: [group] } }),
  'puts themselves into the group': ({ actor, group }) => ({
    url: `/users/${actor}/groups`,
    body: { groups: ['helpdesk', group] },
  }),
  'takes a user out of the group': ({ target }) => ({ url: `/users/${target}/groups`, body: { groups: [] } }),
  'invites a user into the group': ({ group }) => ({
    url: '/users',
    body: { email: `new-${group}@example.com`, groups: [group], invite: true },
  }),
  'disables a user': ({ target }) => ({ url: `/users/${target}/disable` }),
  'enables a user who has left': ({ target }) => ({ url: `/users/${target}/enable` }),
  'deletes a user': ({ target }) => ({ url: `/users/${target}/delete` }),
  'removes the second factors of a user': ({ target }) => ({ url: `/users/${target}/remove-factors` }),
  'mails a user a reset': ({ target }) => ({ url: `/users/${target}/send-reset` }),
  'corrects the name of a user': ({ target }) => ({
    url: `/users/${target}/name`,
    body: { first_name: 'Ann', last_name: 'Other' },
  }),
  'offers a user another address': ({ target }) => ({
    url: `/users/${target}/offer-email`,
    body: { email: `${target}@example.com` },
  }),
  'ends the sessions of a user': ({ target }) => ({ url: `/users/${target}/end-sessions` }),
  'lifts the waits of a user': ({ target }) => ({ url: `/users/${target}/lift` }),
  'lifts the waits of a user among all waits': ({ target }) => ({ url: '/throttle/lift', body: { user_id: target } }),
  'changes the scopes of the group': ({ group }) => ({
    url: '/groups/scopes',
    body: { name: group, scopes: ['users:read'] },
  }),
  'demands no second factor of the group': ({ group }) => ({
    url: '/groups/second-factor',
    body: { name: group, demanded: false },
  }),
  'removes the group': ({ group }) => ({ url: '/groups/remove', body: { name: group } }),
  'adds a client for the group': ({ group }) => ({
    url: '/clients/add',
    body: { name: 'New', redirect_uris: [redirect], groups: [group] },
  }),
  'guards a client by the group': ({ open, group }) => ({ url: `/clients/${open}/change`, body: { groups: [group] } }),
  'takes the guard off a client': client({ groups: [] }),
  'takes the second factor off a client': client({ second_factor: false }),
  'makes a client one of the operator': client({ own: true }),
  'renames a client': client({ name: 'Payroll' }),
  'points a client elsewhere': client({ redirect_uris: ['https://evil.example/callback'] }),
  'points the logout of a client elsewhere': client({ post_logout_redirect_uris: ['https://evil.example/'] }),
  'points the notices of a client elsewhere': client({ backchannel_logout_uri: 'https://evil.example/' }),
  'lets devices use a client': client({ device: true }),
  'chooses how ID tokens of a client are signed': client({ id_token_signed_response_alg: 'ES256' }),
  'takes the secret of a client': ({ guarded }) => ({ url: `/clients/${guarded}/rotate-secret` }),
  'removes a client': ({ guarded }) => ({ url: `/clients/${guarded}/remove` }),
};

/** What a program may do by a personal token, which is no fresh proof. */
const automated = ['disables a user', 'ends the sessions of a user', 'lifts the waits of a user'];

const expected: Readonly<Record<Role, (change: string) => number>> = {
  outsider: () => 403,
  member: () => 200,
  administrator: () => 200,
  // The administrator is not in the group, and such a token does not hold all.
  'narrowed token': () => 403,
  'personal token'(change) {
    if (change.startsWith('demands no second factor')) return 403;
    return automated.some((name) => change.startsWith(name)) ? 200 : 401;
  },
};

async function snapshot({ janua, group, target, plain, actor, guarded, open }: Scene): Promise<string> {
  const { users, groups, clients, sessions } = janua.services;
  return JSON.stringify({
    users: await Promise.all([target, plain, actor].map((id) => users.findById(id))),
    added: await users.findByUsername(`new-${group}@example.com`),
    sessions: (await sessions.listOf(target, undefined)).length,
    groups: (await groups.findAll()).find(({ name }) => name === group),
    clients: [await clients.find(guarded), await clients.find(open), (await clients.list()).length],
  });
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
] as const satisfies StoreChoice[]) {
  describe(`the rights of a group, users in ${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    let janua: TestJanua;
    before(async () => {
      janua = await startJanua({ stores, settings: { PUBLIC_URL: 'http://localhost:5000' } });
      await janua.services.groups.add({ name: 'helpdesk', description: '', scopes: helpdeskScopes });
    });
    after(() => janua[Symbol.asyncDispose]());

    for (const [name, requestOf] of Object.entries(changes)) {
      test(`are needed by an administrator who ${name}`, async () => {
        for (const role of Object.keys(expected) as Role[]) {
          const scene = await arrange(janua, groupsOf[role]);
          const { administration, users, sessions } = janua.services;
          const account = (await users.findById(scene.target)) ?? assert.fail();
          await addApp(janua, account);
          await sessions.start({ userId: scene.target, stamp: stampOf(account) }, { methods: ['pwd'] });
          if (name.startsWith('enables')) await administration.disable({ userId: scene.target });
          const credential = await credentialOf(janua, scene.actor, role);
          const earlier = await snapshot(scene);
          const answer = await post(janua, requestOf(scene), credential);
          const status = expected[role](name);
          const succeeded = answer.statusCode === 201 ? 200 : answer.statusCode;
          assert.equal(succeeded, status, `${role}: ${answer.body}`);
          if (status !== 200) assert.equal(await snapshot(scene), earlier, role);
          const reason = role === 'personal token' ? 'second_factor_missing' : 'insufficient_scope';
          if (status === 403) assert.equal(answer.json().error, reason);
        }
      });
    }

    test('are not needed for users, groups and clients without any', async () => {
      const { plain, open, group, actor } = await arrange(janua, groupsOf.outsider);
      const credential = await credentialOf(janua, actor, 'outsider');
      for (const request of [
        { url: `/users/${plain}/groups`, body: { groups: ['helpdesk'] } },
        { url: `/users/${plain}/send-reset` },
        { url: `/users/${plain}/disable` },
        { url: `/users/${plain}/enable` },
        { url: `/users/${plain}/delete` },
        { url: '/users', body: { email: `guest-${group}@example.com`, invite: true } },
        { url: '/groups', body: { name: `more-${count}`, scopes: ['users:read'] } },
        { url: `/clients/${open}/change`, body: { name: 'Notes', own: true, groups: ['helpdesk'] } },
        { url: `/clients/${open}/remove` },
      ]) {
        const { statusCode, body } = await post(janua, request, credential);
        assert.ok(statusCode === 200 || statusCode === 201, request.url + body);
      }
    });

    test('want a fresh proof wherever something is added', async () => {
      const { actor, plain } = await arrange(janua, groupsOf.outsider);
      const credential = await credentialOf(janua, actor, 'personal token');
      for (const request of [
        { url: '/users', body: { email: 'guest@example.com', invite: true } },
        { url: `/users/${plain}/enable` },
        { url: '/groups', body: { name: 'new' } },
        { url: '/clients/add', body: { name: 'New', redirect_uris: [redirect], own: true } },
        { url: '/resources', body: { uri: 'https://mcp.example.com', scopes: ['a'] } },
      ]) {
        const answer = await post(janua, request, credential);
        assert.deepEqual(
          [answer.statusCode, answer.json().error],
          [401, 'insufficient_user_authentication'],
          request.url,
        );
      }
      await janua.services.resources.add({
        uri: 'https://a.example',
        scopes: ['a'],
        tokenFormat: 'opaque',
        alg: 'RS256',
      });
      for (const url of ['/resources/remove', '/resources/secret']) {
        const refused = await post(janua, { url, body: { uri: 'https://a.example' } }, credential);
        assert.equal(refused.statusCode, 401, url);
      }
    });

    test('are judged as they are when the change is made', async () => {
      const { services } = janua;
      const { plain, actor, open, group } = await arrange(janua, groupsOf.outsider);
      const session = await credentialOf(janua, actor, 'outsider');
      const signedIn = await services.access.findSignedIn({ cookie: session.cookie?.slice('session='.length) });
      assert.ok(signedIn);
      const rule = requireRightsOf(signedIn);
      const refused = { name: 'Refusal', message: 'beyond-own' };
      // Another administrator is faster: between the look-up and the change.
      const { findById } = services.users;
      Object.assign(services.users, {
        async findById(id: string) {
          const account = await findById(id);
          Object.assign(services.users, { findById });
          await services.administration.changeGroups({ userId: id }, { add: [group] });
          return account;
        },
      });
      await assert.rejects(services.administer({ caller }, rule).setGroups({ userId: plain }, []), refused);
      assert.deepEqual((await services.users.findById(plain))?.user.groups, [group]);
      const administration = services.administerClients({ caller }, rule);
      const { find } = services.clients;
      for (const change of [
        () => administration.changeClient(open, { name: 'Mine' }),
        () => administration.rotateSecret(open),
      ]) {
        await services.clients.change(open, { groups: [] });
        Object.assign(services.clients, {
          async find(id: string) {
            const client = await find(id);
            Object.assign(services.clients, { find });
            await services.clients.change(id, { groups: [group] });
            return client;
          },
        });
        await assert.rejects(change(), refused);
      }
      await assert.rejects(administration.removeClient(open), refused);
      const { name, groups } = (await services.clients.find(open)) ?? {};
      assert.deepEqual([name, groups], ['Books', [group]]);
    });
  });
}

test('a refusal is in the audit, and the pages offer only what one may do', async () => {
  await using janua = await startJanua({ settings: { PUBLIC_URL: 'http://localhost:5000', SCOPES: ['reports:read'] } });
  const { services } = janua;
  await services.groups.add({ name: 'helpdesk', description: '', scopes: helpdeskScopes });
  const { target, plain, guarded, open, group } = await arrange(janua, groupsOf.outsider);
  const headers = await signInAs(janua, ['helpdesk']);
  const show = (url: string) => janua.get(url, headers);
  assert.deepEqual((await show(`/api/admin/users/${target}`)).json().actions, []);
  assert.ok((await show(`/api/admin/users/${plain}`)).json().actions.includes('groups'));
  assert.deepEqual((await show(`/api/admin/clients/${guarded}`)).json().actions, []);
  const secretActions = ['add-secret', 'remove-secret', 'rotate-secret'];
  const expected = ['change', 'claims', 'picture', ...secretActions, 'remove'];
  assert.deepEqual((await show(`/api/admin/clients/${open}`)).json().actions, expected);
  assert.doesNotMatch((await show(`/admin/clients/${guarded}`)).body, /\/change"/);
  assert.equal((await show(`/admin/clients/${guarded}/change`)).statusCode, 403);
  const listed = (await show('/api/admin/groups')).json().groups;
  const found = listed.find(({ name }: { readonly name: string }) => name === group);
  assert.deepEqual([found.held, found.clients], [false, [{ client_id: guarded, name: 'Books' }]]);
  const page = (await show('/admin/groups')).body;
  assert.match(page, /Opens: Books/);
  assert.doesNotMatch(page, new RegExp(`name="name" value="${group}"`));
  assert.match(page, /value="helpdesk"/);
  for (const url of [`/admin/users/${plain}/groups`, '/admin/users/add', `/admin/clients/${open}/change`]) {
    const { body } = await show(url);
    assert.match(body, new RegExp(`value="${group}"\\s+disabled`), url);
    assert.match(body, /value="helpdesk"\s*>/, url);
  }
  await post(janua, { url: `/users/${target}/disable` }, headers);
  const events = await janua.events({ order: 'newest-first', kind: 'permission-refused' });
  const helper = (await services.users.findByUsername('helpdesk@example.com'))?.user.id;
  assert.ok(events.some((event) => event.reason === 'beyond-own' && event.userId === helper));
});

describe('the link of a new user', () => {
  const ceo = { email: 'ceo@corp.example', first_name: 'C', last_name: 'O' };

  test('is handed over to members of admins alone, and others have it mailed', async () => {
    await using janua = await startJanua({ settings: { PUBLIC_URL: 'http://localhost:5000' } });
    const { services } = janua;
    await services.groups.add({ name: 'helpdesk', description: '', scopes: helpdeskScopes });
    const helpdesk = await signInAs(janua, ['helpdesk']);
    const administrator = await janua.account();
    await services.administration.setGroups(ann.username, [admins]);
    const narrowed = await credentialOf(janua, administrator.user.id, 'narrowed token');
    for (const [headers, body] of [
      [helpdesk, ceo],
      [helpdesk, { ...ceo, invite: false }],
      [narrowed, { ...ceo, invite: false }],
    ] as const) {
      const refused = await post(janua, { url: '/users', body }, headers);
      assert.equal(refused.statusCode, 403);
      assert.match(refused.json().detail, /Only members of admins may hand over a link/);
    }
    const events = await janua.events({ kind: 'permission-refused' });
    assert.deepEqual(
      events.map((event) => event.reason),
      Array(3).fill('link-not-shown'),
    );
    assert.equal(await services.users.findByUsername(ceo.email), undefined);
    const page = await janua.get('/admin/users/add', helpdesk);
    assert.match(page.body, /type="hidden" name="invite" value="true"/);
    const invited = await post(janua, { url: '/users', body: { ...ceo, invite: true } }, helpdesk);
    assert.deepEqual([invited.statusCode, Object.keys(invited.json())], [201, ['id']]);
    // Adding the name again gives no link either.
    const { id } = invited.json();
    assert.equal((await post(janua, { url: `/users/${id}/delete` }, helpdesk)).statusCode, 200);
    assert.equal((await post(janua, { url: '/users', body: { ...ceo, invite: false } }, helpdesk)).statusCode, 403);
    const own = await credentialOf(janua, administrator.user.id, 'administrator');
    const added = await post(janua, { url: '/users', body: { ...ceo, invite: false } }, own);
    assert.match(added.json().link, /\/auth\/sign-up\/finish\?token=/);
  });

  test('is refused, with the reason, where no mail can be sent', async () => {
    await using janua = await startJanua({
      settings: { PUBLIC_URL: 'http://localhost:5000' },
      overrides: { demoMailbox: false },
    });
    const { services } = janua;
    await services.groups.add({ name: 'helpdesk', description: '', scopes: helpdeskScopes });
    const headers = await signInAs(janua, ['helpdesk']);
    assert.doesNotMatch((await janua.get('/admin/users', headers)).body, /href="\/admin\/users\/add"/);
    const page = await janua.get('/admin/users/add', headers);
    assert.equal(page.statusCode, 403);
    assert.match(page.body, /Only members of admins may hand over a link/);
    assert.equal((await janua.post('/admin/users', { ...ceo, invite: 'true' }, headers)).statusCode, 403);
    assert.equal(await services.users.findByUsername(ceo.email), undefined);
  });
});
