import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cleaningInterval, startCleaning } from '../../../src/core/stores/upkeep.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../../src/ground/database/schema.ts';
import { expiringTables } from '../../../src/ground/database/tables.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { insertSample } from '../../ground/database/sample-rows.ts';

test('what has expired is removed at each interval, and a failure is logged', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval'] });
  const done: string[] = [];
  const clean = async () => {
    done.push('cleaned');
    if (done.length > 1) throw new Error('the database is away');
  };
  const timer = startCleaning(clean, { warn: () => done.push('logged') });
  t.mock.timers.tick(cleaningInterval * 2);
  await Promise.resolve();
  clearInterval(timer);
  assert.deepEqual(done, ['cleaned', 'cleaned', 'logged']);
});

test('rows that have expired are removed from every table whose rows expire', async () => {
  await using opened = await openMigrated();
  const { database } = opened;
  // A lease is taken over, and its row stays.
  const tables = (Object.keys(rows) as (keyof Tables)[]).filter(
    (table) => 'expires_at' in rows[table] && table !== 'janua_leases',
  );
  for (const table of tables) {
    await insertSample(database, table, { expires_at: 1 });
    // What is due is sent or given up first.
    if ('due_at' in rows[table]) await sql`update ${sql.table(table)} set due_at = null`.execute(database);
  }
  for (const table of expiringTables) await removeExpired(database, table, 2);
  for (const table of tables) {
    const left = await sql`select * from ${sql.table(table)}`.execute(database);
    assert.equal(left.rows.length, 0, table);
  }
});
