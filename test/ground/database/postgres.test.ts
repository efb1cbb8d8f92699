import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type OpenDatabase, openDatabase } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { missing } from '../../servers/missing.ts';
import { openMigratedDatabase } from '../../stores.ts';

/** Through one connection, so that the test can change what the look-up has prepared on it. */
const oneConnection = { connections: 1, timeoutMilliseconds: 3000, watch: unwatched };

function findIn({ database, prepareLookup }: OpenDatabase) {
  const rows = database.selectFrom('janua_keys').select(['name', 'value']);
  return prepareLookup((name) => rows.where('name', '=', name));
}

async function preparedIn({ database }: OpenDatabase): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`select name from pg_prepared_statements`.execute(database);
  return rows.map(({ name }) => name).filter(Boolean);
}

// So does a PgBouncer that pools transactions: each goes to another connection of the server.
test('look-ups go on without names when the server has lost a prepared statement, or has one of that name', {
  skip: missing('PostgreSQL'),
}, async () => {
  const { url, drop } = await openMigratedDatabase('PostgreSQL');
  const [first, second] = [await openDatabase(url, oneConnection), await openDatabase(url, oneConnection)];
  try {
    const row = { name: 'ann', value: 'x' };
    await first.database.insertInto('janua_keys').values(row).execute();
    const find = findIn(first);
    assert.deepEqual(await find('ann'), [row]);
    const [name = '', ...others] = await preparedIn(first);
    assert.deepEqual(others, []);
    await sql`deallocate all`.execute(first.database);
    assert.deepEqual([await find('ann'), await find('ann')], [[row], [row]]);

    await sql.raw(`prepare "${name}" as select 'another'`).execute(second.database);
    const findThere = findIn(second);
    assert.deepEqual([await findThere('ann'), await findThere('ann')], [[row], [row]]);
    assert.deepEqual([await preparedIn(first), await preparedIn(second)], [[], [name]]);
  } finally {
    await Promise.all([first.database.destroy(), second.database.destroy()]);
    await drop();
  }
});
