import assert from 'node:assert/strict';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createSqlFailureStore } from '../../../src/core/throttle/sql-store.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { createMigratedDatabase } from '../../servers/migrated.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder, fastFolder } from '../../servers/process-end.ts';
import type { OwnDatabase } from '../../servers/shared.ts';
import { policies } from './policies.ts';
import { type OpenStore, recordsOf, testFailureStore } from './store-contract.ts';

/** The timeout of an operation, in milliseconds. It is long, because a hundred wait for one row here. */
const timeout = 20_000;

async function openStore(url: string): Promise<OpenStore> {
  const opened = await openTestDatabase(url, timeout);
  return { store: createSqlFailureStore(opened), [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
}

/** One database for all tests, each of which gets it empty. Other connections can open it too. */
function shareDatabase(create: () => Promise<OwnDatabase>): () => Promise<OpenStore & { readonly url: string }> {
  async function prepare() {
    const own = await create();
    const opened = await openTestDatabase(own.url, timeout);
    await migrate(opened);
    return { ...own, opened };
  }
  let prepared: ReturnType<typeof prepare> | undefined;
  after(async () => {
    const shared = await prepared;
    await shared?.opened.database.destroy();
    await shared?.drop();
  });
  return async () => {
    prepared ??= prepare();
    const { url, opened } = await prepared;
    await opened.database.deleteFrom('janua_failures').execute();
    return {
      url,
      store: createSqlFailureStore(opened),
      reopen: () => openStore(url),
      clean: (time) => removeExpired(opened.database, 'janua_failures', time),
      async [Symbol.asyncDispose]() {},
    };
  };
}

const openInMemory = shareDatabase(async () => ({ url: 'sqlite::memory:', drop: async () => {} }));
testFailureStore('SQLite in memory', async () => {
  const { reopen: _, ...opened } = await openInMemory();
  return opened;
});

const openFile = shareDatabase(async () => {
  const folder = createTemporaryFolder('failures', fastFolder());
  return { url: `sqlite:${join(folder.path, 'janua.db')}`, drop: async () => folder.remove() };
});
testFailureStore('SQLite', openFile);

const openPostgres = shareDatabase(() => createMigratedDatabase('postgres'));
testFailureStore('PostgreSQL', openPostgres, { skip: missing('PostgreSQL') });

const openMariadb = shareDatabase(() => createMigratedDatabase('mariadb'));
testFailureStore('MariaDB', openMariadb, { skip: missing('MariaDB') });

test('a transaction that MariaDB aborts because of a deadlock is retried', {
  skip: missing('MariaDB'),
}, async () => {
  await using opened = await openMariadb();
  await using other = await openTestDatabase(opened.url, timeout);
  const keys = ['name:a', 'name:b'].map((key) => ({ key, policy: policies.name }));
  await opened.store.count(keys, 1000);
  const counting = await other.database.transaction().execute(async (transaction) => {
    const lock = (key: string) =>
      transaction.updateTable('janua_failures').set({ last_at: 2000 }).where('key', '=', key).execute();
    // The server aborts the transaction with fewer changes.
    const rows = Array.from({ length: 50 }, (_, index) => ({
      key: `name:${index}`,
      count: 1,
      last_at: 1,
      expires_at: 1,
    }));
    await transaction.insertInto('janua_failures').values(rows).execute();
    await lock('name:b');
    const counted = opened.store.count(keys, 3000);
    await waitForLockWait(other.database);
    await lock('name:a');
    return { counted };
  });
  assert.equal((await counting.counted).counted, true);
  const records = await recordsOf(opened.store);
  assert.deepEqual(
    records.filter(({ key }) => /[ab]$/.test(key)).map(({ count, lastAt }) => [count, lastAt]),
    [
      [2, 3000],
      [2, 3000],
    ],
  );
});

async function waitForLockWait(database: Database): Promise<void> {
  for (let times = 0; times < 60; times += 1) {
    const { rows } = await sql`select 1 from information_schema.innodb_trx
      join information_schema.processlist on id = trx_mysql_thread_id
      where trx_state = 'LOCK WAIT' and db = database()`.execute(database);
    if (rows.length > 0) return;
    // The server refreshes this table only every 100 ms.
    await setTimeout(150);
  }
  throw new Error('no transaction waits for a lock');
}
