import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openDatabase } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { missing } from '../../servers/missing.ts';
import { openMigratedDatabase } from '../../stores.ts';

for (const [engine, waiting] of [
  ['PostgreSQL', sql`select 1 from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()`],
  [
    'MariaDB',
    sql`
      select 1 from information_schema.innodb_trx join information_schema.processlist on id = trx_mysql_thread_id
      where trx_state = 'LOCK WAIT' and db = database()`,
  ],
] as const)
  test(`a statement that ${engine} gives up for a transaction is carried out after it, and no fault is reported`, {
    skip: missing(engine),
  }, async () => {
    const { url, drop } = await openMigratedDatabase(engine);
    const failed: unknown[] = [];
    const watch = { succeeded() {}, failed: (_: unknown, error: unknown) => failed.push(error) };
    const { database } = await openDatabase(url, { connections: 4, timeoutMilliseconds: 10_000, watch });
    const set = (db: typeof database, names: string[], value: string) =>
      db.updateTable('janua_keys').set({ value }).where('name', 'in', names).execute();
    try {
      const names = ['a', 'b', ...Array.from({ length: 30 }, (_, index) => `other ${index}`)];
      await database
        .insertInto('janua_keys')
        .values(names.map((name) => ({ name, value: '' })))
        .execute();
      const transaction = await database.startTransaction().execute();
      // MariaDB gives up what has changed less.
      await set(transaction, names.slice(1), 'transaction');
      const statement = set(database, ['a', 'b'], 'statement');
      // MariaDB tells nothing new within a tenth of a second of the last look.
      while ((await waiting.execute(database)).rows.length === 0) await setTimeout(150);
      await set(transaction, ['a'], 'transaction');
      await transaction.commit().execute();
      await statement;
      const rows = await database.selectFrom('janua_keys').selectAll().where('name', 'in', ['a', 'b']).execute();
      assert.deepEqual(
        rows.map(({ value }) => value),
        ['statement', 'statement'],
      );
      assert.deepEqual(failed, []);
    } finally {
      await database.destroy();
      await drop();
    }
  });
