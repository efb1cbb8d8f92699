import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { passwordFingerprint, stampOf } from '../../../src/core/users/account.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { claimLease } from '../../../src/ground/database/lease.ts';
import { createMigrator, migrate } from '../../../src/ground/database/migrations.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { openOwnAccounts } from '../../core/users/directories.ts';
import { missing } from '../../servers/missing.ts';
import { openUserDatabase } from '../../stores.ts';
import { openTestDatabase } from './open.ts';

const passwordHash = '$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0c2FsdA$aGFzaA';
const fingerprint = passwordFingerprint({ user: { username: 'ada@example.org' }, passwordHash });

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`tables of the version before stamps in ${engine}`, { skip: missing(engine) }, () => {
    async function openBefore() {
      const own = await openUserDatabase(engine);
      const opened = await openTestDatabase(own.url);
      const { error } = await createMigrator(opened).migrateTo('0003-throttle-and-audit');
      assert.equal(error, undefined);
      await sql`insert into janua_users (id, username, password_hash, first_name, last_name, created_at)
        values ('ada', 'ada@example.org', ${passwordHash}, 'Ada', 'L', 1)`.execute(opened.database);
      /** Adds a session as the older version does, which may still run beside ours. */
      const addSession = (id: string) =>
        sql`insert into janua_sessions
          (id, user_id, password_fingerprint, cookie_hash, token_hash, created_at, last_seen_at, expires_at)
          values (${id}, 'ada', ${fingerprint}, 'c', 't', 1000, 2000, 3000)`.execute(opened.database);
      return {
        opened,
        addSession,
        users: openOwnAccounts(opened),
        sessions: createSqlSessionStore(opened),
        async [Symbol.asyncDispose]() {
          await opened.database.destroy();
          await own.drop();
        },
      };
    }

    test('keep their users and sessions, and accept new sessions of an older process', async () => {
      await using before = await openBefore();
      await before.addSession('old');
      await migrate(before.opened);
      await before.addSession('later');
      const account = await before.users.findById('ada');
      assert.ok(account);
      assert.equal(account.stamp, undefined);
      assert.equal(stampOf(account), fingerprint);
      for (const [id, authenticatedAt] of [
        ['old', 1000],
        ['later', 1000],
      ] as const) {
        const session = await before.sessions.find(id);
        assert.equal(session?.stamp, stampOf(account), 'the session still has the stamp of this account');
        assert.deepEqual([session?.authenticatedAt, session?.methods], [authenticatedAt, ['pwd']]);
        assert.deepEqual([session?.userAgent, session?.address], [undefined, undefined]);
      }
    });

    test('are completed after a migration that was cut off', async () => {
      await using before = await openBefore();
      await sql`alter table janua_users add column stamp varchar(43)`.execute(before.opened.database);
      await migrate(before.opened);
      assert.equal((await before.users.findById('ada'))?.stamp, undefined);
    });

    test('keep sessions when the same password is hashed again', async () => {
      await using before = await openBefore();
      await migrate(before.opened);
      await before.addSession('old');
      const account = await before.users.findById('ada');
      assert.ok(account);
      await before.users.replacePasswordHash(account, `${passwordHash}x`);
      const after = await before.users.findById('ada');
      assert.equal(after?.passwordHash, `${passwordHash}x`);
      assert.equal(after && stampOf(after), (await before.sessions.find('old'))?.stamp);
    });
  });
  test(`users of the version before verified addresses in ${engine} keep what their address proof says`, {
    skip: missing(engine),
  }, async () => {
    const own = await openUserDatabase(engine);
    const opened = await openTestDatabase(own.url);
    assert.equal((await createMigrator(opened).migrateTo('2026-11-29-waiting')).error, undefined);
    const add = (id: string, proof: string | null, hash = 'hash') =>
      sql`insert into janua_users (id, username, password_hash, first_name, last_name, created_at, address_proof)
        values (${id}, ${`${id}@example.org`}, ${hash}, '', '', 1, ${proof})`.execute(opened.database);
    const proofs = { mail: true, changed: true, upstream: false, import: false, admin: false, none: false };
    for (const proof of Object.keys(proofs)) await add(proof, proof);
    await add('command', null);
    await add('invited', 'mail', '');
    await migrate(opened);
    const expected = { ...proofs, command: false, invited: false };
    const users = openOwnAccounts(opened);
    const ids = Object.keys(expected);
    const verified = async () =>
      Object.fromEntries(await Promise.all(ids.map(async (id) => [id, (await users.findById(id))?.isAddressVerified])));
    assert.deepEqual(await verified(), expected);
    const { verification } = await users.findDetails('mail');
    assert.deepEqual(verification, { how: 'mail', by: undefined, at: undefined });
    await sql`update janua_users set username = 'new@example.org' where id = 'mail'`.execute(opened.database);
    assert.deepEqual(await verified(), { ...expected, mail: false });
    await opened.database.destroy();
    await own.drop();
  });
}

describe('migrations in MariaDB', { skip: missing('MariaDB') }, () => {
  async function openServers(count: number) {
    const own = await openUserDatabase('MariaDB');
    const servers = await Promise.all(Array.from({ length: count }, () => openTestDatabase(own.url)));
    return {
      servers,
      async [Symbol.asyncDispose]() {
        for (const server of servers) await server[Symbol.asyncDispose]();
        await own.drop();
      },
    };
  }
  type Servers = Awaited<ReturnType<typeof openServers>>['servers'];

  test('run once if several servers begin at once, one of an older version among them', async () => {
    await using opened = await openServers(4);
    const [older, ...servers] = opened.servers as [Servers[0], ...Servers];
    const migrateOlder = async () => {
      const { error } = await createMigrator(older).migrateToLatest();
      assert.equal(error, undefined);
    };
    await Promise.all([older.withTimeout(60_000, migrateOlder), ...servers.map(migrate)]);
    for (const server of servers) assert.deepEqual(await migrate(server), []);
  });

  test('wait for a server that died in the middle, until its lease ends', async () => {
    await using opened = await openServers(1);
    const [server] = opened.servers as [Servers[0]];
    assert.equal((await createMigrator(server).migrateTo('0002-sessions-and-leases')).error, undefined);
    const end = Date.now() + 300;
    assert.equal(await claimLease(server.database, 'migrations', Date.now(), end), true);
    await migrate(server);
    assert.ok(Date.now() >= end);
    const lease = server.database.selectFrom('janua_leases').select('expires_at').where('name', '=', 'migrations');
    assert.equal(Number((await lease.executeTakeFirst())?.expires_at), 0, 'it had the lease after that server');
    assert.deepEqual(await migrate(server), []);
  });

  test('stop before the next step if the lease has ended, as in a process that was stopped for a while', async (t) => {
    await using opened = await openServers(1);
    const [server] = opened.servers as [Servers[0]];
    const clock = { now: Date.now() };
    t.mock.method(Date, 'now', () => (clock.now += 2_000));
    await assert.rejects(migrate(server), Unavailable);
    t.mock.restoreAll();
    const { rows } = await sql`select name from janua_migrations`.execute(server.database);
    assert.ok(rows.length < 10);
  });
});
