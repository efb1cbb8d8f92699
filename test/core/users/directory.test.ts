import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { openOwnAccounts } from './directories.ts';
import { type Person, testUserDirectory } from './directory-contract.ts';
import { holdIn } from './held.ts';
import { testUserRegistry } from './registry-contract.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  const open = async () => {
    const opened = await openMigrated(engine);
    const users = openOwnAccounts(opened);
    return {
      users,
      database: opened.database,
      async insert(person: Person) {
        assert.ok(await users.add({ ...person, demo: false }));
      },
      [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
    };
  };
  testUserDirectory(`janua_users in ${engine}`, open, missing(engine));
  testUserRegistry(`janua_users in ${engine}`, open, missing(engine));
}

test('demo users can sign in to the demo only', async () => {
  await using opened = await openMigrated();
  const demo = { username: 'demo@example.com', firstName: 'D', lastName: 'D', passwordHash: 'hash', demo: true };
  const inDemo = openOwnAccounts(opened, { demoUsers: true });
  const inProduction = openOwnAccounts(opened);
  await inDemo.add(demo);
  assert.equal((await inDemo.findByUsername(demo.username))?.disabled, false);
  const account = await inProduction.findByUsername(demo.username);
  assert.ok(account?.disabled);
  await holdIn(
    opened.database,
    inProduction,
    inProduction,
  )(account.user.id, async (held) => inProduction.setPassword?.(held, 'set by hand'));
  assert.equal((await inProduction.findByUsername(demo.username))?.disabled, false);
});

test('a user who takes the name of a demo user gets nothing of theirs', async () => {
  await using opened = await openMigrated();
  const ann = { username: 'ann@example.com', firstName: 'A', lastName: 'B', passwordHash: 'hash', demo: true };
  const id = await openOwnAccounts(opened, { demoUsers: true }).add(ann);
  assert.ok(id);
  const membership = { id: `admins:${id}`, user_id: id, username: ann.username, group_name: 'admins' };
  await opened.database.insertInto('janua_memberships').values(membership).execute();
  assert.ok(await openOwnAccounts(opened).add({ ...ann, demo: false }));
  for (const table of ['janua_memberships', 'janua_search'] as const) {
    const rows = await opened.database.selectFrom(table).select('user_id').where('user_id', '=', id).execute();
    assert.deepEqual(rows, [], table);
  }
});

test('a row of SQLite with values of wrong types affects only its own user', async () => {
  await using opened = await openMigrated();
  const users = openOwnAccounts(opened);
  const names = ['ann', 'bob'].map((name) => `${name}@example.com`);
  for (const username of names)
    await users.add({ username, firstName: 'A', lastName: 'B', passwordHash: 'hash', demo: false });
  await sql`update janua_users set created_at = 'last summer', password = x'00ff' where username = ${names[0]}`.execute(
    opened.database,
  );
  const listed = await Array.fromAsync(users.list());
  assert.deepEqual(
    listed.map(({ createdAt }) => createdAt === undefined),
    [true, false],
  );
  assert.equal((await users.findByUsername(names[0] ?? ''))?.passwordHash, undefined);
});

test('a name of a wrong type in SQLite is read as empty, and the list still ends', async () => {
  await using opened = await openMigrated();
  const users = openOwnAccounts(opened);
  for (const username of ['ann@example.com', 'bob@example.com', 'cid@example.com'])
    await users.add({ username, firstName: 'A', lastName: 'B', passwordHash: 'hash', demo: false });
  await sql`update janua_users set first_name = x'00ff', last_name = x'41' where username < 'c'`.execute(
    opened.database,
  );
  const ann = (await users.findByUsername('ann@example.com'))?.user;
  assert.deepEqual([ann?.firstName, ann?.lastName], ['', '']);
  await sql`update janua_users set username = x'00ff' where id = ${ann?.id}`.execute(opened.database);
  assert.deepEqual((await users.findById(ann?.id ?? ''))?.user, { ...ann, username: '' });
  const listed = await Array.fromAsync(users.list(), (user) => [user.username, user.firstName, user.lastName]);
  assert.deepEqual(listed, [
    ['bob@example.com', '', ''],
    ['cid@example.com', 'A', 'B'],
    ['', '', ''],
  ]);
});
