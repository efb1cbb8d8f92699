import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Machine } from '../../../../src/capabilities/oidc/machines/machine.ts';
import { mostMachineTokens } from '../../../../src/capabilities/oidc/machines/machine.ts';
import { stampOf } from '../../../../src/core/users/account.ts';
import { admins, ownScopes } from '../../../../src/core/users/scopes.ts';
import { insertAll } from '../../../../src/ground/database/insert-new.ts';
import { cursorOf, mostCandidates } from '../../../../src/web/list.ts';
import { password } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';
import { addTo, signInWith } from '../../admin/administrator.ts';
import { openProvider, type ProviderUnderTest, wiki } from '../application.ts';

const files = 'https://files.example.com';
const allScopes = ['users:read', 'users:write', 'sessions:write', 'clients:write'];

const choices = [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL' },
] satisfies StoreChoice[];

interface Program {
  readonly id: string;
  readonly secret: string;
}

for (const stores of choices)
  describe(`a program that acts as itself, on ${stores.users}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    let server: ProviderUnderTest;
    const ids: Record<string, string> = {};
    before(async () => {
      server = await openProvider({
        stores,
        settings: { SCOPES: ['reports:read'], MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' },
      });
      const { groups, resources } = server.janua.services;
      await groups.add({ name: 'staff', description: '', scopes: ['reports:read'] });
      await groups.add({ name: 'finance', description: '', scopes: [] });
      await groups.add({ name: 'helpdesk', description: '', scopes: ['users:read', 'users:write'] });
      await resources.add({ uri: files, scopes: ['files:read', 'files:write'], tokenFormat: 'opaque', alg: 'RS256' });
      for (const [name, names] of Object.entries({
        member: ['staff'],
        both: ['staff', 'finance'],
        helper: ['staff', 'helpdesk'],
        other: ['finance'],
        nobody: [],
        chief: [admins],
      }))
        ids[name] = await addTo(server.janua, `${name}@example.com`, names);
    });
    after(() => server[Symbol.asyncDispose]());

    /** Gives the headers of a new session, because the tests move the clock. */
    async function signIn(id = '') {
      const { users, sessions } = server.janua.services;
      const account = (await users.findById(id)) ?? assert.fail();
      const session = await sessions.start({ userId: id, stamp: stampOf(account) }, { methods: ['pwd', 'otp', 'mfa'] });
      return { cookie: `session=${session.cookie}` };
    }

    async function addProgram(machine: Partial<Machine> = {}): Promise<Program> {
      const granted = { scopes: allScopes, within: ['staff'], may: {}, ...machine };
      const { client, secret = '' } = await server.janua.services.clientAdministration.addClient({
        ...wiki,
        ...{ own: false, redirectUris: [], machine: granted },
      });
      return { id: client.id, secret };
    }

    async function ask({ id, secret }: Program, parameters: Record<string, string> = {}) {
      const answer = await fetch(`${server.origin}/oidc/token`, {
        method: 'POST',
        headers: { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` },
        body: new URLSearchParams({ grant_type: 'client_credentials', ...parameters }),
      });
      return (await answer.json()) as Record<string, string>;
    }

    async function tokenOf(program: Program, parameters?: Record<string, string>): Promise<string> {
      const { access_token, ...answer } = await ask(program, parameters);
      return access_token ?? assert.fail(JSON.stringify(answer));
    }

    async function send(token: string, method: 'GET' | 'POST', path: string, body?: object) {
      const answer = await fetch(`${server.origin}${path}`, {
        method,
        redirect: 'manual',
        headers: {
          authorization: `Bearer ${token}`,
          'x-expected-format': 'application/json',
          ...(body && { 'content-type': 'application/json' }),
        },
        ...(body && { body: JSON.stringify(body) }),
      });
      return { status: answer.status, body: (await answer.json()) as Record<string, never> };
    }

    test('gets a token for an hour, with the scopes that it has and asks for, and no refresh token', async () => {
      const program = await addProgram();
      const { access_token, ...answer } = await ask(program);
      assert.match(access_token ?? '', /^[\w-]{43}$/);
      assert.deepEqual(answer, { token_type: 'Bearer', expires_in: 3600, scope: allScopes.join(' ') });
      const narrow = await tokenOf(program, { scope: 'users:read audit:read openid' });
      assert.equal((await send(narrow, 'GET', '/api/admin/users')).status, 200);
      assert.equal((await send(narrow, 'POST', `/api/admin/users/${ids.member}/disable`, {})).status, 403);
      assert.equal((await ask(program, { scope: 'audit:read' })).error, 'invalid_scope');
      server.janua.pass(3_600_000);
      assert.equal((await send(narrow, 'GET', '/api/admin/users')).status, 401);
    });

    test('gets tokens for the resources that it may use, and for no others', async () => {
      const both = await addProgram({ may: { [files]: ['files:read'] } });
      assert.equal((await ask(both)).error, 'invalid_target', 'it has to choose');
      assert.equal((await ask(both, { resource: files, scope: 'files:read files:write' })).scope, 'files:read');
      assert.equal((await ask(both, { resource: server.origin })).scope, allScopes.join(' '));
      const one = await addProgram({ scopes: [], within: [], may: { [files]: ['files:read'] } });
      const token = await tokenOf(one);
      assert.equal((await ask(one, { resource: server.origin })).error, 'invalid_target');
      assert.equal((await send(token, 'GET', '/api/admin/users')).status, 401);
      const plain = await addProgram();
      assert.equal((await ask(plain, { resource: files })).error, 'invalid_target');
      assert.equal((await ask(plain, { resource: 'https://other.example.com' })).error, 'invalid_target');
    });

    test('is known to a resource that asks about its token, while its grant lasts', async () => {
      const program = await addProgram({ scopes: [], within: [], may: { [files]: ['files:read'] } });
      const { clientAdministration } = server.janua.services;
      const { clientId, secret } = await clientAdministration.setResourceSecret(files);
      const token = await tokenOf(program);
      async function introspect() {
        const answer = await fetch(`${server.origin}/oidc/introspection`, {
          method: 'POST',
          headers: { authorization: `Basic ${Buffer.from(`${clientId}:${secret}`).toString('base64')}` },
          body: new URLSearchParams({ token }),
        });
        return (await answer.json()) as Record<string, unknown>;
      }
      const { active, scope, sub, client_id, username } = await introspect();
      assert.deepEqual([active, scope, client_id, username], [true, 'files:read', program.id, undefined]);
      assert.ok(sub === undefined || sub === program.id);
      await clientAdministration.changeClient(program.id, {
        machine: { scopes: [], within: [], may: { [files]: ['files:write'] } },
      });
      assert.deepEqual(await introspect(), { active: false });
    });

    test('reads and finds members of its groups with no more rights, and no one else', async () => {
      const token = await tokenOf(await addProgram());
      const names = async (query = '') =>
        (
          (await send(token, 'GET', `/api/admin/users${query}`)).body as unknown as { users: { username: string }[] }
        ).users
          .map(({ username }) => username)
          .sort();
      assert.deepEqual(await names(), ['member@example.com']);
      assert.deepEqual(await names('?q=member'), ['member@example.com']);
      for (const query of ['?q=chief', '?q=nobody', '?group=finance', '?q=both'])
        assert.deepEqual(await names(query), [], query);
      assert.equal((await send(token, 'GET', `/api/admin/users/${ids.member}`)).status, 200);
      for (const name of ['both', 'helper', 'other', 'nobody', 'chief'])
        assert.equal((await send(token, 'GET', `/api/admin/users/${ids[name]}`)).status, 404, name);
      const form = (await send(token, 'GET', '/api/admin/users/add')).body;
      assert.deepEqual(form.groups, ['staff']);
      const { groups } = (await send(token, 'GET', '/api/admin/groups')).body as unknown as {
        groups: { name: string }[];
      };
      assert.deepEqual(
        groups.map(({ name }) => name),
        ['staff'],
      );
    });

    test('learns no name of others from a cursor', async () => {
      const { database, groups } = server.janua.services;
      await groups.add({ name: 'many', description: '', scopes: [] });
      const names = Array.from(
        { length: mostCandidates },
        (_, index) => `m${String(index).padStart(4, '0')}@example.com`,
      );
      const others = { password: '', first_name: 'M', last_name: 'M', demo: 0, disabled: 0, created_at: 0 };
      const rows = [...names, 'zoe@example.com'].map((username) => ({
        ...{ ...others, id: username, username, login_name: username },
        group_names: username.startsWith('m') ? 'finance many' : 'many',
      }));
      await insertAll(database, 'janua_users', rows);
      const members = rows.map(({ id, username }) => ({ id: `many ${id}`, group_name: 'many', user_id: id, username }));
      await insertAll(database, 'janua_memberships', members);
      const token = await tokenOf(await addProgram({ within: ['many'] }));
      const list = async (cursor = '') =>
        (await send(token, 'GET', `/api/admin/users?cursor=${cursor}`)).body as unknown as {
          users: { username: string }[];
          next_cursor: string | null;
        };
      const found: string[] = [];
      let { users, next_cursor } = await list();
      assert.ok(next_cursor, 'more rows than one request reads');
      for (const cursor = next_cursor; next_cursor; { users, next_cursor } = await list(next_cursor)) {
        assert.doesNotMatch(Buffer.from(cursor, 'base64url').toString('latin1'), /example/);
        found.push(...users.map(({ username }) => username));
      }
      found.push(...users.map(({ username }) => username));
      assert.deepEqual(found, ['zoe@example.com']);
      const another = await tokenOf(await addProgram({ within: ['many'] }));
      const cursor = (await list()).next_cursor;
      for (const refused of [cursor, cursorOf(['m', 'm'])])
        assert.equal((await send(another, 'GET', `/api/admin/users?cursor=${refused}`)).status, 400);
      const { clientAdministration } = server.janua.services;
      for (const name of ['Accounts', 'Zebra'])
        await clientAdministration.addClient({ ...wiki, name, own: false, groups: name === 'Zebra' ? ['many'] : [] });
      for (const [path, seen] of [
        ['groups', 'many'],
        ['clients', 'Zebra'],
      ] as const) {
        const page = (await send(token, 'GET', `/api/admin/${path}?limit=1`)).body as Record<string, unknown>;
        assert.deepEqual(
          [(page[path] as { name: string }[]).map(({ name }) => name), page.next_cursor],
          [[seen], null],
        );
      }
    });

    test('adds no user if too many invitations were mailed', async () => {
      const token = await tokenOf(await addProgram());
      const add = (index: number) =>
        send(token, 'POST', '/api/admin/users', {
          email: `bulk${index}@example.com`,
          first_name: 'B',
          last_name: 'B',
          invite: true,
        });
      let index = 0;
      while ((await add(index)).status === 201 && index < 1000) index += 1;
      assert.ok(index > 0 && index < 1000, String(index));
      assert.equal(await server.janua.services.users.findByUsername(`bulk${index}@example.com`), undefined);
    });

    test('adds a user without a fresh proof, finds and changes that user, and is named in the audit', async () => {
      const program = await addProgram();
      const token = await tokenOf(program);
      const email = `new-${program.id.toLowerCase().replaceAll(/\W|_/g, 'x')}@example.com`;
      const sent = { email, first_name: 'New', last_name: 'User', invite: true };
      assert.equal((await send(token, 'POST', '/api/admin/users', { ...sent, invite: false })).status, 403);
      assert.equal((await send(token, 'POST', '/api/admin/users', { ...sent, groups: ['finance'] })).status, 403);
      const added = await send(token, 'POST', '/api/admin/users', sent);
      assert.equal(added.status, 201, JSON.stringify(added.body));
      const { id } = added.body;
      const other = await tokenOf(await addProgram());
      assert.equal((await send(other, 'GET', `/api/admin/users/${id}`)).status, 404, 'another program');
      const act = (action: string, body: object = {}) => send(token, 'POST', `/api/admin/users/${id}/${action}`, body);
      assert.equal((await act('groups', { groups: ['staff'] })).status, 200);
      assert.equal((await act('disable')).status, 200);
      assert.equal((await act('enable')).status, 200);
      assert.equal((await act('groups', { groups: [] })).status, 200);
      for (const groups of [['finance'], [admins]]) assert.equal((await act('groups', { groups })).status, 403);
      for (const action of ['verify', 'set-email'])
        assert.equal((await act(action, { email: 'x@example.com' })).status, 403, action);
      const events = (await server.janua.events({ userId: id })).filter(({ kind }) => kind.startsWith('user-'));
      assert.deepEqual(new Set(events.map(({ actorId }) => actorId)), new Set([program.id]));
      const audit = await server.janua.get('/api/admin/audit?kind=user-invited', await signIn(ids.chief));
      assert.equal(audit.json().events[0].actor, 'Wiki');
    });

    test('changes members of its groups, and nobody with more rights or without groups', async () => {
      const token = await tokenOf(await addProgram());
      const act = (name: string, action: string, body: object = {}) =>
        send(token, 'POST', `/api/admin/users/${ids[name]}/${action}`, body);
      assert.equal((await act('member', 'end-sessions')).status, 200);
      for (const name of ['both', 'helper', 'other', 'nobody', 'chief'])
        for (const action of ['disable', 'end-sessions', 'groups', 'name', 'delete', 'send-reset'])
          assert.ok([403, 404].includes((await act(name, action, { groups: ['staff'] })).status), `${name} ${action}`);
      const account = await server.janua.services.users.findById(ids.nobody ?? '');
      assert.deepEqual([account?.disabled, account?.user.groups], [false, []]);
    });

    test('changes clients that its groups guard, and none that asks for more trust', async () => {
      const program = await addProgram();
      const token = await tokenOf(program);
      const { clientAdministration } = server.janua.services;
      const add = async (settings: object) =>
        (await clientAdministration.addClient({ ...wiki, own: false, ...settings })).client.id;
      const guarded = await add({ groups: ['staff'] });
      const others = [
        await add({ groups: [] }),
        await add({ groups: ['finance'] }),
        await add({ groups: ['staff', 'finance'] }),
        await add({ groups: ['staff'], own: true }),
        await add({ groups: ['staff'], pkce: 'optional' }),
        program.id,
      ];
      const { clients } = (await send(token, 'GET', '/api/admin/clients')).body as unknown as {
        clients: { client_id: string }[];
      };
      assert.deepEqual(
        clients.map(({ client_id }) => client_id),
        [guarded],
      );
      const change = (id: string, body: object) => send(token, 'POST', `/api/admin/clients/${id}/change`, body);
      assert.equal((await change(guarded, { name: 'Notes' })).status, 200);
      for (const body of [{ groups: [] }, { groups: ['finance'] }, { own: true }, { pkce: 'optional' }])
        assert.equal((await change(guarded, body)).status, 403, JSON.stringify(body));
      assert.equal((await send(token, 'POST', `/api/admin/clients/${guarded}/add-secret`, { name: 'ci' })).status, 201);
      for (const id of others)
        for (const action of ['change', 'add-secret', 'rotate-secret', 'remove'])
          assert.equal(
            (await send(token, 'POST', `/api/admin/clients/${id}/${action}`, { name: 'x' })).status,
            404,
            `${others.indexOf(id)} ${action}`,
          );
      const fields = { name: 'Shop', redirect_uris: ['https://shop.example.com/cb'] };
      assert.equal((await send(token, 'POST', '/api/admin/clients/add', fields)).status, 403);
      assert.equal((await send(token, 'POST', '/api/admin/clients/add', { ...fields, groups: ['staff'] })).status, 201);
      assert.equal((await send(token, 'POST', `/api/admin/clients/${guarded}/remove`, {})).status, 200);
    });

    test('is not told of applications and administrators outside its groups', async () => {
      const { clientAdministration } = server.janua.services;
      for (const [name, groups] of Object.entries({ Open: [], Staff: ['staff'], Both: ['staff', 'finance'] }))
        await clientAdministration.addClient({ ...wiki, name, own: false, groups });
      const chief = await signIn(ids.chief);
      await server.janua.post(`/api/admin/users/${ids.member}/verify`, {}, chief);
      const token = await tokenOf(await addProgram());
      type Opening = { readonly clients: readonly { readonly name: string }[] };
      const user = (await send(token, 'GET', `/api/admin/users/${ids.member}`)).body as unknown as {
        opens: Opening;
        verification: { how: string; by: string | null };
      };
      const list = (await send(token, 'GET', '/api/admin/groups')).body as unknown as { groups: Opening[] };
      for (const { clients } of [user.opens, ...list.groups])
        assert.deepEqual(
          clients.map(({ name }) => name).filter((name) => ['Open', 'Staff', 'Both'].includes(name)),
          ['Staff'],
        );
      const { how, by } = user.verification;
      assert.deepEqual([how, by], ['administrator', null]);
    });

    test('is refused everywhere else, however it sends its token', async () => {
      const token = await tokenOf(await addProgram());
      for (const path of ['/api/me', '/api/account', '/api/admin/audit', '/api/admin/settings', '/api/admin/resources'])
        assert.equal((await send(token, 'GET', path)).status, 401, path);
      for (const path of [
        '/api/admin/groups',
        '/api/admin/users/import',
        '/api/account/tokens',
        '/api/admin/throttle/lift',
      ])
        assert.equal((await send(token, 'POST', path, {})).status, 401, path);
      const userinfo = await fetch(`${server.origin}/oidc/userinfo`, { headers: { authorization: `Bearer ${token}` } });
      assert.equal(userinfo.status, 401);
      const page = await server.janua.get('/admin/users', { authorization: `Bearer ${token}` });
      assert.equal(page.statusCode, 303, 'pages are for people');
    });

    test('is explained to its administrator wherever it is refused, on the page by its name', async () => {
      const { clientAdministration } = server.janua.services;
      const program = await addProgram();
      const former = await addProgram();
      await clientAdministration.changeClient(former.id, { machine: undefined, redirectUris: wiki.redirectUris });
      const token = await tokenOf(program);
      const narrow = await tokenOf(program, { scope: 'users:read' });
      const disable = `/api/admin/users/${ids.member}/disable`;
      const groups = `/api/admin/users/${ids.member}/groups`;
      const set = (id: string) => `janua clients set ${id} --scope … --within …`;
      const chief = await signIn(ids.chief);
      for (const [about, refused, reason, advice] of [
        ['a scope', () => send(narrow, 'POST', disable, {}), 'program-lacks-scope', set(program.id)],
        [
          'a group',
          () => send(token, 'POST', groups, { groups: ['staff', 'finance'] }),
          'beyond-program',
          set(program.id),
        ],
        ['another route', () => send(token, 'GET', '/api/admin/audit'), 'invalid-token', '/api/admin/clients and GET'],
        ['a scope of its token', () => ask(program, { scope: 'audit:read' }), 'program-lacks-scope', set(program.id)],
        ['no grant any more', () => ask(former), 'not-a-program', set(former.id)],
        [
          'another grant type',
          () => ask(program, { grant_type: 'refresh_token', refresh_token: 'x' }),
          'grant-type',
          'A program that acts as itself uses client_credentials alone.',
        ],
      ] as const) {
        await refused();
        const { body } = await server.janua.get('/api/admin/audit?limit=1', chief);
        const [event] = JSON.parse(body).events;
        assert.equal(event.reason, reason, about);
        const { text } = event.explanation.find(({ heading }: { heading: string }) => heading === 'To do');
        assert.ok(text.includes(advice), `${about}: ${text}`);
        const isKnown = event.kind === 'permission-refused';
        assert.deepEqual([event.username, event.program], [null, isKnown ? 'Wiki' : null], about);
        const line = event.explanation.find(({ heading }: { heading: string }) => heading === 'Program');
        assert.equal(line?.text, isKnown ? `Wiki (id ${program.id})` : undefined, about);
      }
      const page = await server.janua.get(`/admin/audit?user_id=${program.id}`, chief);
      assert.match(page.body, new RegExp(`<a href="/admin/audit\\?user_id=${program.id}">Wiki</a>`));
    });

    test('loses its rights at once when its grant ends, the client is removed or its group is gone', async () => {
      const { clientAdministration, administration } = server.janua.services;
      const usesOf = async (program: Program, token: string) => [
        (await send(token, 'GET', '/api/admin/users')).status,
        (await ask(program)).error,
      ];
      const program = await addProgram();
      const token = await tokenOf(program);
      assert.deepEqual(await usesOf(program, token), [200, undefined]);
      await clientAdministration.changeClient(program.id, { machine: undefined });
      assert.deepEqual(await usesOf(program, token), [401, 'invalid_request']);
      const again = { scopes: allScopes, within: ['staff'], may: {} };
      await clientAdministration.changeClient(program.id, { machine: again });
      assert.deepEqual(await usesOf(program, token), [401, undefined], 'a new grant brings no old token back');
      const next = await tokenOf(program);
      await clientAdministration.removeClient(program.id);
      assert.deepEqual(await usesOf(program, next), [401, 'invalid_client']);

      await administration.addGroup({ name: 'temps', description: '', scopes: [] });
      const temp = await addTo(server.janua, 'temp@example.com', ['temps']);
      const ofTemps = await tokenOf(await addProgram({ within: ['temps'] }));
      assert.equal((await send(ofTemps, 'GET', `/api/admin/users/${temp}`)).status, 200);
      await administration.removeGroup('temps');
      assert.equal((await send(ofTemps, 'GET', `/api/admin/users/${temp}`)).status, 404);
    });

    test('loses what an administrator granted when that administrator could no longer grant it', async () => {
      const { administration } = server.janua.services;
      const name = `granter-${stores.users}@example.com`.toLowerCase();
      const id = await addTo(server.janua, name, [admins]);
      const added = await server.janua.post(
        '/api/admin/clients/add',
        { name: 'HR', machine: true, machine_scopes: ['users:read'], within: ['staff'] },
        await signIn(id),
      );
      assert.equal(added.statusCode, 201, added.body);
      const { client_id, client_secret, machine } = added.json();
      assert.equal(machine.granted_by, id);
      const program = { id: client_id, secret: client_secret };
      const token = await tokenOf(program);
      const status = async () => (await send(token, 'GET', '/api/admin/users')).status;
      assert.equal(await status(), 200);
      const chief = await signIn(ids.chief);
      const describeGrant = async () => {
        const { void_grant } = (await server.janua.get(`/api/admin/clients/${client_id}`, chief)).json();
        const page = await server.janua.get(`/admin/clients/${client_id}`, chief);
        return [void_grant, page.body.includes('A grant of this client is void')];
      };
      assert.deepEqual(await describeGrant(), [false, false]);
      await administration.disable(name);
      assert.equal(await status(), 401);
      assert.deepEqual(await describeGrant(), [true, true]);
      assert.equal((await ask(program)).error, 'invalid_target');
      await administration.enable(name);
      assert.equal((await ask(program, { resource: 'https://nowhere.example.com' })).error, 'invalid_target');
      const refused = await server.janua.events({ kind: 'application-refused' });
      const reasons = refused.flatMap(({ reason, about }) => (about === client_id ? [reason] : []));
      assert.deepEqual(reasons.sort(), ['grant-ended', 'not-of-program']);
      assert.equal(await status(), 200);
      await administration.changeGroups(name, { remove: [admins] });
      assert.equal(await status(), 401);
    });

    for (const [about, fields, field] of [
      ['in admins', { machine_scopes: 'users:read', within: `staff ${admins}` }, 'within'],
      ['in a group that there is not', { machine_scopes: 'users:read', within: 'nowhere' }, 'within'],
      ['in no group', { machine_scopes: 'users:read' }, 'within'],
      ['with the audit', { machine_scopes: 'audit:read', within: 'staff' }, 'machine_scopes'],
      ['with nothing to do', { machine: true }, 'machine_scopes'],
      ['without a secret', { machine_scopes: 'users:read', within: 'staff', public: true }, 'public'],
      [
        'that signs users in',
        { machine_scopes: 'users:read', within: 'staff', redirect_uris: [files] },
        'redirect_uris',
      ],
      ['for devices', { machine_scopes: 'users:read', within: 'staff', device: true }, 'device'],
      ['for a resource that there is not', { may: 'https://other.example.com=a' }, 'may'],
      ['with a scope that the resource lacks', { may: `${files}=files:delete` }, 'may'],
      ['with an entry that names no scope', { may: files }, 'may'],
    ] as const)
      test(`is not added ${about}`, async () => {
        const answer = await server.janua.post(
          '/api/admin/clients/add',
          { name: 'HR', ...fields },
          await signIn(ids.chief),
        );
        assert.equal(answer.statusCode, 422, answer.body);
        assert.deepEqual(answer.json().errors?.map((fault: { field: string }) => fault.field) ?? answer.json(), [
          field,
        ]);
      });

    test('is added by members of admins alone', async () => {
      const clerk = await signInWith(server.janua, ...Object.keys(ownScopes));
      const fields = { name: 'HR', machine_scopes: 'users:read', within: 'staff' };
      assert.equal((await server.janua.post('/api/admin/clients/add', fields, clerk)).statusCode, 403);
      const { id } = await addProgram();
      const chief = await signIn(ids.chief);
      const here = `/api/admin/clients/${id}`;
      // A secret of a former program would count again once the program is granted anew.
      for (const isFormer of [false, true]) {
        if (isFormer)
          assert.equal((await server.janua.post(`${here}/change`, { machine: false }, chief)).statusCode, 200);
        for (const action of ['change', 'add-secret', 'rotate-secret', 'remove'])
          assert.equal((await server.janua.post(`${here}/${action}`, { name: 'x' }, clerk)).statusCode, 403, action);
      }
      const member = { username: 'limited@example.com', firstName: 'L', lastName: 'M', password };
      await server.janua.services.administration.add({ ...member, groups: [admins] });
      const login = { username: member.username, password, scope: 'clients:write' };
      const { access_token } = (await server.janua.post('/api/login', login)).json();
      const limited = { authorization: `Bearer ${access_token}` };
      const plain = { name: 'Shop', redirect_uris: ['https://shop.example.com/cb'] };
      assert.equal((await server.janua.post('/api/admin/clients/add', plain, limited)).statusCode, 201);
      const refused = await server.janua.post('/api/admin/clients/add', fields, limited);
      assert.equal(refused.statusCode, 403, 'a token with some scopes gives no others');
    });

    test('keeps the parts of its grant that a change by the API does not name', async () => {
      const { id } = await addProgram({ may: { [files]: ['files:read'] } });
      const chief = await signIn(ids.chief);
      const change = (fields: object) => server.janua.post(`/api/admin/clients/${id}/change`, fields, chief);
      const read = async () => (await server.janua.get(`/api/admin/clients/${id}`, chief)).json().machine;
      const before = await read();
      // An administrator does not grant anew what a command, or another administrator, has granted, without naming it.
      const refused = await change({ within: ['finance'] });
      assert.deepEqual(
        refused.json().errors?.map(({ field }: { field: string }) => field),
        ['machine_scopes', 'may'],
        refused.body,
      );
      assert.deepEqual(await read(), before);
      const whole = { machine_scopes: before.scopes, within: ['staff'], may: [`${files}=files:read`] };
      assert.equal((await change(whole)).statusCode, 200);
      assert.equal((await change({ within: ['finance'] })).statusCode, 200);
      assert.deepEqual(await read(), { ...before, within: ['finance'], granted_by: ids.chief });
      assert.equal((await change({ may: [] })).statusCode, 200);
      assert.deepEqual(await read(), { ...before, within: ['finance'], may: [], granted_by: ids.chief });
      assert.equal((await change({ machine_scopes: '', machine: true })).statusCode, 422);
      assert.equal((await change({ machine_scopes: [] })).statusCode, 422);
      const { clientId } = await server.addApplication();
      const empty = { machine_scopes: [], within: [], may: [] };
      const kept = await server.janua.post(`/api/admin/clients/${clientId}/change`, empty, chief);
      assert.equal(kept.statusCode, 200, 'empty lists leave an application as it is');
    });

    test('was never an application, whose secrets others may have', async () => {
      const { clientId } = await server.addApplication();
      const granted = { machine: true, machine_scopes: ['users:read'], within: ['staff'], redirect_uris: [] };
      const chief = await signIn(ids.chief);
      const answer = await server.janua.post(`/api/admin/clients/${clientId}/change`, granted, chief);
      assert.equal(answer.statusCode, 422);
      assert.match(answer.body, /An application can’t become a program/);
    });

    for (const way of ['API', 'page'])
      test(`is a program no more when the ${way} says so, although it has no redirect addresses`, async () => {
        const program = await addProgram();
        const token = await tokenOf(program);
        const chief = await signIn(ids.chief);
        const here = `/admin/clients/${program.id}`;
        const change = (fields: object) =>
          server.janua.post(way === 'API' ? `/api${here}/change` : `${here}/change`, fields, chief);
        const boxes = { machine_scopes: allScopes.join(' '), within: 'staff', may: '', redirect_uris: '' };
        const sent = way === 'API' ? { machine: false } : { name: 'Former', ...boxes };
        const changed = await change(sent);
        assert.equal(changed.statusCode, way === 'API' ? 200 : 303, changed.body);
        assert.equal((await send(token, 'GET', '/api/admin/users')).status, 401);
        assert.equal((await server.janua.get(`/api${here}`, chief)).json().machine, null);
        assert.match((await server.janua.get(here, chief)).body, /It can do nothing/);
        assert.equal((await change({ name: 'Renamed' })).statusCode, way === 'API' ? 200 : 303);
        assert.match((await server.janua.get('/admin/clients', chief)).body, /Renamed<[\s\S]*?It can do nothing/);
        const asApplication = { name: 'Renamed', redirect_uris: `${files}/callback`, pkce: 'nonce' };
        assert.equal((await change(asApplication)).statusCode, way === 'API' ? 200 : 303);
        assert.equal((await change({ name: 'Renamed', redirect_uris: '' })).statusCode, 422);
      });

    test('makes no person who may do more, by a group that grants the same scopes', async () => {
      const token = await tokenOf(await addProgram({ within: ['staff', 'helpdesk'] }));
      const email = `mallory-${stores.users}@example.com`;
      const sent = { email, first_name: 'M', last_name: 'M', invite: true, groups: ['helpdesk'] };
      assert.equal((await send(token, 'POST', '/api/admin/users', sent)).status, 403);
      assert.equal((await send(token, 'GET', `/api/admin/users/${ids.helper}`)).status, 404);
    });

    test('holds a bounded number of tokens: the oldest goes', async () => {
      const program = await addProgram();
      const first = await tokenOf(program);
      for (let count = 1; count < mostMachineTokens; count += 1) await tokenOf(program);
      assert.equal((await send(first, 'GET', '/api/admin/users')).status, 200);
      server.janua.pass(1);
      await tokenOf(program);
      assert.equal((await send(first, 'GET', '/api/admin/users')).status, 401);
    });
  });
