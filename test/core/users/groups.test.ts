import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { admins, ownScopes } from '../../../src/core/users/scopes.ts';
import { parseMapping } from '../../../src/core/users/source/mapping.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { openOwnAccounts, openPeople } from './directories.ts';
import { holdIn } from './held.ts';

const all = Object.keys(ownScopes);
type Choose = (present: readonly string[]) => readonly string[];

const staff = { name: 'staff', description: '', scopes: ['reports:read'] };

async function openOwn(engine: UserEngine, listed: readonly string[] = []) {
  const opened = await openMigrated(engine);
  const users = openOwnAccounts(opened, { demoUsers: false, administrators: new Set(listed) });
  const groups = createGroups(opened.database, {
    applicationScopes: ['reports:read', 'reports:write'],
    inColumn: false,
    requireOther: users.requireOtherAdministrator,
  });
  const hold = holdIn(opened.database, users, users);
  const setGroupsOf = (id: string, choose: Choose) =>
    hold(id, (held) => groups.setGroupsOf(held, choose), { groups: true });
  const setDisabled = (id: string) => hold(id, (held) => users.setDisabled(held, true), { groups: true });
  const remove = (id: string) => hold(id, users.remove, { groups: true });
  async function add(name: string, ...names: string[]) {
    const username = `${name}@example.com`;
    const id = await users.add({ username, firstName: name, lastName: 'A', passwordHash: 'hash', demo: false });
    assert.ok(id);
    await setGroupsOf(id, () => names);
    return { id, username };
  }
  const rightsOf = async (id: string) => {
    const account = await users.findById(id);
    return { groups: account?.user.groups, scopes: account?.scopes };
  };
  const changes = { hold, setGroupsOf, setDisabled, remove };
  return { ...opened, ...changes, users, groups, add, rightsOf, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`groups in ${engine}`, { skip: missing(engine) }, () => {
    test('reach all of very many members with a change, and no other user', async () => {
      await using opened = await openOwn(engine);
      const { database, groups } = opened;
      await groups.add(staff);
      await groups.add({ ...staff, name: 'press' });
      const people = Array.from({ length: 2_100 }, (_, index) => {
        const name = index % 3 === 0 ? 'press' : 'staff';
        return { id: `user-${index}`, name, both: index % 5 === 0 };
      });
      for (let first = 0; first < people.length; first += 300) {
        const some = people.slice(first, first + 300);
        const row = { first_name: 'A', last_name: 'B', password: 'hash', scopes: 'reports:read', created_at: 1 };
        await database
          .insertInto('janua_users')
          .values(
            some.map(({ id, name, both }) => ({
              ...row,
              id,
              username: `${id}@example.com`,
              login_name: `${id}@example.com`,
              group_names: both ? 'press staff' : name,
            })),
          )
          .execute();
        const memberships = some.flatMap(({ id, name, both }) =>
          (both ? ['press', 'staff'] : [name]).map((group) => ({ id, group })),
        );
        await database
          .insertInto('janua_memberships')
          .values(
            memberships.map(({ id, group }) => ({
              id: `${group} ${id}`,
              group_name: group,
              user_id: id,
              username: `${id}@example.com`,
            })),
          )
          .execute();
      }
      await groups.setScopes('staff', ['reports:write']);
      const { rows } = await sql<{ group_names: string; scopes: string }>`
        select distinct group_names, scopes from janua_users order by group_names`.execute(database);
      assert.deepEqual(
        rows.map((found) => ({ ...found })),
        [
          { group_names: 'press', scopes: 'reports:read' },
          { group_names: 'press staff', scopes: 'reports:read reports:write' },
          { group_names: 'staff', scopes: 'reports:write' },
        ],
      );
    });

    test('grant their scopes at once, and every change counts at once', async () => {
      await using opened = await openOwn(engine);
      const { groups, add, setGroupsOf, rightsOf } = opened;
      await groups.add(staff);
      await groups.add({ ...staff, name: 'press', scopes: [] });
      const ann = await add('ann', 'staff', 'press');
      const bob = await add('bob', 'staff');
      const cid = await add('cid');
      assert.deepEqual(await rightsOf(ann.id), { groups: ['press', 'staff'], scopes: ['reports:read'] });
      assert.deepEqual(await rightsOf(cid.id), { groups: [], scopes: [] });
      await groups.setScopes('press', ['reports:write', 'users:read']);
      assert.deepEqual((await rightsOf(ann.id)).scopes, ['reports:read', 'reports:write', 'users:read']);
      assert.deepEqual((await rightsOf(bob.id)).scopes, ['reports:read']);
      await groups.remove('staff');
      assert.deepEqual(await rightsOf(ann.id), { groups: ['press'], scopes: ['reports:write', 'users:read'] });
      assert.deepEqual(await rightsOf(bob.id), { groups: [], scopes: [] });
      await setGroupsOf(ann.id, () => []);
      assert.deepEqual(await rightsOf(ann.id), { groups: [], scopes: [] });
      assert.deepEqual(
        (await groups.list()).map(({ name, members }) => [name, members]),
        [
          ['admins', 0],
          ['press', 0],
        ],
      );
    });

    test('are refused with a name, a scope or a user that does not exist', async () => {
      await using opened = await openOwn(engine);
      const { groups, add, setGroupsOf } = opened;
      await groups.add(staff);
      const ann = await add('ann');
      for (const name of ['', 'Staff', '-a', 'a b', 'ä', 'a'.repeat(64), 'a\n'])
        await assert.rejects(groups.add({ ...staff, name }), ChangeRefused, name);
      await assert.rejects(groups.add(staff), ChangeRefused);
      await assert.rejects(groups.add({ ...staff, name: 'x', scopes: ['unknown'] }), ChangeRefused);
      await assert.rejects(groups.setScopes('staff', ['unknown']), ChangeRefused);
      await assert.rejects(groups.setScopes('x', []), ChangeRefused);
      await assert.rejects(groups.remove('x'), ChangeRefused);
      await assert.rejects(groups.remove(admins), ChangeRefused);
      await assert.rejects(
        setGroupsOf(ann.id, () => ['staff', 'x']),
        ChangeRefused,
      );
      await assert.rejects(
        setGroupsOf('none', () => ['staff']),
        ChangeRefused,
      );
      assert.deepEqual(
        (await groups.list()).map(({ name, members }) => [name, members]),
        [
          ['admins', 0],
          ['staff', 0],
        ],
      );
    });

    test('stay with a user whose address changes, and end with the account', async () => {
      await using opened = await openOwn(engine);
      const { groups, users, hold, setGroupsOf, remove, add, rightsOf } = opened;
      await groups.add(staff);
      const ann = await add('ann', 'staff');
      await hold(ann.id, (held) => users.setUsername(held, 'anna@example.com'));
      await setGroupsOf(ann.id, (present) => present);
      assert.deepEqual((await rightsOf(ann.id)).groups, ['staff']);
      await remove(ann.id);
      assert.equal((await groups.list()).find(({ name }) => name === 'staff')?.members, 0);
    });

    test('a scope that is granted while users come and go reaches all of them', async () => {
      await using opened = await openOwn(engine);
      const { groups, add, setGroupsOf, rightsOf } = opened;
      await groups.add(staff);
      const people = await Promise.all(['a', 'b', 'c', 'd'].map((name) => add(name)));
      await Promise.all([
        ...people.map(({ id }) => setGroupsOf(id, () => ['staff'])),
        groups.setScopes('staff', ['reports:write']),
      ]);
      for (const { id } of people) assert.deepEqual((await rightsOf(id)).scopes, ['reports:write']);
    });

    test('count each change in one row, so that servers at different nodes of a cluster notice each other', async () => {
      await using opened = await openOwn(engine);
      const { groups, add, setGroupsOf, setDisabled, remove, database } = opened;
      const count = async () =>
        Number(
          (await database.selectFrom('janua_groups').select(['changes']).where('name', '=', admins).execute())[0]
            ?.changes,
        );
      await groups.add(staff);
      const [ann] = [await add('ann', admins), await add('bob', admins)];
      let before = await count();
      for (const change of [
        () => setGroupsOf(ann.id, () => [admins]),
        () => groups.setScopes('staff', staff.scopes),
        () => groups.remove('staff'),
        () => setDisabled(ann.id),
        () => remove(ann.id),
      ]) {
        await change();
        assert.equal(await count(), ++before);
      }
    });

    for (const [way, act] of [
      ['disabled', (opened, id) => opened.setDisabled(id)],
      ['removed', (opened, id) => opened.remove(id)],
      ['taken out of the group', (opened, id) => opened.setGroupsOf(id, () => [])],
    ] as [string, (opened: Awaited<ReturnType<typeof openOwn>>, id: string) => Promise<unknown>][]) {
      test(`the last administrator cannot be ${way}, also if several are at the same time`, async () => {
        await using opened = await openOwn(engine);
        const { add, users } = opened;
        const people = await Promise.all(['a', 'b', 'c', 'd'].map((name) => add(name, admins)));
        const results = await Promise.allSettled(people.map(({ id }) => act(opened, id)));
        const refused = results.filter((result) => result.status === 'rejected');
        assert.equal(refused.length, 1);
        assert.equal(refused[0]?.reason.code, 'last-administrator');
        const left = await Array.fromAsync(users.list());
        assert.equal(left.filter(({ disabled, groups }) => !disabled && groups.includes(admins)).length, 1);
      });
    }

    for (const table of ['janua_passkeys', 'janua_identities'])
      test(`the last administrator without a password cannot go, if ${table} has a way to sign in`, async () => {
        await using opened = await openOwn(engine);
        const { users, setGroupsOf, setDisabled, remove, add, database } = opened;
        const pia = { username: 'pia@example.com', firstName: 'P', lastName: 'P', passwordHash: '', demo: false };
        const id = (await users.add(pia)) ?? '';
        await setGroupsOf(id, () => [admins]);
        const row =
          table === 'janua_passkeys'
            ? sql`(id, user_id, credential_id, public_key, user_handle, counter, syncable, synced, transports, aaguid, name, created_at)
                values ('p', ${id}, 'c', 'k', 'h', 0, 0, 0, '', '', '', 0)`
            : sql`(id, upstream, issuer, subject, user_id, name, linked_at)
                values ('i', 'google', 'https://accounts.google.com', 's', ${id}, '', 0)`;
        await sql`insert into ${sql.table(table)} ${row}`.execute(database);
        await assert.rejects(setDisabled(id), { code: 'last-administrator' });
        await assert.rejects(remove(id), { code: 'last-administrator' });
        const ann = await add('ann', admins);
        // With SECOND_FACTOR=off, or once the provider is gone, this administrator could not sign in.
        const { requireOtherAdministrator } = openOwnAccounts(opened, {
          otherWaysIn: { passkeys: false, upstreams: [] },
        });
        await assert.rejects(requireOtherAdministrator(ann.id, database), { code: 'last-administrator' });
        // Such an administrator is enough for the other one to leave.
        await remove(ann.id);
      });

    test('a listed administrator counts, if the address is proved', async () => {
      await using opened = await openOwn(engine, ['ann@example.com', 'eve@example.com', 'none@example.com']);
      const { users, hold, setDisabled, add, rightsOf } = opened;
      const ann = await add('ann');
      assert.deepEqual(await rightsOf(ann.id), { groups: [admins], scopes: all });
      const eve = { username: 'eve@example.com', firstName: 'E', lastName: 'E', passwordHash: 'hash', demo: false };
      const id = await users.add({ ...eve, addressProof: 'none' });
      assert.deepEqual(await rightsOf(id ?? ''), { groups: [], scopes: [] });
      await assert.rejects(setDisabled(ann.id), { code: 'last-administrator' });
      // The owner of a listed address may open a link that another user has asked for.
      await hold(id ?? '', (held) => users.setUsername(held, 'none@example.com'));
      assert.deepEqual((await rightsOf(id ?? '')).groups, []);
      await assert.rejects(setDisabled(ann.id), { code: 'last-administrator' });
      // An invited user cannot sign in before they have chosen a password.
      const invited = await users.add({ ...eve, username: 'zoe@example.com', passwordHash: '', addressProof: 'mail' });
      await opened.setGroupsOf(invited ?? '', () => [admins]);
      await assert.rejects(setDisabled(ann.id), { code: 'last-administrator' });
      await add('bob', admins);
      await setDisabled(ann.id);
    });
  });

  describe(`groups of a team's own table in ${engine}`, { skip: missing(engine) }, () => {
    const columns = 'id=no,username=email,password=secret';

    async function openTeam(mapped = columns) {
      const opened = await openMigrated(engine);
      const execute = (text: string) => sql.raw(text).execute(opened.database);
      // Columns that Janua's own tables have too.
      await execute(
        'create table people (no integer primary key, id varchar(9), name varchar(9), scopes varchar(9), user_id varchar(9), email varchar(254) unique, secret varchar(255), teams varchar(255))',
      );
      if (engine !== 'MariaDB') await execute('create unique index by_email on people (lower(email))');
      await execute(
        "insert into people (no, email, secret, teams) values (1, 'ann@example.com', 'hash', null), (2, 'bob@example.com', 'hash', null)",
      );
      const mapping = parseMapping('people', mapped);
      assert.ok(mapping);
      const { users: directory } = await openPeople(opened, mapping);
      const groups = createGroups(opened.database, {
        applicationScopes: ['reports:read'],
        inColumn: mapping.groups !== undefined,
        requireOther: directory.requireOtherAdministrator,
      });
      await groups.add(staff);
      /** The account of the person who has a key now. */
      const accountOf = async (key: string) => {
        const { rows } = await sql<{ email: string }>`select email from people where no = ${Number(key)}`.execute(
          opened.database,
        );
        return (await directory.adoptByUsername(rows[0]?.email ?? '')) ?? assert.fail();
      };
      const rightsOf = async (key: string) => {
        const { user, scopes } = await accountOf(key);
        return { groups: user.groups, scopes };
      };
      const hold = holdIn(opened.database, directory);
      const setGroupsOf = async (key: string, choose: Choose) =>
        hold((await accountOf(key)).user.id, (held) => groups.setGroupsOf(held, choose), { groups: true });
      return {
        groups,
        setGroupsOf,
        execute,
        accountOf,
        rightsOf,
        directory,
        [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
      };
    }

    test('are kept by Janua, and are void for another person who gets the id', async () => {
      await using opened = await openTeam();
      const { setGroupsOf, execute, rightsOf, directory } = opened;
      await setGroupsOf('1', () => ['staff']);
      assert.deepEqual(await rightsOf('1'), { groups: ['staff'], scopes: ['reports:read'] });
      assert.deepEqual(await rightsOf('2'), { groups: [], scopes: [] });
      assert.deepEqual((await directory.findByUsername('ann@example.com'))?.scopes, ['reports:read']);
      await execute("update people set email = 'eve@example.com' where no = 1");
      assert.deepEqual(await rightsOf('1'), { groups: [], scopes: [] });
      await setGroupsOf('1', (present) => [...present, admins]);
      assert.deepEqual(await rightsOf('1'), { groups: [admins], scopes: all });
      const refused = { code: 'last-administrator' };
      await assert.rejects(
        setGroupsOf('1', () => []),
        refused,
      );
      await execute("insert into people (no, email, secret) values (9, 'zoe@example.com', 'x')");
      await setGroupsOf('9', () => [admins]);
      // The membership of another name under the id is void.
      await execute("update people set email = 'yan@example.com' where no = 9");
      await assert.rejects(
        setGroupsOf('1', () => []),
        refused,
      );
      await execute("update people set email = 'zoe@example.com', secret = null where no = 9");
      await assert.rejects(
        setGroupsOf('1', () => []),
        refused,
        'without a password, a passkey or a linked identity, another administrator cannot sign in',
      );
      await execute("update people set secret = 'x' where no = 9");
      assert.deepEqual((await setGroupsOf('1', () => [])).names, []);
    });

    test('may come from a column, but never make an administrator', async () => {
      await using opened = await openTeam(`${columns},groups=teams`);
      const { setGroupsOf, execute, rightsOf } = opened;
      for (const [stored, expected] of [
        ['staff', ['staff']],
        [' staff , Press,press', ['press', 'staff']],
        ['["staff", "admins", 7]', ['staff']],
        ['admins,staff', ['staff']],
        ['["staff"', []],
        ['', []],
      ] as const) {
        await execute(`update people set teams = '${stored}' where no = 1`);
        const rights = await rightsOf('1');
        assert.deepEqual(rights.groups, expected, stored);
        assert.deepEqual(rights.scopes, expected.includes('staff' as never) ? ['reports:read'] : [], stored);
      }
      await assert.rejects(
        setGroupsOf('1', () => ['staff']),
        ChangeRefused,
      );
      await setGroupsOf('1', () => [admins]);
      assert.deepEqual(await rightsOf('1'), { groups: [admins], scopes: all });
    });

    test('that Janua stored before a column named them do not keep a user in admins', async () => {
      await using opened = await openTeam(`${columns},groups=teams`);
      const { setGroupsOf, execute, groups, accountOf } = opened;
      for (const key of ['1', '2']) await setGroupsOf(key, () => [admins]);
      const { user } = await accountOf('1');
      await execute(
        `insert into janua_memberships (id, group_name, user_id, username) values ('staff ${user.id}', 'staff', '${user.id}', 'ann@example.com')`,
      );
      const removed = await setGroupsOf('1', (present) => present.filter((name) => name !== admins));
      assert.deepEqual(removed, { names: [], areNew: true });
      assert.deepEqual(await groups.namesOf(user), []);
    });
  });
}
