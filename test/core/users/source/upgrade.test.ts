import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSqlSessionStore } from '../../../../src/core/sessions/sql-store.ts';
import { passwordFingerprint, stampOf } from '../../../../src/core/users/account.ts';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { migrate, requireTables } from '../../../../src/ground/database/migrations.ts';
import { openVersion02 } from '../../../ground/database/version-0.2.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';
import { openOwnAccounts, openPeople } from '../directories.ts';

const [ann, bob, eve] = ['ann@example.com', 'bob@example.com', 'eve@example.com'] as const;
const passwordHash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA';
const printOf = (username: string, hash: string) =>
  passwordFingerprint({ user: { id: '', username }, passwordHash: hash });

/** Adds two own accounts, and three people of a team's table, of whom the third has had two names. */
async function openFormer(engine: UserEngine) {
  const former = await openVersion02(engine);
  await former.run(`
    insert into janua_users (id, username, password_hash, first_name, last_name, created_at, stamp, group_names, scopes, verified_address)
      values ('own-1', '${ann}', 'hash', 'Ann', 'Archer', 5, 'stamp', 'staff', 'reports:read', '${ann}');
    insert into janua_users (id, username, password_hash, first_name, last_name, created_at)
      values ('own-2', '${bob}', '${passwordHash}', 'Bob', 'B', 6);
    insert into janua_people (user_id, username, since, stamp, changes)
      values ('7', '${ann}', 0, null, 3), ('8', '${bob}', 9, 'renewed', 4), ('9', '', 0, null, 0), ('own-2', '${eve}', 0, null, 1);
    insert into janua_groups (name, description, scopes) values ('staff', '', 'reports:read reports:write');
    insert into janua_memberships (id, group_name, user_id, username)
      values ('staff own-1', 'staff', 'own-1', '${ann}'), ('staff 7', 'staff', '7', '${ann}'), ('admins 8', 'admins', '8', '${bob}');
    insert into janua_totp (id, user_id, username, secret, last_step, created_at) values ('on:7', '7', '${ann}', 's', 0, 1);
    insert into janua_consents (id, user_id, owner, client_id, scope, version, given_at)
      values ('c', '7', '${ann}', 'wiki', 'openid', 'v', 1);
    insert into janua_subjects (id, subject, user_id, owner) values ('x', 'known', '7', '${ann}');
    insert into janua_sessions (id, user_id, password_fingerprint, cookie_hash, token_hash, created_at, last_seen_at, expires_at)
      values ('s', 'own-2', '${printOf(bob, passwordHash)}', 'c', 't', 1000, 2000, 3000);`);
  return former;
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
      assert.deepEqual(
        await database.selectFrom('janua_sources').select(['name', 'origin']).execute(),
        [{ name: 'users-id', origin: 'reusable' }].map((row) => ({ ...row })),
      );
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
      assert.equal(stampOf(account), printOf(ann, 'team hash'), 'its sessions go on');
      assert.deepEqual((await users.findByUsername(bob))?.user.groups, ['admins']);
      assert.equal((await users.findDetails({ id: '8', username: bob })).createdAt?.getTime(), 9);
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

    test('keeps a session, also when the password is hashed again', async () => {
      await using former = await openFormer(engine);
      const { opened } = former;
      await migrate(opened);
      const [users, sessions] = [openOwnAccounts(opened), createSqlSessionStore(opened)];
      const account = (await users.findById('own-2')) ?? assert.fail();
      assert.equal(account.stamp, undefined);
      const isKept = async () => {
        const now = (await users.findById('own-2')) ?? assert.fail();
        assert.equal((await sessions.find('s'))?.stamp, stampOf(now));
        return now;
      };
      await isKept();
      await users.replacePasswordHash(account, `${passwordHash}x`);
      assert.equal((await isKept()).passwordHash, `${passwordHash}x`);
    });
  });
