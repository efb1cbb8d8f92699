import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { tableNames } from '../../src/ground/database/copy-rows.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { dumpTables, fillTables } from '../ground/database/filled.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { isLong } from '../long.ts';
import { missing } from '../servers/missing.ts';
import { openMigratedDatabase, type UserEngine } from '../stores.ts';
import { createWorkplace, type Workplace } from './janua-command.ts';

const moved = tableNames.filter((table) => table !== 'janua_migrations');

async function openPlace(...engines: UserEngine[]) {
  const workplace = await createWorkplace();
  const stores = await Promise.all(engines.map(openMigratedDatabase));
  const run = (from: string, args: string[], options: Parameters<Workplace['run']>[1] = {}) =>
    workplace.run(['move', ...args], {
      ...options,
      env: { DATABASE_URL: from, ENCRYPTION_KEY_FILE: join(workplace.folder, 'key'), ...options.env },
    });
  return {
    workplace,
    urls: stores.map(({ url }) => url),
    run,
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await Promise.all(stores.map(({ drop }) => drop()));
    },
  };
}

const refused = async (running: ReturnType<Workplace['run']>, code: number, words: RegExp) => {
  const finished = await running;
  assert.match(finished.stderr, words);
  assert.deepEqual([finished.code, finished.stdout], [code, '']);
};

const routes: readonly (readonly [UserEngine, UserEngine])[] = [
  ['SQLite', 'PostgreSQL'],
  ['PostgreSQL', 'MariaDB'],
  ['MariaDB', 'SQLite'],
  ['SQLite', 'MariaDB'],
  ['PostgreSQL', 'SQLite'],
  ['MariaDB', 'PostgreSQL'],
];

for (const [first, second] of routes)
  describe(`a move from ${first} to ${second}`, { skip: missing(first) || missing(second) }, () => {
    test('copies every row, and then refuses what is no longer empty', async () => {
      await using place = await openPlace(first, second);
      const [from = '', to = ''] = place.urls;
      // More than two pages of users, in an order that differs between the engines.
      await fillTables(from, 450);
      const before = await dumpTables(from);
      const { code, stdout, stderr } = await place.run(from, ['--to', to]);
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout, /^TABLE +ROWS\njanua_users +456\n/);
      assert.deepEqual(await dumpTables(to), before);
      assert.deepEqual(await dumpTables(from), before, 'the first database is as before');
      await refused(
        place.run(from, ['--to', to]),
        2,
        /^The other database is not empty \(rows of janua_users: 456, .*\)\. Nothing was moved\. Name a new database/,
      );
    });
  });

/** Ends the process at the first row of a table, as a power cut would. */
const killAt = (table: string) => ({
  NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(`
    import { createRequire } from 'node:module';
    const { QueryExecutorBase, DefaultQueryExecutor } = createRequire(${JSON.stringify(import.meta.url)})('kysely');
    const { prototype } = Object.getPrototypeOf(DefaultQueryExecutor);
    const { executeQuery } = prototype;
    prototype.executeQuery = function (query) {
      if (/^insert into .${table}\\b/.test(query.sql)) process.kill(process.pid, 'SIGKILL');
      return executeQuery.apply(this, arguments);
    };`)}`,
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  test(`a killed move leaves nothing in ${engine}, and the next one works`, { skip: missing(engine) }, async () => {
    await using place = await openPlace('SQLite', engine);
    const [from = '', to = ''] = place.urls;
    await fillTables(from);
    const empty = await dumpTables(to);
    for (const table of isLong ? moved : ['janua_users', 'janua_mails', 'janua_identities']) {
      const { code, stdout } = await place.run(from, ['--to', to], { env: killAt(table) });
      assert.deepEqual([code, stdout], [null, ''], table);
      assert.deepEqual(await dumpTables(to), empty, table);
    }
    assert.equal((await place.run(from, ['--to', to])).code, 0);
    assert.deepEqual(await dumpTables(to), await dumpTables(from));
  });
