import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { KyselyPlugin } from 'kysely';
import type { Database, OpenDatabase } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { claimLease } from '../../../src/ground/database/lease.ts';
import { migrate, requireUsableSchema } from '../../../src/ground/database/migrations.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { missing } from '../../servers/missing.ts';
import { openUserDatabase } from '../../stores.ts';
import { openTestDatabase } from './open.ts';
import { openVersion02 } from './version-0.2.ts';

interface Line {
  readonly line: string;
}

/** Columns and indexes of our tables, a line each. */
const schemaOf = {
  async SQLite(database: Database) {
    const { rows } = await sql<Line>`select sql as line from sqlite_master where sql is not null`.execute(database);
    return rows.map(({ line }) => line.replaceAll(/\s+/g, ' '));
  },
  async PostgreSQL(database: Database) {
    const columns = await sql<Line>`select concat_ws(' ', table_name, column_name, data_type, character_maximum_length,
        collation_name, is_nullable, column_default) as line
      from information_schema.columns where table_schema = current_schema()`.execute(database);
    const indexes =
      await sql<Line>`select indexdef as line from pg_indexes where schemaname = current_schema()`.execute(database);
    // The index of a key has another name if its table was made beside one of the same name.
    return [...columns.rows, ...indexes.rows].map(({ line }) => line.replace('_pkey1', '_pkey'));
  },
  async MariaDB(database: Database) {
    const found = await sql<{ name: string }>`select table_name as name from information_schema.tables
      where table_schema = database()`.execute(database);
    const lines: string[] = [];
    for (const { name } of found.rows) {
      const { rows } = await sql<Record<string, string>>`show create table ${sql.table(name)}`.execute(database);
      lines.push(...(rows[0]?.['Create Table'] ?? '').split('\n').map((line) => `${name} ${line.replace(/,$/, '')}`));
    }
    return lines;
  },
} as const;

const sorted = async (lines: Promise<string[]>) => (await lines).toSorted();

async function openEmpty(engine: keyof typeof schemaOf) {
  const own = await openUserDatabase(engine);
  const opened = await openTestDatabase(own.url);
  return {
    opened,
    async [Symbol.asyncDispose]() {
      await opened[Symbol.asyncDispose]();
      await own.drop();
    },
  };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`migrations in ${engine}`, { skip: missing(engine) }, () => {
    test('make the same tables from nothing and from version 0.2', async () => {
      await using fresh = await openEmpty(engine);
      await using former = await openVersion02(engine);
      for (const { opened } of [fresh, former]) {
        const names = await migrate(opened);
        assert.ok(names[0]?.endsWith('-takes-away'), 'processes of version 0.2 refuse to start');
        assert.deepEqual(await migrate(opened), []);
      }
      const made = await sorted(schemaOf[engine](fresh.opened.database));
      assert.ok(made.length > 60, 'the comparison sees the tables');
      assert.deepEqual(await sorted(schemaOf[engine](former.database)), made);
    });

    test('refuse tables that are older than 0.2.0, and change nothing', async () => {
      await using former = await openVersion02(engine);
      await former.run("delete from janua_migrations where name = '2026-12-06-not-before'");
      const before = await sorted(schemaOf[engine](former.database));
      for (const work of [migrate, requireUsableSchema])
        await assert.rejects(work(former.opened), (error) => {
          assert.ok(error instanceof Misconfiguration);
          assert.match(error.message, /older than version 0\.2\.0/);
          return true;
        });
      assert.deepEqual(await sorted(schemaOf[engine](former.database)), before);
    });

    test('leave tables of version 0.2 to be upgraded, and say so', async () => {
      await using former = await openVersion02(engine);
      await assert.rejects(requireUsableSchema(former.opened), /of an older version/);
    });
  });

describe('migrations of several servers in MariaDB', { skip: missing('MariaDB') }, () => {
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

  test('run once if several servers begin at once', async () => {
    await using opened = await openServers(4);
    await Promise.all(opened.servers.map(migrate));
    for (const server of opened.servers) assert.deepEqual(await migrate(server), []);
  });

  test('wait for a server that died in the middle, until its lease ends', async () => {
    await using opened = await openServers(1);
    const [server] = opened.servers as [Servers[0]];
    await assert.rejects(migrate(cutOff(server, 10)), /cut off/);
    const end = Date.now() + 300;
    assert.equal(await claimLease(server.database, 'migrations', Date.now(), end), true);
    await migrate(server);
    assert.ok(Date.now() >= end);
    const lease = server.database.selectFrom('janua_leases').select('expires_at').where('name', '=', 'migrations');
    assert.equal(Number((await lease.executeTakeFirst())?.expires_at), 0, 'it had the lease after that server');
    assert.deepEqual(await migrate(server), []);
  });

  test('stop before the next statement if the lease has ended, as in a process that was stopped for a while', async (t) => {
    await using opened = await openServers(1);
    const [server] = opened.servers as [Servers[0]];
    const clock = { now: Date.now() };
    t.mock.method(Date, 'now', () => (clock.now += 2_000));
    await assert.rejects(migrate(server), Unavailable);
    t.mock.restoreAll();
    const tables = await server.database.introspection.getTables();
    assert.ok(!tables.some(({ name }) => name === 'janua_logout_notices'), 'the last tables are missing');
  });
});

/** The database as a process sees it that dies before its statement number `count + 1` that changes something. */
function cutOff(opened: OpenDatabase, count: number): OpenDatabase {
  let left = count;
  const plugin: KyselyPlugin = {
    transformQuery({ node }) {
      const text = node.kind === 'RawNode' ? (node.sqlFragments[0] ?? '').trimStart() : node.kind;
      if (!/^select/i.test(text) && left-- === 0) throw new Error('cut off');
      return node;
    },
    transformResult: async ({ result }) => result,
  };
  return { ...opened, database: opened.database.withPlugin(plugin) };
}

// SQLite and PostgreSQL migrate in one transaction.
test('an upgrade in MariaDB goes on wherever it was cut off', { skip: missing('MariaDB') }, async () => {
  await using fresh = await openEmpty('MariaDB');
  await migrate(fresh.opened);
  await using former = await openVersion02('MariaDB');
  await former.run(`
    insert into janua_users (id, username, password_hash, first_name, last_name, created_at)
      values ('own', 'own@example.com', 'hash', 'Own', 'User', 5);
    insert into janua_people (user_id, username, since, stamp, changes) values ('7', 'ann@example.com', 6, null, 3);
    insert into janua_memberships (id, group_name, user_id, username)
      values ('admins 7', 'admins', '7', 'ann@example.com');`);
  let cuts = 0;
  for (;;) {
    try {
      await migrate(cutOff(former.opened, cuts));
      break;
    } catch (error) {
      assert.match(String(error), /cut off/);
      cuts += 1;
    }
  }
  assert.ok(cuts > 30, `cut off ${cuts} times`);
  assert.deepEqual(
    await sorted(schemaOf.MariaDB(former.database)),
    await sorted(schemaOf.MariaDB(fresh.opened.database)),
  );
  const users = former.database.selectFrom('janua_users').orderBy('id');
  assert.deepEqual(await users.select(['id', 'source_key', 'login_name', 'group_names', 'created_at']).execute(), [
    { id: '7', source_key: '7', login_name: null, group_names: 'admins', created_at: 6 },
    { id: 'own', source_key: null, login_name: 'own@example.com', group_names: null, created_at: 5 },
  ]);
  assert.deepEqual(await migrate(former.opened), []);
});
