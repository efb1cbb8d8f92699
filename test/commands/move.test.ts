import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { tableNames } from '../../src/ground/database/copy-rows.ts';
import { openDatabase } from '../../src/ground/database/database.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { moveRows } from '../../src/ground/database/move-rows.ts';
import { encrypt } from '../../src/ground/encryption/cipher.ts';
import { createKeyFile } from '../../src/ground/encryption/key-file.ts';
import { unwatched } from '../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../src/ground/faults/unavailable.ts';
import { dumpTables, fillTables } from '../ground/database/filled.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { insertSample } from '../ground/database/sample-rows.ts';
import { isLong } from '../long.ts';
import { missing } from '../servers/missing.ts';
import { executeIn } from '../servers/shared.ts';
import { openMigratedDatabase, openUserDatabase, type UserEngine } from '../stores.ts';
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

test('a move that cannot be right is refused', { skip: missing('PostgreSQL') }, async () => {
  await using place = await openPlace('SQLite', 'PostgreSQL');
  const { workplace, urls, run } = place;
  const [from = '', to = ''] = urls;
  const empty = await openUserDatabase('PostgreSQL');
  const file = join(workplace.folder, 'url');
  await writeFile(file, to);
  for (const [source, args, words] of [
    [from, [], /^Name the other database by --to URL, or by --to-file FILE\.\n$/],
    [from, ['--to', to, '--to-file', file], /^Name the other database by --to URL/],
    [from, ['--to-file', join(workplace.folder, 'none')], /^--to-file: the file cannot be read \(ENOENT\)\.\n$/],
    [from, ['--to', 'mongodb://x'], /^--to: must be sqlite: and a path/],
    [from, ['--to', 'sqlite::memory:'], /^--to: a database in memory would be gone with this command\.\n$/],
    ['sqlite::memory:', ['--to', to], /^DATABASE_URL: a database in memory ends with its server/],
    [from, ['--to', from.replace('/janua.db', '/./janua.db')], /^--to names the database of DATABASE_URL\.\n$/],
    [
      from,
      ['--to', `sqlite:${workplace.folder}/new.db`],
      /^--to: there is no such file yet\. With that DATABASE_URL, run: /,
    ],
    [from, ['--to', empty.url], /^--to: The database does not have Janua's tables yet\. With that DATABASE_URL, run: /],
    [`sqlite:${workplace.folder}/new.db`, ['--to', to], /^DATABASE_URL: there is no such file yet\. Run: /],
    [
      from,
      ['--to', to.replace(/[^/]+$/, 'no_such')],
      /^--to: The database refuses it \(database "no_such" does not exist\)/,
    ],
  ] as const)
    await refused(run(source, [...args]), 2, words);
  await empty.drop();

  // A newer version may have columns that this one would lose.
  const later = { name: '9999-later', timestamp: '2030-01-01T00:00:00.000Z' };
  {
    await using opened = await openTestDatabase(from);
    await opened.database.insertInto('janua_migrations').values(later).execute();
  }
  await refused(run(from, ['--to', to]), 2, /^DATABASE_URL: Janua's tables are of a newer version/);
  {
    await using opened = await openTestDatabase(from);
    await opened.database.deleteFrom('janua_migrations').where('name', '=', later.name).execute();
  }
  const done = await run(from, ['--to-file', file, '--json']);
  const lines = done.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  assert.deepEqual(
    lines.map(({ table }) => table),
    moved,
  );
  assert.deepEqual(
    lines.find(({ table }) => table === 'janua_groups'),
    { table: 'janua_groups', rows: 1 },
  );
});

test('an account without the rights moves nothing', { skip: missing('PostgreSQL') }, async () => {
  await using place = await openPlace('SQLite', 'PostgreSQL');
  const [from = '', to = ''] = place.urls;
  const role = `reader_${randomBytes(4).toString('hex')}`;
  await using closing = new AsyncDisposableStack();
  const execute = (statement: string) => executeIn.postgres(to, statement);
  await execute(`create role ${role} login`);
  closing.defer(() => execute(`drop owned by ${role}; drop role ${role}`));
  await execute(`grant select on all tables in schema public to ${role}`);
  const asReader = Object.assign(new URL(to), { username: role }).href;
  await refused(
    place.run(from, ['--to', asReader]),
    2,
    /^The other database refuses the rows of janua_groups \(permission denied for table janua_groups\)\. Nothing was moved/,
  );
  await refused(
    place.run(asReader, ['--to', from]),
    2,
    /^DATABASE_URL: The database refuses it \(permission denied for table janua_users\)\. Grant it SELECT/,
  );
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`while another process uses ${engine}`, { skip: missing(engine) }, () => {
    test('nothing moves from it or to it', async () => {
      await using place = await openPlace(engine, 'SQLite');
      const [used = '', other = ''] = place.urls;
      const words = (name: string) => new RegExp(`^${name}: other processes use the database\\. Stop every server`);
      {
        // As a server has it that does nothing just now, and calls itself by another name.
        const named = engine === 'PostgreSQL' ? `${used}${used.includes('?') ? '&' : '?'}application_name=login` : used;
        await using opened = await openTestDatabase(named);
        await sql`select 1`.execute(opened.database);
        await refused(place.run(used, ['--to', other]), 2, words('DATABASE_URL'));
        await refused(place.run(other, ['--to', used]), 2, words('--to'));
      }
      assert.equal((await place.run(used, ['--to', other])).code, 0);
    });
  });

test('a move is refused if servers would not find the key of the secrets', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using place = await openPlace('SQLite', 'PostgreSQL');
  const [from = '', to = ''] = place.urls;
  const beside = from.slice('sqlite:'.length).replace(/\.db$/, '.encryption-key');
  await writeFile(beside, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  const secret = encrypt(createKeyFile(beside).read()[0] ?? Buffer.alloc(0), Buffer.from('x'), 'any');
  {
    await using opened = await openTestDatabase(from);
    await insertSample(opened.database, 'janua_totp', { id: 'active:1', secret });
  }
  const other = join(place.workplace.folder, 'other');
  await writeFile(other, `${randomBytes(32).toString('base64url')}\n`, { mode: 0o600 });
  const words = /^A server of the other database would not find the encryption key of 1 secrets\. Name the file/;
  await refused(place.run(from, ['--to', to], { env: { ENCRYPTION_KEY_FILE: '' } }), 2, words);
  const file = `sqlite:${place.workplace.folder}/file.db`;
  assert.equal((await place.workplace.run(['migrate'], { env: { DATABASE_URL: file } })).code, 0);
  await refused(place.run(from, ['--to', file], { env: { ENCRYPTION_KEY_FILE: '' } }), 2, words);
  const moved = await place.run(from, ['--to', to], { env: { ENCRYPTION_KEY_FILE: beside } });
  assert.equal(moved.code, 0, moved.stderr);
  assert.ok(moved.stdout.includes(`\nKeep ${beside}: it has the key`), moved.stdout);
});

test('of two moves into one database, one is refused', { skip: missing('PostgreSQL', 'MariaDB') }, async () => {
  for (const engine of ['PostgreSQL', 'MariaDB'] as const) {
    await using place = await openPlace('SQLite', 'SQLite', engine);
    const [one = '', other = '', to = ''] = place.urls;
    for (const url of [one, other]) await fillTables(url);
    const options = { connections: 1, timeoutMilliseconds: 60_000, watch: unwatched };
    await using closing = new AsyncDisposableStack();
    const open = async (url: string) => {
      const opened = await openDatabase(url, options);
      closing.defer(() => opened.database.destroy());
      return opened;
    };
    const [first, second, target, sameTarget] = [await open(one), await open(other), await open(to), await open(to)];
    const results = await Promise.allSettled([
      moveRows(first, target, async () => {}),
      moveRows(second, sameTarget, async () => {}),
    ]);
    assert.deepEqual(results.map(({ status }) => status).sort(), ['fulfilled', 'rejected'], engine);
    const refusal = results.find((result) => result.status === 'rejected');
    assert.match(`${refusal?.reason}`, /The other database is not empty/);
  }
});

test('a value that the other database cannot store, or stores as another one, undoes the move', {
  skip: missing('PostgreSQL', 'MariaDB'),
}, async () => {
  for (const [engine, column, value, words] of [
    // PostgreSQL has no NUL in texts. MariaDB rounds.
    ['PostgreSQL', 'id', 'a\0b', /^The other database refuses the rows of janua_times \(.*\)\. Nothing was moved/],
    ['MariaDB', 'at', 1.5, /^The other database has stored the rows of janua_times with other values: 1 of 1 rows/],
  ] as const) {
    await using place = await openPlace('SQLite', engine);
    const [from = '', to = ''] = place.urls;
    const empty = await dumpTables(to);
    {
      await using opened = await openTestDatabase(from);
      await insertSample(opened.database, 'janua_times', {
        name: 'x',
        at: 1,
        ...(column === 'id' ? { name: value } : { at: value }),
      });
    }
    await refused(place.run(from, ['--to', to]), 2, words);
    assert.deepEqual(await dumpTables(to), empty, engine);
  }
});

test("a team's own table has to be in the other database, with the same people", {
  skip: missing('PostgreSQL'),
}, async () => {
  await using place = await openPlace('SQLite', 'PostgreSQL');
  const [from = '', to = ''] = place.urls;
  const columns = { USERS_TABLE: 'people', USERS_COLUMNS: 'id=no,username=email,password=secret,first_name=first' };
  const env = { ...columns };
  const tableAt = async (url: string, names: readonly string[], further = '') => {
    await using opened = await openTestDatabase(url);
    await sql`drop table if exists people`.execute(opened.database);
    const collation = url.startsWith('sqlite') ? ' collate nocase' : '';
    await sql
      .raw(
        `create table people (no integer primary key, email varchar(254)${collation} unique, secret varchar(255)${further})`,
      )
      .execute(opened.database);
    if (collation === '') await sql`create unique index on people (lower(email))`.execute(opened.database);
    for (const [index, name] of names.entries())
      await sql`insert into people (no, email, secret) values (${index + 1}, ${name}, '')`.execute(opened.database);
  };
  const people = ['ann@example.com', 'ben@example.com'];
  const first = ', first varchar(100)';
  await tableAt(from, people, first);
  const synced = await place.workplace.run(['users', 'sync'], { env: { ...env, DATABASE_URL: from } });
  assert.match(synced.stdout, /^Added 2/);
  const move = () => place.run(from, ['--to', to], { env });
  await refused(move(), 2, /^--to: USERS_TABLE: there is no table people in the database of --to\.\n$/);
  await tableAt(to, people);
  await refused(
    move(),
    2,
    /^--to: USERS_COLUMNS: people has no column first, for first_name\. It has: no, email, secret\.\n$/,
  );
  await tableAt(to, people.toReversed(), first);
  await refused(
    move(),
    1,
    /^Accounts whose id has no row in people of the other database, or one with another name: 2\. Copy/,
  );
  await tableAt(to, people, first);
  assert.equal((await move()).code, 0);
  // PostgreSQL has the table in a schema, and a server goes by that name.
  const again = await place.workplace.run(['users', 'sync'], { env: { ...env, DATABASE_URL: to } });
  assert.deepEqual([again.stdout, again.stderr], ['Added 0, changed 0, ended 0.\n', '']);
});

for (const engine of ['PostgreSQL', 'MariaDB'] as const)
  test(`nothing is written to ${engine} while it is copied`, { skip: missing(engine) }, async () => {
    await using place = await openPlace(engine, 'SQLite');
    const [from = '', to = ''] = place.urls;
    await fillTables(from);
    const timeoutMilliseconds = 60_000;
    await using closing = new AsyncDisposableStack();
    const open = async (url: string, milliseconds = timeoutMilliseconds) => {
      const options = { connections: 1, timeoutMilliseconds: milliseconds, watch: unwatched };
      const opened = await openDatabase(url, options);
      closing.defer(() => opened.database.destroy());
      return opened;
    };
    // This server waits in vain, as for a row that another transaction has locked.
    const server = await open(from, 300);
    const write = (name: string) => server.database.insertInto('janua_times').values({ name, at: 1 }).execute();
    await write('before');
    await moveRows(await open(from), await open(to), async () => {
      await assert.rejects(write('meanwhile'), Unavailable);
    });
  });
