import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '../../../src/ground/database/kysely.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { missing } from '../../servers/missing.ts';
import { startPgbouncer } from '../../servers/pgbouncer.ts';
import { createDatabase } from '../../servers/shared.ts';
import { openTestDatabase, type TestDatabase } from './open.ts';

test('migrations at the same time wait for each other behind a PgBouncer that pools transactions', {
  skip: missing('PostgreSQL', 'PgBouncer'),
}, async () => {
  const { url, drop } = await createDatabase('postgres');
  await using pooler = await startPgbouncer(url, 'transaction');
  await using stack = new AsyncDisposableStack();
  stack.defer(drop);
  const opened: TestDatabase[] = [];
  for (let count = 0; count < 4; count += 1) opened.push(stack.use(await openTestDatabase(pooler.url)));
  const done = await Promise.all(opened.map(migrate));
  await using direct = await openTestDatabase(url);
  const { rows } = await sql<{ name: string }>`select name from janua_migrations`.execute(direct.database);
  // A connection that looked after the migration had nothing to do.
  const found = done.filter((names) => names.length > 0);
  assert.ok(found.length > 0);
  for (const names of found) assert.deepEqual(rows.map(({ name }) => name).sort(), names);
  // The server is shared: other tests hold locks in other databases.
  const locks = await sql`select 1 from pg_locks join pg_database on pg_database.oid = pg_locks.database
    where locktype = 'advisory' and datname = current_database()`.execute(direct.database);
  assert.deepEqual(locks.rows, [], 'no lock is left');
});
