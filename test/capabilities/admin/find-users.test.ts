import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { describe, mock, test } from 'node:test';
import { createFindUsers, userRules } from '../../../src/capabilities/admin/find-users.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { createLastLogins } from '../../../src/core/users/last-logins.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { parseMapping } from '../../../src/core/users/source/mapping.ts';
import { createSync, type SeenChange } from '../../../src/core/users/source/sync.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { cursorOf, mostCandidates, readList } from '../../../src/web/list.ts';
import { openOwnAccounts, openPeople } from '../../core/users/directories.ts';
import { holdIn } from '../../core/users/held.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';

const rules = userRules;

const people = [
  ['ann@example.com', 'Ann', 'Archer'],
  ['bob@example.com', 'Bob', 'Ann'],
  ['cid@example.com', 'Änne', 'Čermák'],
  ['dee_x+y@example.com', '100%', '(O_o'],
] as const;

const settings = { groupsInColumn: false };

/** All pages of a list. */
async function readPages(
  find: ReturnType<typeof createFindUsers>['list'],
  query: Record<string, string>,
  limit?: number,
) {
  const pages: Awaited<ReturnType<typeof find>>['users'][] = [];
  let cursor: string | undefined = '';
  while (cursor !== undefined) {
    const page = await find(readList({ ...query, ...(limit && { limit: String(limit) }), cursor }, rules));
    pages.push(page.users);
    cursor = page.nextCursor;
    assert.ok(pages.length < 30, 'the list ends');
  }
  return pages;
}

/** The first letters of all pages, a page separated by a bar. */
const lettersOf = async (...[find, query]: Parameters<typeof readPages>) =>
  (await readPages(find, query)).map((page) => page.map(({ username }) => username[0]).join('')).join('|');

/** A team's own table, in which the addresses have an index. */
async function openOwnTable(opened: TestDatabase, engine: UserEngine) {
  const [id, folded] = {
    SQLite: ['integer primary key', 'varchar(250) collate nocase'],
    PostgreSQL: ['serial primary key', 'varchar(250)'],
    MariaDB: ['int auto_increment primary key', 'varchar(250)'],
  }[engine];
  const execute = (text: string) => sql.raw(text).execute(opened.database);
  // Until MariaDB 11.6 the default was latin1.
  const charset = engine === 'MariaDB' ? 'character set utf8mb4' : '';
  await execute(
    `create table people (no ${id}, email ${folded}, secret varchar(255), first varchar(100), last ${folded}, gone boolean) ${charset}`,
  );
  const value = (column: string) => (engine === 'PostgreSQL' ? `lower(${column})` : column);
  await execute(`create unique index by_email on people (${value('email')})`);
  const columns = 'id=no,username=email,password=secret,first_name=first,last_name=last,disabled=gone';
  const mapping = parseMapping('people', columns);
  assert.ok(mapping);
  const { users: directory, source } = await openPeople(opened, mapping);
  const hold = holdIn(opened.database, directory);
  async function end(id: string, change: SeenChange): Promise<void> {
    if (change === 'user-disabled-elsewhere') await hold(id, directory.acceptDisabled);
  }
  const sync = createSync({ database: opened.database, source, now: Date.now, recordLeft, end });
  return { users: directory, sync };
}

const recordLeft = async () => {};

const insertPerson = ({ database }: TestDatabase, [email, first, last]: readonly [string, string, string]) =>
  sql`insert into people (email, first, last, gone) values (${email}, ${first}, ${last}, ${sql.lit(false)})`.execute(
    database,
  );

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the list of users in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const users = openOwnAccounts(opened);
      const ids: string[] = [];
      for (const [username, firstName, lastName] of people)
        ids.push((await users.add({ username, firstName, lastName, passwordHash: 'hash', demo: false })) ?? '');
      const find = createFindUsers(opened.database, users, settings).list;
      const groups = createGroups(opened.database, {
        applicationScopes: [],
        inColumn: false,
        requireOther: users.requireOtherAdministrator,
      });
      const listed = (query: Record<string, string>) => lettersOf(find, query);
      const hold = holdIn(opened.database, users, users);
      return { ...opened, users, hold, groups, ids, find, listed };
    }

    test('finds by the beginning of address, names and last name, each user once', async () => {
      await using opened = await open();
      const { listed, users, hold, ids } = opened;
      for (const [q, expected] of [
        ['', 'abcd'],
        ['ann', 'ab'],
        ['ANN A', 'a'],
        ['archer', 'a'],
        ['rcher', ''],
        ['än', 'c'],
        ['čer', 'c'],
        ['100%', 'd'],
        ['%', ''],
        ['dee_', 'd'],
        ['dee_x+', 'd'],
        ['(o', 'd'],
        ['.', ''],
        ['___', ''],
        ["' or 1=1 --", ''],
      ] as const)
        assert.equal(await listed({ q }), expected, q);
      assert.equal(await listed({ q: 'ann', limit: '1' }), 'a|b');
      await hold(ids[0] ?? '', (held) => users.setName(held, { firstName: 'Zoe', lastName: 'Zed' }));
      assert.equal(await listed({ q: 'zed' }), 'a');
      assert.equal(await listed({ q: 'archer' }), '');
      await hold(ids[0] ?? '', users.remove, { groups: true });
      assert.equal(await listed({ q: 'zed' }), '');
    });

    test('filters, sorts and pages', async () => {
      await using opened = await open();
      const { database, listed, users, hold, groups, ids } = opened;
      assert.deepEqual([await users.count(100), await users.count(3)], [people.length, 3]);
      await hold(ids[1] ?? '', (held) => users.setDisabled(held, true), { groups: true });
      await groups.add({ name: 'staff', description: '', scopes: [] });
      for (const index of [0, 1, 3])
        await hold(ids[index] ?? '', (held) => groups.setGroupsOf(held, () => ['staff']), { groups: true });
      // Two were added at the same time.
      for (const [index, time] of [300, 100, 200, 200].entries())
        await sql`update janua_users set created_at = ${time} where id = ${ids[index]}`.execute(database);
      assert.equal(await listed({ limit: '3' }), 'abc|d');
      assert.equal(await listed({ limit: '2', sort: '-username' }), 'dc|ba');
      assert.match(await listed({ limit: '1', sort: 'created_at' }), /^b\|(c\|d|d\|c)\|a$/);
      assert.match(await listed({ limit: '2', sort: '-created_at' }), /^a[cd]\|[cd]b$/);
      assert.equal(await listed({ group: 'staff', limit: '2' }), 'ab|d');
      assert.equal(await listed({ group: 'staff', limit: '2', sort: '-created_at' }), 'ad|b');
      assert.equal(await listed({ group: 'staff', state: 'enabled' }), 'ad');
      assert.equal(await listed({ group: 'staff', q: 'ann' }), 'ab');
      assert.equal(await listed({ group: 'nobody' }), '');
      assert.equal(await listed({ state: 'disabled' }), 'b');
      assert.equal(await listed({ factor: 'yes' }), '');
    });

    test('takes a forged cursor as data', async () => {
      await using opened = await open();
      const text = "zz' or 1=1 --";
      const query = readList({ cursor: cursorOf([text, text]) }, rules);
      assert.deepEqual((await opened.find(query)).users, [], 'no address comes after it');
    });

    test('shows the factors and the last login, and filters by a factor', async () => {
      await using opened = await open();
      const { database, find, listed, ids } = opened;
      const times = [1000, 2000];
      const { noteLogin } = createLastLogins(database, () => times.shift() ?? 0);
      const [id = ''] = ids;
      for (let count = 0; count < 2; count += 1) await noteLogin({ id });
      const totp = { id: 'x', user_id: id, secret: '', last_step: 0, created_at: 0 };
      await database.insertInto('janua_totp').values(totp).execute();
      const [ann, bob] = (await find(readList({}, rules))).users;
      assert.deepEqual([ann?.lastLoginAt?.getTime(), ann?.factors], [2000, ['app']]);
      assert.deepEqual([bob?.lastLoginAt, bob?.factors], [undefined, []]);
      assert.equal(await listed({ factor: 'yes' }), 'a');
      assert.equal(await listed({ factor: 'no', limit: '2' }), 'bc|d');
    });

    test('reads by an index what many users have in common', async () => {
      await using opened = await openMigrated(engine);
      const { database } = opened;
      const users = openOwnAccounts(opened);
      const find = createFindUsers(database, users, settings).list;
      const count = mostCandidates + 30;
      const names = Array.from({ length: count }, (_, index) => String(index).padStart(4, '0'));
      for (let from = 0; from < count; from += 500) {
        const part = names.slice(from, from + 500);
        const insert = <Row>(table: string, rows: Row[]) =>
          database
            .insertInto(table as 'janua_search')
            .values(rows as [])
            .execute();
        const user = { password: '', first_name: 'Many', demo: 0, disabled: 0, group_names: 'many' };
        await insert(
          'janua_users',
          part.map((n) => ({
            ...user,
            id: n,
            username: `user${n}`,
            login_name: `user${n}`,
            last_name: 'User',
            created_at: Number(n) % 7,
          })),
        );
        for (const [kind, word] of ['user', 'many user', 'user'].entries())
          await insert(
            'janua_search',
            part.map((n) => ({ id: `${n} ${kind}`, kind, word: kind === 0 ? word + n : word, user_id: n })),
          );
        const member = { group_name: 'many' };
        await insert(
          'janua_memberships',
          part.map((n) => ({ ...member, id: `many ${n}`, user_id: n, username: `user${n}` })),
        );
      }
      const expected = names.map((n) => `user${n}`);
      for (const query of [
        { q: 'user' },
        { q: 'many u' },
        { q: 'user', sort: '-username' },
        { q: 'user', sort: 'created_at' },
        { group: 'many' },
        { group: 'many', sort: '-username' },
        { group: 'many', sort: '-created_at' },
        { state: 'enabled', factor: 'no' },
      ] as Record<string, string>[]) {
        const pages = await readPages(find, query, 200);
        const found = pages.flat().map(({ username }) => username);
        assert.deepEqual(found.toSorted(), expected, JSON.stringify(query));
        assert.ok(
          pages.slice(0, 5).every(({ length }) => length === 200),
          JSON.stringify(query),
        );
        if (query.sort === '-username') assert.deepEqual(found, expected.toReversed());
      }
    });

    test('finds users of an own table once Janua has seen them', async () => {
      await using opened = await openMigrated(engine);
      const { database } = opened;
      const { users, sync } = await openOwnTable(opened, engine);
      for (const person of people) await insertPerson(opened, person);
      assert.equal(await users.count(100), 0);
      await sync();
      const find = createFindUsers(database, users, settings).list;
      const listed = (query: Record<string, string>) => lettersOf(find, query);
      assert.deepEqual([await users.count(100), await users.count(3)], [people.length, 3]);
      for (const [q, expected] of [
        ['', 'abcd'],
        ['ann', 'ab'],
        ['ANN@', 'a'],
        ['archer', 'a'],
        ['bob', 'b'],
        ['100', 'd'],
        ['än', 'c'],
        ['dee_', 'd'],
        ['%', ''],
      ] as const)
        assert.equal(await listed({ q }), expected, q);
      assert.equal(await listed({ limit: '3', sort: '-username' }), 'dcb|a');
      await sql`update people set gone = ${sql.lit(true)} where email = 'bob@example.com'`.execute(database);
      await sync();
      assert.equal(await listed({ state: 'disabled' }), 'b');
      const groups = createGroups(database, {
        applicationScopes: [],
        inColumn: false,
        requireOther: users.requireOtherAdministrator,
      });
      await groups.add({ name: 'staff', description: '', scopes: [] });
      const hold = holdIn(database, users);
      for (const name of ['ann@example.com', 'dee_x+y@example.com']) {
        const account = await users.findByUsername(name);
        if (account) await hold(account.user.id, (held) => groups.setGroupsOf(held, () => ['staff']), { groups: true });
      }
      assert.equal(await listed({ group: 'staff', limit: '1' }), 'a|d');
      // An id of no account.
      await sql`update janua_memberships set user_id = 'x' where username = 'ann@example.com'`.execute(database);
      assert.equal(await listed({ group: 'staff' }), 'd');
      for (let index = 0; index < mostCandidates; index += 1)
        if (index % 400 === 0)
          await sql`insert into people (email, first, last, gone) values ${sql.join(
            Array.from(
              { length: 400 },
              (_, one) => sql`(${`Many${index + one}@example.com`}, 'M', 'Many', ${sql.lit(false)})`,
            ),
          )}`.execute(database);
      await sync();
      const pages = await readPages(find, { q: 'many' }, 200);
      assert.equal(new Set(pages.flat().map(({ id }) => id)).size, mostCandidates);
      assert.equal(pages.flat().length, mostCandidates);
    });
  });
}

test('a list takes no more statements when it has more users', async () => {
  await using opened = await openMigrated();
  const users = openOwnAccounts(opened);
  const find = createFindUsers(opened.database, users, settings).list;
  const names = { firstName: 'Ann', lastName: 'Archer', passwordHash: '', demo: false };
  const counts: number[] = [];
  for (const size of [3, 40]) {
    for (let index = 0; index < size; index += 1)
      await users.add({ ...names, username: `ann${size}-${index}@example.com` });
    const all = mock.method(StatementSync.prototype, 'all');
    const { users: found } = await find(readList({ q: 'ann', limit: '200' }, rules));
    assert.equal(found.length, size === 3 ? 3 : 43);
    counts.push(all.mock.callCount());
    all.mock.restore();
  }
  assert.deepEqual(counts, [3, 3]);
});

test('a list takes 11 statements at most, when no filter leaves few users', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  const users = openOwnAccounts(opened, { demoUsers: false, administrators: new Set(['ann@example.com']) });
  const find = createFindUsers(database, users, settings).list;
  const ids = sql`with recursive ids (id) as (select 1 union all select id + 1 from ids where id < ${mostCandidates + 1})`;
  const fill = (table: string, columns: string, values: string) =>
    sql`insert into ${sql.table(table)} (${sql.raw(columns)}) ${ids} select ${sql.raw(values)} from ids`.execute(
      database,
    );
  await fill(
    'janua_users',
    'id, login_name, username, password, first_name, last_name, disabled, demo, created_at, group_names',
    "id, 'ann' || id, 'ann' || id, '', 'Ann', 'Ann', 1, 0, 0, 'admins'",
  );
  await fill('janua_search', 'id, kind, word, user_id', "id || ' 0', 0, 'ann' || id, id");
  await fill('janua_memberships', 'id, group_name, user_id, username', "'admins ' || id, 'admins', id, 'ann' || id");
  await fill('janua_totp', 'id, user_id, secret, last_step, created_at', "id, id, '', 0, 0");
  // The other two fields find one user each.
  await sql`update janua_search set kind = 1 where id = '1 0'`.execute(database);
  await sql`update janua_search set kind = 2 where id = '2 0'`.execute(database);
  await sql`delete from janua_search where id = '3 0'`.execute(database);
  const all = mock.method(StatementSync.prototype, 'all');
  const query = { q: 'ann', group: admins, state: 'disabled', factor: 'yes' };
  const { users: found } = await find(readList(query, rules));
  assert.equal(found.length, 50);
  assert.equal(all.mock.callCount(), 11);
  all.mock.restore();
});

test('a query that cannot be read is refused', () => {
  for (const query of [
    { limit: '0' },
    { limit: '201' },
    { limit: '1e2' },
    { sort: 'password' },
    { sort: ['username'] },
    { cursor: 'x' },
    { cursor: cursorOf([]) },
    { cursor: cursorOf(['a']) },
    { cursor: cursorOf(['a', 'b', 'c']) },
    { cursor: cursorOf(['x'.repeat(401), 'b']) },
    { cursor: cursorOf(['a\0', 'b']) },
    { cursor: Buffer.from('[1,2]').toString('base64url') },
    { cursor: Buffer.from('{"length":2}').toString('base64url') },
  ])
    assert.throws(() => readList(query, rules), /unreadable-list/, JSON.stringify(query));
  for (const query of [{ state: 'x' }, { q: 'x'.repeat(255) }, { q: '\ud800' }, { q: 'a\0b' }])
    assert.throws(
      () => readList(query, rules),
      { faults: [{ field: Object.keys(query)[0], code: 'malformed' }] },
      JSON.stringify(query),
    );
});
