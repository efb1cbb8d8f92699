import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, describe, mock, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { Database } from '../../../src/ground/database/database.ts';
import { mostPrepared } from '../../../src/ground/database/driver.ts';
import { loadKey } from '../../../src/ground/database/keys.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { inTransaction, inTransactionOn } from '../../../src/ground/database/transaction.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { openTestDatabase } from './open.ts';

let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'janua-'));
});
after(() => rm(folder, { recursive: true, force: true }));

test('a new database file is readable only by its owner, and missing folders are created', async () => {
  const path = join(folder, 'a', 'b', 'janua.db');
  await using database = await openTestDatabase(`sqlite:${path}`);
  await migrate(database);
  for (const name of [path, `${path}-wal`, `${path}-shm`]) assert.equal((await stat(name)).mode & 0o777, 0o600);
  for (const name of ['a', 'a/b']) assert.equal((await stat(join(folder, name))).mode & 0o777, 0o700);
});

test('as many statements stay prepared as may, and those that were used longest ago go', async () => {
  await using opened = await openTestDatabase('sqlite::memory:');
  const prepare = mock.method(DatabaseSync.prototype, 'prepare');
  const read = (number: number) => sql`select ${sql.lit(number)}`.execute(opened.database);
  for (let number = 0; number < mostPrepared; number += 1) await read(number);
  const count = () => prepare.mock.callCount();
  const before = count();
  await read(0);
  assert.equal(count(), before, 'it is kept');
  await read(mostPrepared);
  await read(0);
  assert.equal(count(), before + 1, 'it was used lately');
  await read(1);
  assert.equal(count(), before + 2, 'it was used longest ago');
});

test('a database that is opened again keeps its schema and key', async () => {
  const url = `sqlite:${join(folder, 'again.db')}`;
  const keys: string[] = [];
  for (let start = 0; start < 2; start++) {
    await using opened = await openTestDatabase(url);
    await migrate(opened);
    keys.push((await loadKey(opened.database, 'browser-cookie')).toString('hex'));
  }
  assert.equal(keys[0], keys[1]);
  assert.equal(keys[0]?.length, 64);
});

test('two processes that create the key at the same time get the same key', async () => {
  const url = `sqlite:${join(folder, 'race.db')}`;
  await using first = await openTestDatabase(url);
  await using second = await openTestDatabase(url);
  await migrate(first);
  const [one, other] = await Promise.all([
    loadKey(first.database, 'browser-cookie'),
    loadKey(second.database, 'browser-cookie'),
  ]);
  assert.deepEqual(one, other);
});

test('a path below a folder that cannot be written to is refused at once', async () => {
  await assert.rejects(openTestDatabase('sqlite:/proc/x/y.db'), Misconfiguration);
});

test('while another process locks the file, reads work, a login gets 503 and leaves no session', async () => {
  const path = join(folder, 'held.db');
  await using janua = await startJanua({ settings: { DATABASE_URL: `sqlite:${path}`, STORE_TIMEOUT_SECONDS: 1 } });
  const logIn = () => janua.post('/api/login', { username: ann.username, password });
  const { access_token: token } = (await logIn()).json();
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const refused = await logIn();
  assert.equal(refused.statusCode, 503);
  assert.equal(refused.headers['retry-after'], '5');
  assert.equal(refused.headers['set-cookie'], undefined);
  const me = await janua.get('/api/me', { authorization: `Bearer ${token}` });
  assert.equal(me.statusCode, 200);
  assert.deepEqual({ ...other.prepare('select count(*) as sessions from janua_sessions').get() }, { sessions: 1 });
  other.exec('ROLLBACK');
  other.close();
  assert.equal((await logIn()).statusCode, 200);
});

test('a write by another process is visible in the next turn, and reads keep no lock', async () => {
  const path = join(folder, 'seen.db');
  await using opened = await openTestDatabase(`sqlite:${path}`);
  await migrate(opened);
  const { database } = opened;
  const other = new DatabaseSync(path);
  const count = async () => (await database.selectFrom('janua_keys').select('name').execute()).length;
  for (let written = 0; written < 5; written++) {
    assert.equal(await count(), written);
    assert.equal(await count(), written);
    await setImmediate();
    other.exec(`insert into janua_keys values ('key-${written}', 'x')`);
    assert.deepEqual(
      { ...other.prepare('pragma wal_checkpoint(truncate)').get() },
      { busy: 0, log: 0, checkpointed: 0 },
    );
  }
  await count();
  await database.insertInto('janua_keys').values({ name: 'own', value: 'x' }).execute();
  assert.equal(
    other.prepare("select name from janua_keys where name = 'own'").all().length,
    1,
    'a write is committed at once',
  );
  assert.equal(await count(), 6);
  other.close();
});

test('while another process writes, a write waits without blocking reads and timers', async () => {
  const path = join(folder, 'busy.db');
  // A read that waits for the lock takes all that time, and then the writes fail.
  await using opened = await openTestDatabase(`sqlite:${path}`, 30_000);
  await migrate(opened);
  const { database } = opened;
  const other = new DatabaseSync(path);
  other.exec('begin immediate');
  const written = database.insertInto('janua_keys').values({ name: 'waiting', value: 'x' }).execute();
  const nextWritten = database
    .transaction()
    .execute((transaction) => transaction.insertInto('janua_keys').values({ name: 'next', value: 'x' }).execute());
  const read = () => database.selectFrom('janua_keys').select('name').execute();
  for (let turn = 0; turn < 20; turn += 1) {
    assert.deepEqual(await read(), []);
    await setImmediate();
  }
  other.exec('commit');
  await Promise.all([written, nextWritten]);
  assert.equal((await read()).length, 2);
  other.close();
});

for (const [name, rows] of [
  ['many transactions', undefined],
  ['many transactions that change one row', ['a row']],
] as const)
  test(`between ${name}, reads and other work have their turns`, async () => {
    await using opened = await openTestDatabase(`sqlite:${join(folder, `turns-${rows?.length}.db`)}`);
    await migrate(opened);
    const { database } = opened;
    const done: string[] = [];
    const read = async () => {
      await database.selectFrom('janua_keys').select('name').execute();
      done.push('read');
    };
    const reads: Promise<void>[] = [];
    const transactions = Array.from({ length: 20 }, (_, index) => {
      const work = async (transaction: Database) => {
        const row = { name: `key ${index}`, value: 'x' };
        await transaction.insertInto('janua_keys').values(row).execute();
        if (index === 0) reads.push(read());
        // As long as a change of many rows takes.
        for (const end = performance.now() + 2; performance.now() < end; );
        done.push('transaction');
      };
      return rows === undefined ? inTransaction(database, work) : inTransactionOn(database, { rows }, work);
    });
    const all = Promise.all(transactions);
    for (let turn = 0; turn < 3; turn += 1) await setImmediate();
    done.push('other work');
    await all;
    await Promise.all(reads);
    for (const work of ['read', 'other work']) assert.ok(done.indexOf(work) < 10, `${work}: ${done.join(', ')}`);
  });

describe('writes that are asked for at the same time', () => {
  const names = Array.from({ length: 32 }, (_, index) => `key ${index}`);

  async function openBatch(name: string, timeout?: number) {
    const path = join(folder, name);
    const opened = await openTestDatabase(`sqlite:${path}`, timeout);
    await migrate(opened);
    const write = (key: string) => opened.database.insertInto('janua_keys').values({ name: key, value: 'x' }).execute();
    const stored = async () => (await opened.database.selectFrom('janua_keys').select('name').execute()).length;
    return { ...opened, path, write, stored };
  }

  test('are one commit', async () => {
    await using batch = await openBatch('together.db');
    const logged = async () => (await stat(`${batch.path}-wal`)).size;
    const before = await logged();
    await Promise.all(names.map(batch.write));
    // A commit writes each page that it changed to the log, and a page has 4096 bytes.
    assert.ok((await logged()) - before < (names.length * 4096) / 2);
    assert.equal(await batch.stored(), names.length);
  });

  test('fail one by one if a statement cannot be carried out', async () => {
    await using batch = await openBatch('apart.db');
    const outcomes = await Promise.allSettled([...names, names[3] ?? ''].map(batch.write));
    assert.deepEqual(
      outcomes.map(({ status }) => status),
      [...names.map(() => 'fulfilled'), 'rejected'],
    );
    assert.equal(await batch.stored(), names.length);
  });

  test('fail together, and none is kept, if the disk is full at one of them', async () => {
    await using batch = await openBatch('full.db');
    const { database, write, stored } = batch;
    await sql`pragma max_page_count = 1`.execute(database);
    const large = (name: string) =>
      database
        .insertInto('janua_keys')
        .values({ name, value: 'x'.repeat(1 << 20) })
        .execute();
    const outcomes = await Promise.allSettled([...names.map(write), large('large')]);
    assert.ok(outcomes.every(({ status }) => status === 'rejected'));
    assert.equal(await stored(), 0);
    await sql`pragma max_page_count = 1000000`.execute(database);
    await Promise.all(names.map(write));
    assert.equal(await stored(), names.length);
  });

  test('fail in time, and none is kept, while another process writes', async () => {
    await using batch = await openBatch('locked.db', 50);
    const other = new DatabaseSync(batch.path);
    other.exec('begin immediate');
    for (const outcome of await Promise.allSettled(names.map(batch.write))) assert.equal(outcome.status, 'rejected');
    other.exec('commit');
    other.close();
    assert.equal(await batch.stored(), 0);
  });
});

test('a SQLite URI is refused, because mode 0600 would apply to another file', async () => {
  for (const url of ['sqlite:file:x.db', 'sqlite:file:///tmp/x.db?mode=rwc', 'sqlite:file::memory:'])
    await assert.rejects(
      openTestDatabase(url),
      (error) => error instanceof Misconfiguration && /no SQLite URI/.test(error.message),
    );
});
