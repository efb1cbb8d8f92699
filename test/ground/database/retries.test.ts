import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { openDatabase } from '../../../src/ground/database/database.ts';
import { databaseUnavailable } from '../../../src/ground/database/errors.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { repeated } from '../../../src/ground/database/transaction.ts';
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
    const { database } = await openDatabase(url, { connections: 8, timeoutMilliseconds: 10_000, watch });
    const set = (db: typeof database, names: string[], value: string) =>
      db.updateTable('janua_keys').set({ value }).where('name', 'in', names).execute();
    const isWaiting = async (count: number) => {
      // MariaDB tells nothing new within a tenth of a second of the last look.
      while ((await waiting.execute(database)).rows.length < count) await setTimeout(150);
    };
    try {
      const names = ['a', 'b', 'c', ...Array.from({ length: 30 }, (_, index) => `other ${index}`)];
      await database
        .insertInto('janua_keys')
        .values(names.map((name) => ({ name, value: '' })))
        .execute();
      const [gate, transaction] = [
        await database.startTransaction().execute(),
        await database.startTransaction().execute(),
      ];
      // PostgreSQL gives up what looks first after the circle has closed, and each looks once in a wait.
      if (engine === 'PostgreSQL') await sql`set local deadlock_timeout = '10min'`.execute(transaction);
      // MariaDB gives up what has changed less.
      await set(transaction, names.slice(2), 'transaction');
      await set(gate, ['b'], 'gate');
      const statement = set(database, ['a', 'b', 'c'], 'statement');
      await isWaiting(1);
      const crossing = set(transaction, ['a'], 'transaction');
      await isWaiting(2);
      // Now the statement goes on to `c`, which closes the circle.
      await gate.commit().execute();
      await crossing;
      await transaction.commit().execute();
      await statement;
      const rows = await database.selectFrom('janua_keys').selectAll().where('name', 'in', ['a', 'b', 'c']).execute();
      assert.deepEqual(
        rows.map(({ value }) => value),
        ['statement', 'statement', 'statement'],
      );
      assert.deepEqual(failed, []);
    } finally {
      await database.destroy();
      await drop();
    }
  });

for (const [name, isRepeated, codes] of [
  ['a deadlock of PostgreSQL', true, { code: '40P01' }],
  ['a commit that MySQL gave up, or a node of Galera', true, { errno: 1213, sqlState: '40001' }],
  ["TiDB's conflict of two writes", true, { errno: 9007, sqlState: 'HY000' }],
  ['a commit that may have been carried out', false, { code: '40003' }],
  ['a commit whose connection was lost', false, { code: 'ECONNRESET' }],
  ['a commit that Galera could not tell the other nodes', false, { errno: 1180, sqlState: 'HY000' }],
  ['a node of Galera that is not ready', false, { errno: 1047, sqlState: '08S01' }],
  ['a read of a node of Galera that has lost the others', false, { errno: 1205, sqlState: 'HY000' }],
] as const)
  test(`${name} is ${isRepeated ? '' : 'not '}repeated`, async () => {
    let tries = 0;
    const work = () => {
      tries += 1;
      return tries === 1 ? Promise.reject(databaseUnavailable(Object.assign(new Error(), codes))) : Promise.resolve();
    };
    await (isRepeated ? repeated(work) : assert.rejects(repeated(work)));
    assert.equal(tries, isRepeated ? 2 : 1);
  });
