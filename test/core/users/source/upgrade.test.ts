import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { passwordFingerprint, stampOf } from '../../../../src/core/users/account.ts';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { createMigrator, migrate, requireTables } from '../../../../src/ground/database/migrations.ts';
import { openTestDatabase } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import { openUserDatabase, type UserEngine } from '../../../stores.ts';
import { openOwnAccounts, openPeople } from '../directories.ts';

const [ann, bob, eve] = ['ann@example.com', 'bob@example.com', 'eve@example.com'];

/** The tables of version 0.2.0, with two own accounts and three people of a team's table, of whom the third has had two names. */
async function openFormer(engine: UserEngine) {
  const own = await openUserDatabase(engine);
  const opened = await openTestDatabase(own.url);
  const { database } = opened;
  assert.equal((await createMigrator(opened).migrateTo('2026-12-06-not-before')).error, undefined);
  const run = async (text: string) => {
    for (const statement of text.split(';').filter((part) => part.trim() !== ''))
      await sql.raw(statement).execute(database);
  };
  await run(`
    insert into janua_users (id, username, password_hash, first_name, last_name, created_at, stamp, group_names, scopes, verified_address)
      values ('own-1', '${ann}', 'hash', 'Ann', 'Archer', 5, 'stamp', 'staff', 'reports:read', '${ann}');
    insert into janua_users (id, username, password_hash, first_name, last_name, created_at) values ('own-2', '${bob}', '', 'Bob', 'B', 6);
    insert into janua_people (user_id, username, since, stamp, changes)
      values ('7', '${ann}', 0, null, 3), ('8', '${bob}', 9, 'renewed', 4), ('9', '', 0, null, 0), ('own-2', '${eve}', 0, null, 1);
    insert into janua_groups (name, description, scopes) values ('staff', '', 'reports:read reports:write');
    insert into janua_memberships (id, group_name, user_id, username)
      values ('staff own-1', 'staff', 'own-1', '${ann}'), ('staff 7', 'staff', '7', '${ann}'), ('admins 8', 'admins', '8', '${bob}');
    insert into janua_totp (id, user_id, username, secret, last_step, created_at) values ('on:7', '7', '${ann}', 's', 0, 1);
    insert into janua_consents (id, user_id, owner, client_id, scope, version, given_at)
      values ('c', '7', '${ann}', 'wiki', 'openid', 'v', 1);
    insert into janua_subjects (id, subject, user_id, owner) values ('x', 'known', '7', '${ann}')`);
  return {
    ...{ opened, database, run },
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await own.drop();
    },
  };
}

async function openTeam(opened: Awaited<ReturnType<typeof openFormer>>['opened'], engine: UserEngine) {
  const { database } = opened;
  const email = engine === 'SQLite' ? 'varchar(254) collate nocase unique' : 'varchar(254) unique';
  await sql.raw(`create table people (no integer primary key, email ${email}, secret varchar(255))`).execute(database);
  if (engine === 'PostgreSQL') await sql`create unique index on people (lower(email))`.execute(database);
  for (const [index, name] of [ann, bob, eve].entries())
    await sql`insert into people values (${index + 7}, ${name}, 'team hash')`.execute(database);
  const mapping = parseMapping('people', 'id=no,username=email,password=secret');
  assert.ok(mapping);
  return (await openPeople(opened, mapping)).users;
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`an upgrade from 0.2.0 in ${engine}`, { skip: missing(engine) }, () => {
    test('keeps own accounts, and the people of a team with their ids and all that they have', async () => {
      await using former = await openFormer(engine);
      const { opened, database } = former;
      await migrate(opened);
      await requireTables(database, { users: true, sessions: true });
      await requireTables(database, { users: false, sessions: false });
      const accounts = openOwnAccounts(opened);
      assert.deepEqual(
        (await Array.fromAsync(accounts.list())).map(({ id, username }) => [id, username]),
        [
          ['own-1', ann],
          ['own-2', bob],
        ],
        'people of a team are no own accounts',
      );
      const own = (await accounts.findByUsername(ann)) ?? assert.fail();
      assert.deepEqual([own.stamp, own.passwordHash, own.user.groups], ['stamp', 'hash', ['staff']]);
      assert.equal(own.isAddressVerified, true);

      const users = await openTeam(opened, engine);
      const account = (await users.findByUsername(ann)) ?? assert.fail();
      assert.deepEqual([account.user.id, account.user.groups], ['7', ['staff']]);
      assert.deepEqual(account.scopes, ['reports:read', 'reports:write']);
      const print = passwordFingerprint({ user: { username: ann }, passwordHash: 'team hash' });
      assert.equal(stampOf(account), print, 'its sessions go on');
      assert.deepEqual((await users.findByUsername(bob))?.user.groups, ['admins']);
      assert.equal((await users.findDetails('8')).createdAt?.getTime(), 9);
      assert.equal(await users.findByUsername(eve), undefined, 'the names of her id tell nothing');
      assert.deepEqual(await users.findIds('prefix', 'ann', 10), ['7']);
      for (const table of ['janua_totp', 'janua_consents', 'janua_subjects'] as const)
        assert.equal((await database.selectFrom(table).where('user_id', '=', '7').selectAll().execute()).length, 1);
      assert.deepEqual(await migrate(opened), []);
    });

    test('makes processes of 0.2.0 fail', async () => {
      await using former = await openFormer(engine);
      const { opened, run } = former;
      await migrate(opened);
      for (const statement of [
        "select password_hash from janua_users where id = 'own-1'",
        "select username from janua_people where user_id = '7'",
        "insert into janua_access_tokens (id, user_id, owner, hash, name, scope, created_at, expires_at) values ('a', 'b', 'c', 'd', 'e', 'f', 1, 2)",
      ])
        await assert.rejects(run(statement), statement);
    });

    for (const cut of ['the table was renamed', 'the new table was half full'])
      test(`goes on where it was cut off after ${cut}`, { skip: engine !== 'MariaDB' }, async () => {
        await using former = await openFormer(engine);
        const { opened, run, database } = former;
        await run('alter table janua_users rename to janua_former_users');
        if (cut.includes('full'))
          await run(
            'create table janua_users (id varchar(255) primary key, login_name varchar(254), source_key varchar(255))',
          );
        await migrate(opened);
        assert.equal((await database.selectFrom('janua_users').select('id').execute()).length, 4);
        assert.equal((await openOwnAccounts(opened).findByUsername(ann))?.user.id, 'own-1');
      });
  });
