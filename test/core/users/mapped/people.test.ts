import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { stampOf } from '../../../../src/core/users/account.ts';
import { openMappedDirectory } from '../../../../src/core/users/mapped/mapped-directory.ts';
import { parseMapping } from '../../../../src/core/users/mapped/mapping.ts';
import { createPeople } from '../../../../src/core/users/mapped/people.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../../../src/ground/database/schema.ts';
import { inTransaction } from '../../../../src/ground/database/transaction.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { insertSample, keyOf } from '../../../ground/database/sample-rows.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';
import { holdIn } from '../held.ts';

const [ann, eve] = ['ann@example.com', 'eve@example.com'];

/** A table of a team, in which the id 7 is Ann's, and an id 8 that is not in it. */
async function open(engine: UserEngine) {
  const opened = await openMigrated(engine);
  const { database } = opened;
  const execute = (text: string) => sql.raw(text).execute(database);
  await execute('create table people (no integer primary key, email varchar(254) unique, secret varchar(255))');
  if (engine === 'PostgreSQL') await execute('create unique index by_email on people (lower(email))');
  await execute(`insert into people values (7, '${ann}', 'hash')`);
  const mapping = parseMapping('people', 'id=no,username=email,password=secret');
  assert.ok(mapping);
  const { directory: users } = await openMappedDirectory(opened, mapping, { rehashes: true, log: { warn() {} } });
  const read = async () => {
    const account = await users.findById('7');
    assert.ok(account);
    return account;
  };
  return {
    ...{ database, users, read },
    lock: () => inTransaction(database, (db) => users.lock('7', db)),
    renewStamp: () => holdIn(database, users)('7', users.renewStamp),
    setName: (name: string) => execute(`update people set email = '${name}' where no = 7`),
    setHash: (hash: string) => execute(`update people set secret = '${hash}' where no = 7`),
    row: () => database.selectFrom('janua_people').select(['username', 'since', 'stamp']).executeTakeFirst(),
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}

/** What the former user of an id leaves behind in these tables is not cleared. */
const kept: readonly string[] = [
  'janua_people',
  // Only for users of Janua's own.
  'janua_search',
  // They carry the stamp, and may be in Redis.
  'janua_sessions',
  // The present user's sessions begin after that time.
  'janua_not_before',
  'janua_ended_sessions',
  // It keeps events by id, and `findSince` tells the former user's from the present one's.
  'janua_audit',
  // Looked at one by one.
  'janua_logins',
  'janua_mails',
  'janua_notices',
  'janua_passkey_offers',
];

const cleared = (Object.keys(rows) as (keyof Tables)[]).filter(
  (table) => 'user_id' in rows[table] && !kept.includes(table),
);

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`an id of a team's own table in ${engine}`, { skip: missing(engine) }, () => {
    type Opened = Awaited<ReturnType<typeof open>>;

    /** Stores a row in each table: of the former user of the id, of its present one, and of another id. */
    async function store({ database, read }: Opened) {
      const present = stampOf(await read());
      for (const table of [...cleared, 'janua_mails', 'janua_notices'] as const)
        for (const [whose, user_id, name, stamp] of [
          ['former', '7', ann, 'former'],
          ['present', '7', eve, present],
          ['other', '8', ann, 'former'],
        ] as const) {
          const names = { username: name, owner: name, address: name, subject: whose };
          await insertSample(database, table, { ...names, stamp, user_id, [keyOf(table)]: whose });
        }
    }

    /** Whose rows are left in a table. */
    async function leftIn(table: keyof Tables, { database }: Opened) {
      const query = sql<{ whose: string }>`select ${sql.ref(keyOf(table))} as whose from ${sql.table(table)}`;
      return (await query.execute(database)).rows.map(({ whose }) => whose).sort();
    }

    test('that gets another name loses what belonged to the former one, also if two requests see it first', async () => {
      for (const atOnce of [1, 2, 8]) {
        await using opened = await open(engine);
        const { users, read, lock, renewStamp, setName, row, database } = opened;
        await renewStamp();
        const former = await read();
        assert.notEqual(former.stamp, undefined);
        await setName(eve);
        await store(opened);
        await database.insertInto('janua_logins').values({ user_id: '7', username: ann, at: 1 }).execute();
        for (const user_id of ['7', '8'])
          await database.insertInto('janua_passkey_offers').values({ user_id, again_at: null }).execute();
        const before = Date.now();
        const locked = await Promise.all(Array.from({ length: atOnce }, lock));
        const account = await read();
        for (const one of locked) assert.deepEqual(one, account);
        assert.deepEqual([account.user.username, account.user.isNewcomer, account.stamp], [eve, false, undefined]);
        const since = await users.findSince('7');
        assert.ok(since >= before && since <= Date.now());
        assert.deepEqual({ ...(await row()), since }, { username: eve, since, stamp: null });
        for (const table of cleared) assert.deepEqual(await leftIn(table, opened), ['other', 'present'], table);
        assert.deepEqual(await leftIn('janua_passkey_offers', opened), ['8']);
        assert.deepEqual(await leftIn('janua_notices', opened), ['other'], 'processes of the version before have none');
        const logins = await database.selectFrom('janua_logins').selectAll().execute();
        assert.deepEqual(
          logins.map(({ username, at }) => [username, Number(at)]),
          [[eve, 0]],
        );
        const mails = await database.selectFrom('janua_mails').select(['id', 'user_id']).orderBy('id').execute();
        assert.deepEqual(
          mails.map(({ id, user_id }) => [id, user_id]),
          [
            ['former', null],
            ['other', '8'],
            ['present', '7'],
          ],
          'mails still go out',
        );
        await lock();
        assert.equal(await users.findSince('7'), since, 'only once');
      }
    });

    test('whose last login was of another name is noticed without a row', async () => {
      await using opened = await open(engine);
      const { users, lock, database, setName } = opened;
      await setName(eve);
      await store(opened);
      await database.insertInto('janua_logins').values({ user_id: '7', username: ann, at: 1 }).execute();
      await lock();
      assert.ok((await users.findSince('7')) > 0);
      assert.deepEqual(await leftIn('janua_memberships', opened), ['other', 'present']);
    });

    test('that Janua meets for the first time keeps what processes of the version before stored for its user', async () => {
      await using opened = await open(engine);
      const { users, lock, database } = opened;
      const present = { user_id: '7', username: ann, owner: ann };
      for (const table of cleared) await insertSample(database, table, { ...present, [keyOf(table)]: 'present' });
      assert.equal((await lock())?.user.isNewcomer, false);
      for (const table of cleared) assert.deepEqual(await leftIn(table, opened), ['present'], table);
      assert.equal(await users.findSince('7'), 0);
    });

    test('under which rows of two names are belongs to the user whom Janua meets next', async () => {
      await using opened = await open(engine);
      const { users, lock, database, setName, read } = opened;
      await database
        .insertInto('janua_people')
        .values({ user_id: '7', username: '', since: 0, stamp: null, changes: 0 })
        .execute();
      await setName(eve);
      await store(opened);
      assert.equal((await read()).user.isNewcomer, true);
      assert.equal((await lock())?.user.isNewcomer, false);
      for (const table of cleared) assert.deepEqual(await leftIn(table, opened), ['other', 'present'], table);
      assert.ok((await users.findSince('7')) > 0);
    });

    test('is left as it was if a part of it cannot be cleared', async () => {
      await using opened = await open(engine);
      const { lock, database, setName, row } = opened;
      await lock();
      await setName(eve);
      await store(opened);
      const [last = 'janua_identities'] = cleared.toReversed();
      const rename = (from: string, to: string) =>
        sql`alter table ${sql.table(from)} rename to ${sql.table(to)}`.execute(database);
      await rename(last, 'elsewhere');
      await assert.rejects(lock());
      await rename('elsewhere', last);
      for (const table of cleared) assert.deepEqual(await leftIn(table, opened), ['former', 'other', 'present'], table);
      assert.equal((await row())?.username, ann);
      await lock();
      for (const table of cleared) assert.deepEqual(await leftIn(table, opened), ['other', 'present'], table);
    });

    test('that is removed, and added again with the same name, is the same user', async () => {
      await using opened = await open(engine);
      const { database, users, lock, renewStamp, read } = opened;
      await renewStamp();
      const before = await read();
      await insertSample(database, 'janua_passkeys', { id: 'ann', user_id: '7', username: ann });
      await sql`delete from people`.execute(database);
      assert.equal(await users.findById('7'), undefined);
      assert.equal(await lock(), undefined);
      await sql`insert into people values (7, ${ann}, 'hash')`.execute(database);
      assert.deepEqual(await read(), before);
      assert.deepEqual(await leftIn('janua_passkeys', opened), ['ann']);
    });

    test('has the same user if the team writes the name in another case', async () => {
      await using opened = await open(engine);
      const { lock, setName, read } = opened;
      await lock();
      await setName(ann.toUpperCase());
      assert.deepEqual([(await read()).user.username, (await read()).user.isNewcomer], [ann, false]);
    });

    test('has a row from the first change on, which several may make at once', async () => {
      await using opened = await open(engine);
      const { read, lock, row } = opened;
      const stranger = await read();
      assert.equal(stranger.user.isNewcomer, true);
      const locked = await Promise.all(Array.from({ length: 8 }, lock));
      assert.ok(locked.every((account) => account?.user.isNewcomer === false));
      const since = Number((await row())?.since);
      assert.deepEqual({ ...(await row()), since }, { username: ann, since: 0, stamp: null });
      assert.equal(stampOf(await read()), stampOf(stranger));
    });

    // On SQLite no other transaction can.
    test('is locked, although another transaction adds the row at the same time', {
      skip: engine === 'SQLite',
    }, async () => {
      await using opened = await open(engine);
      const { database, read, lock } = opened;
      const people = createPeople(engine === 'MariaDB' ? 'mysql' : 'postgres');
      let reads = 0;
      await inTransaction(database, async (db) => {
        await people.lock('7', db, async () => {
          reads += 1;
          if (reads === 1) await lock();
          return read();
        });
        const row = await db.selectFrom('janua_people').select('changes').executeTakeFirst();
        assert.equal(Number(row?.changes), 2);
      });
    });

    test('has a stamp that its user loses with the name, and with a password that the team changes', async () => {
      await using opened = await open(engine);
      const { read, renewStamp, setName, setHash } = opened;
      const stamps = [stampOf(await read())];
      const changes = [renewStamp, renewStamp, () => setHash('another'), renewStamp, () => setName(eve)];
      for (const change of changes) {
        await change();
        stamps.push(stampOf(await read()));
      }
      assert.equal(new Set(stamps).size, changes.length + 1);
    });
  });
