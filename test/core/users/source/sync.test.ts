import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { adopt } from '../../../../src/core/users/source/adoption.ts';
import { createSync } from '../../../../src/core/users/source/sync.ts';
import { createUserSync } from '../../../../src/core/users/source/user-sync.ts';
import type { Settings } from '../../../../src/ground/config/settings.ts';
import type { Database } from '../../../../src/ground/database/database.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';
import { openTestDatabase } from '../../../ground/database/open.ts';
import { ann, password, startJanua } from '../../../janua.ts';
import { missing } from '../../../servers/missing.ts';
import type { StoreChoice } from '../../../stores.ts';

const unknown = 'nobody has this';
const recordLeft = async () => {};

async function open(stores: StoreChoice, settings: Partial<Settings> = {}) {
  const janua = await startJanua({ stores, settings });
  const { services } = janua;
  const { userSync } = services;
  assert.ok(userSync);
  const direct = await openTestDatabase(janua.databaseUrl);
  const { database } = direct;
  const execute = (statement: ReturnType<typeof sql>) => statement.execute(database);
  /** Adds rows that Janua has not seen, with numbers from `first` on. */
  async function addRows(first: number, count: number): Promise<void> {
    for (let start = first; start < first + count; start += 100) {
      const rows = Array.from({ length: Math.min(100, first + count - start) }, (_, index) => start + index);
      const values = rows.map((no) => sql`(${no}, ${`user-${no}@example.com`}, ${unknown}, ${`First-${no}`}, 'Last')`);
      await execute(sql`insert into people (no, email, secret, first, last) values ${sql.join(values)}`);
    }
  }
  return {
    ...janua,
    ...{ database, execute, addRows },
    run: (how?: Parameters<typeof userSync.run>[0]) => userSync.run(how),
    tryLogin: (username: string) => janua.post('/api/login', { username, password }),
    async stored(kind: string) {
      const rows = await database.selectFrom('janua_audit').select('event').where('kind', '=', kind).execute();
      return rows.map(({ event }): { readonly about?: string; readonly reason?: string; readonly userId?: string } =>
        JSON.parse(event),
      );
    },
    accounts: () =>
      database
        .selectFrom('janua_users')
        .selectAll()
        .where('source_key', 'is not', null)
        .orderBy('created_at')
        .execute(),
    async [Symbol.asyncDispose]() {
      await direct[Symbol.asyncDispose]();
      await janua[Symbol.asyncDispose]();
    },
  };
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL', ownTable: true },
  { users: 'PostgreSQL', sessions: 'Redis', ownTable: true },
  { users: 'MariaDB', sessions: 'SQL', ownTable: true },
] as const satisfies StoreChoice[])
  describe(`a sync with a team's own table in ${stores.users}, sessions in ${stores.sessions}`, {
    skip: missing(stores.users, stores.sessions),
  }, () => {
    test('adds those who have never signed in, in parts, and lists find them', async () => {
      await using opened = await open(stores);
      const { addRows, run, services, accounts, stored } = opened;
      await addRows(1000, 1203);
      assert.deepEqual(await run(), { added: 1204, changed: 0, left: 0 });
      assert.deepEqual(await run(), { added: 0, changed: 0, left: 0 });
      const rows = await accounts();
      assert.equal(new Set(rows.map(({ source_key }) => source_key)).size, 1204);
      for (const word of ['user-2001@', 'first-2001'])
        assert.equal((await services.users.findIds('prefix', word, 10))?.length, 1, word);
      assert.deepEqual(
        (await stored('users-synced')).map(({ about }) => about),
        ['added 1204, changed 0, left 0'],
      );
    });

    test('gives others a turn after each part, or a command would lose its lease, and a server hold up requests', async () => {
      await using opened = await open(stores);
      await opened.addRows(1000, 700);
      let turns = 0;
      let isDone = false;
      const counting = (async () => {
        for (; !isDone; turns += 1) await setImmediate();
      })();
      await opened.run();
      isDone = true;
      await counting;
      assert.ok(turns > 30, `${turns} turns`);
    });

    test('notes new names and states, and ends what a new password and a disabled user end', async () => {
      await using opened = await open(stores);
      const { services, run, tryLogin, execute, database, stored } = opened;
      await opened.people.add({ ...ann, username: 'bob@example.com', password });
      await run();
      const [first, second] = [await tryLogin(ann.username), await tryLogin('bob@example.com')];
      const bearer = { authorization: `Bearer ${first.json().access_token}` };
      const other = { authorization: `Bearer ${second.json().access_token}` };
      await opened.post('/api/account/tokens', { name: 'report', expires_in_days: 30 }, other);
      await execute(sql`update people set first = 'Renamed' where email = ${ann.username}`);
      await opened.people.disable(ann.username);
      await opened.people.setPassword('bob@example.com', 'another password of Bob');
      assert.deepEqual(await run(), { added: 0, changed: 2, left: 0 });
      assert.deepEqual(await run(), { added: 0, changed: 0, left: 0 });
      const [found] = (await services.users.findIds('prefix', 'renamed', 10)) ?? [];
      const { user, disabled } = (await services.users.findById(found ?? '')) ?? assert.fail();
      assert.deepEqual([user.username, user.firstName, disabled], [ann.username, 'Renamed', true]);
      await opened.people.enable(ann.username);
      await run();
      assert.equal(await opened.isSignedIn(bearer), false, 'the session from before stays ended');
      assert.deepEqual(await database.selectFrom('janua_access_tokens').selectAll().execute(), []);
      for (const kind of ['password-changed-elsewhere', 'user-disabled-elsewhere'])
        assert.equal((await stored(kind)).length, 1, kind);
    });

    test('ends the accounts of those who left, but not of more than a twentieth unless it is told to', async () => {
      await using opened = await open(stores);
      const { addRows, run, execute, accounts } = opened;
      await addRows(1000, 99);
      await run();
      await execute(sql`delete from people where no in (1000, 1001, 1002)`);
      assert.deepEqual(await run(), { added: 0, changed: 0, left: 3 });
      await execute(sql`delete from people where no < 1020 and no >= 1000`);
      assert.deepEqual(await run(), { added: 0, changed: 0, left: 0, tooMany: 17 });
      assert.equal((await accounts()).length, 97);
      assert.deepEqual(await run({ force: true }), { added: 0, changed: 0, left: 17 });
      assert.equal((await accounts()).length, 80);
      const left = await opened.stored('user-left');
      assert.deepEqual([left.length, new Set(left.map(({ reason }) => reason))], [20, new Set(['gone'])]);
    });

    test('ends no account by new names of more than a twentieth, unless it is told to', async () => {
      await using opened = await open(stores);
      const { addRows, run, execute, accounts } = opened;
      await addRows(1000, 99);
      await run();
      const ids = (await accounts()).map(({ id }) => id).toSorted();
      await execute(sql`update people set email = replace(email, '@example.com', '@example.org')`);
      assert.deepEqual(await run(), { added: 0, changed: 0, left: 0, tooMany: 100 });
      assert.deepEqual((await accounts()).map(({ id }) => id).toSorted(), ids);
      assert.deepEqual(await run({ force: true }), { added: 0, changed: 0, left: 100 });
      const rows = await accounts();
      assert.equal(rows.length, 100);
      assert.ok(rows.every(({ id, username }) => !ids.includes(id) && username.endsWith('@example.org')));
      const left = await opened.stored('user-left');
      assert.deepEqual(left.map(({ userId = '' }) => userId).toSorted(), ids);
      assert.ok(left.every(({ reason }) => reason === 'renamed'));
    });

    test('ends no account whose row is back once it would', async () => {
      await using opened = await open(stores);
      const { services, database, addRows, run, execute, accounts } = opened;
      await addRows(1000, 300);
      await run();
      const { source } = services;
      assert.ok(source);
      await execute(sql`create table kept as select * from people where no < 1010 and no >= 1000`);
      await execute(sql`delete from people where no < 1010 and no >= 1000`);
      let isBack = false;
      const reloaded: typeof source = {
        ...source,
        async findKeys(...asked) {
          const found = await source.findKeys(...asked);
          if (!isBack) await execute(sql`insert into people select * from kept`);
          isBack = true;
          return found;
        },
      };
      const sync = createSync({ database, source: reloaded, now: Date.now, recordLeft, end: () => assert.fail() });
      assert.deepEqual(await sync(), { added: 0, changed: 0, left: 0 });
      assert.equal((await accounts()).length, 301);
    });

    test('ends no account of a small table that was emptied meanwhile', async () => {
      await using opened = await open(stores);
      const { services, database, addRows, run, execute, accounts } = opened;
      await addRows(1000, 2);
      await run();
      const { source } = services;
      assert.ok(source);
      const emptied: typeof source = {
        ...source,
        async findKeys(...asked) {
          if ((await source.count(1)) > 0) await execute(sql`delete from people`);
          return source.findKeys(...asked);
        },
      };
      const sync = createSync({ database, source: emptied, now: Date.now, recordLeft, end: () => assert.fail() });
      assert.deepEqual(await sync(), { added: 0, changed: 0, left: 0, tooMany: 3 });
      assert.equal((await accounts()).length, 3);
    });

    test('that was cut off does not count as done', async () => {
      await using opened = await open(stores);
      const { database, addRows, run, services } = opened;
      await addRows(1000, 1500);
      const times = () =>
        database.selectFrom('janua_times').select('name').where('name', 'like', 'users-sync%').execute();
      assert.ok(services.source);
      const sync = createSync({ database, source: services.source, now: Date.now, recordLeft, end: async () => {} });
      const cutOff = createUserSync({
        ...{ database, now: Date.now, intervalHours: 0, caller: { route: 'janua users sync' } },
        ...{ audit: services.audit, log: { warn: () => assert.fail(), error: () => assert.fail() } },
        sync: () => sync({ mayGoOn: () => false }),
        move: () => assert.fail(),
      });
      assert.equal((await cutOff.run()).isCutOff, true);
      assert.deepEqual(await times(), []);
      await run();
      assert.equal((await times()).length, 2);
    });

    test('ends no further account once another process may sync', async () => {
      await using opened = await open(stores);
      const { services, database, addRows, run, execute, accounts } = opened;
      await addRows(1000, 99);
      await run();
      await execute(sql`delete from people where no in (1000, 1001, 1002)`);
      const { source } = services;
      assert.ok(source);
      let isHeld = true;
      const sync = createSync({
        ...{ database, source, now: Date.now, end: () => assert.fail() },
        async recordLeft() {
          isHeld = false;
        },
      });
      assert.deepEqual(await sync({ mayGoOn: () => isHeld }), { added: 0, changed: 0, left: 1, isCutOff: true });
      assert.equal((await accounts()).length, 99);
    });

    test('goes on although a name is too long, or has several spellings, whose user cannot sign in', async () => {
      await using opened = await open(stores);
      const { run, execute, tryLogin, accounts } = opened;
      const { username } = ann;
      assert.equal((await tryLogin(username)).statusCode, 200);
      for (const [no, name] of [
        [1000, `${'x'.repeat(200)}@${'y'.repeat(60)}.com`],
        [1001, ` ${username}`],
        [1002, 'cafe\u0301@example.com'],
        [1003, '\u212aim@example.com'],
      ] as const) {
        const add = sql`insert into people (no, email, secret, first, last) values (${no}, ${name}, ${unknown}, 'A', 'B')`;
        // A column may be too short, or its index may know that two names are one.
        await execute(add).catch(() => {});
      }
      await opened.people.add({ ...ann, username: 'bob@example.com', password });
      await run();
      assert.deepEqual(
        (await accounts()).map((row) => row.username),
        [username, 'bob@example.com'],
      );
      for (const name of [username, 'bob@example.com']) assert.equal((await tryLogin(name)).statusCode, 200, name);
    });

    test('sees that a user is disabled for a second time', async () => {
      await using opened = await open(stores);
      const { run, tryLogin } = opened;
      for (let turn = 0; turn < 2; turn += 1) {
        const answer = await tryLogin(ann.username);
        assert.equal(answer.statusCode, 200, answer.body);
        const bearer = { authorization: `Bearer ${answer.json().access_token}` };
        await opened.people.disable(ann.username);
        await run();
        await opened.people.enable(ann.username);
        assert.equal(await opened.isSignedIn(bearer), false, `the session of turn ${turn}`);
      }
    });

    test('stores a row as it is by then, and not as it was read', async () => {
      await using opened = await open(stores, { USERS_ID: 'permanent' });
      const { services, execute, run, tryLogin, database, accounts } = opened;
      const { source } = services;
      assert.ok(source);
      await tryLogin(ann.username);
      const stored = async () => (await accounts()).map((row) => [row.username, row.first_name, row.disabled]);
      const syncStale = async (readPage: typeof source.readPage) =>
        await createSync({
          database,
          source: { ...source, readPage },
          now: Date.now,
          recordLeft,
          end: async () => {},
        })();
      await opened.people.disable(ann.username);
      const disabled = await source.readPage(undefined, 10);
      await opened.people.enable(ann.username);
      await syncStale(async () => disabled);
      assert.deepEqual(await stored(), [[ann.username, ann.firstName, 0]]);
      const former = await source.readPage(undefined, 10);
      await execute(sql`update people set email = 'eve@example.com', first = 'Eve'`);
      assert.equal((await tryLogin('eve@example.com')).statusCode, 200);
      await syncStale(async () => former);
      assert.equal((await stored())[0]?.[0], 'eve@example.com');
      await run();
      assert.deepEqual(await stored(), [['eve@example.com', 'Eve', 0]]);
    });

    test('ends what a user had who was disabled after the row was read', async () => {
      await using opened = await open(stores);
      const { services, execute, run, tryLogin, database } = opened;
      const { source } = services;
      assert.ok(source);
      const bearer = { authorization: `Bearer ${(await tryLogin(ann.username)).json().access_token}` };
      await execute(sql`update people set first = 'Anna'`);
      const read = await source.readPage(undefined, 10);
      await opened.people.disable(ann.username);
      const stale = { ...source, readPage: async () => read };
      await createSync({ database, source: stale, now: Date.now, recordLeft, end: async () => {} })();
      await run();
      assert.equal((await opened.stored('user-disabled-elsewhere')).length, 1);
      await opened.people.enable(ann.username);
      assert.equal(await opened.isSignedIn(bearer), false);
    });

    test('ends what a password opened that comes back later', async () => {
      await using opened = await open(stores);
      const { run, tryLogin, execute } = opened;
      await tryLogin(ann.username);
      const bearer = { authorization: `Bearer ${(await tryLogin(ann.username)).json().access_token}` };
      await execute(sql`create table former as select secret from people where email = ${ann.username}`);
      await execute(sql`update people set secret = '!' where email = ${ann.username}`);
      await run();
      await execute(sql`update people set secret = (select secret from former) where email = ${ann.username}`);
      assert.equal(await opened.isSignedIn(bearer), false);
      assert.equal((await tryLogin(ann.username)).statusCode, 200);
    });

    test('goes on beside logins, removals and other syncs', async () => {
      await using opened = await open(stores);
      const { addRows, run, execute, tryLogin, accounts } = opened;
      await addRows(1000, 700);
      for (let no = 0; no < 5; no += 1) await opened.people.add({ ...ann, username: `p${no}@example.com`, password });
      const changes = (async () => {
        for (let no = 1000; no < 1040; no += 1) await execute(sql`delete from people where no = ${no}`);
      })();
      const logins = Promise.all(Array.from({ length: 10 }, (_, index) => tryLogin(`p${index % 5}@example.com`)));
      const syncs = await Promise.allSettled([run(), run()]);
      const refused = syncs.flatMap((sync) => (sync.status === 'rejected' ? [sync.reason] : []));
      assert.deepEqual(refused.map(String), [
        'ChangeRefused: Another process syncs with USERS_TABLE now. Run the command again when it is done.',
      ]);
      await changes;
      const answers = await logins;
      await run({ force: true });
      const rows = await accounts();
      assert.equal(new Set(rows.map(({ source_key }) => source_key)).size, rows.length);
      assert.equal(rows.length, 666);
      for (const answer of answers) {
        assert.equal(answer.statusCode, 200, answer.body);
        assert.ok(await opened.isSignedIn({ authorization: `Bearer ${answer.json().access_token}` }));
      }
    });

    test('keeps the account of a person who has the id by now, if it read the row before', async () => {
      await using opened = await open(stores);
      const { services, execute, tryLogin, accounts, database } = opened;
      const { source } = services;
      assert.ok(source);
      const { people } = await source.readPage(undefined, 10);
      const [before] = people;
      assert.ok(before);
      await execute(sql`update people set email = 'eve@example.com' where email = ${ann.username}`);
      assert.equal((await tryLogin('eve@example.com')).statusCode, 200);
      assert.equal(await adopt(before, { database, source, now: Date.now, recordLeft }), undefined);
      assert.deepEqual(
        (await accounts()).map(({ username, left_at }) => [username, left_at]),
        [['eve@example.com', null]],
      );
    });
  });

/** Ends the connections of all others to this database. */
const endConnections = {
  async PostgreSQL(database: Database) {
    await sql`select pg_terminate_backend(pid) from pg_stat_activity
      where pid <> pg_backend_pid() and datname = current_database()`.execute(database);
  },
  async MariaDB(database: Database) {
    const { rows } = await sql<{ id: number }>`select id from information_schema.processlist
      where db = database() and id <> connection_id()`.execute(database);
    // A connection may have ended by itself meanwhile.
    for (const { id } of rows) await sql`kill ${sql.lit(Number(id))}`.execute(database).catch(() => {});
  },
};

/** What a team's program may do for a change of its table. */
const locks = {
  PostgreSQL: { lock: sql`begin; lock table people in access exclusive mode`, unlock: sql`rollback` },
  MariaDB: { lock: sql`lock tables people write`, unlock: sql`unlock tables` },
};

for (const users of ['PostgreSQL', 'MariaDB'] as const)
  describe(`a sync while the team's program works in ${users}`, { skip: missing(users) }, () => {
    const stores = { users, sessions: 'SQL', ownTable: true } as const;

    test('ends no account whose row is removed in a transaction that is rolled back', async () => {
      await using opened = await open(stores);
      const { run, tryLogin, accounts } = opened;
      // Janua hashes the password anew, and so has no reason to write the row again.
      assert.equal((await tryLogin(ann.username)).statusCode, 200);
      await using team = await openTestDatabase(opened.databaseUrl);
      const rolledBack = new Error('rolled back');
      const removal = team.database.transaction().execute(async (transaction) => {
        await sql`delete from people where email = ${ann.username}`.execute(transaction);
        assert.deepEqual(await run({ force: true }), { added: 0, changed: 0, left: 0 });
        assert.equal((await tryLogin(ann.username)).statusCode, 200);
        throw rolledBack;
      });
      await assert.rejects(removal, rolledBack);
      assert.equal((await accounts()).length, 1);
    });

    test('adopts a person whom another process adopts at the same time, and leaves the account', async () => {
      await using opened = await open(stores);
      const { services, database, accounts } = opened;
      const { source } = services;
      assert.ok(source);
      const [person] = (await source.readPage(undefined, 1)).people;
      assert.ok(person);
      const earlier: (string | undefined)[] = [];
      const overtaken: typeof source = {
        ...source,
        async findAll(...asked) {
          if (earlier.length === 0) earlier.push(await adopt(person, { database, source, now: Date.now, recordLeft }));
          return source.findAll(...asked);
        },
      };
      const id = await adopt(person, { database, source: overtaken, now: Date.now, recordLeft });
      assert.deepEqual(
        (await accounts()).map((row) => row.id),
        [id],
      );
      assert.deepEqual(earlier, [id]);
    });

    test('waits for a table that the program has locked no longer than the store may take, and ends nothing', async () => {
      await using opened = await open(stores, { STORE_TIMEOUT_SECONDS: 1 });
      const { run, tryLogin, accounts } = opened;
      const bearer = { authorization: `Bearer ${(await tryLogin(ann.username)).json().access_token}` };
      await using team = await openTestDatabase(opened.databaseUrl, undefined, 1);
      const { lock, unlock } = locks[users];
      await lock.execute(team.database);
      assert.equal((await tryLogin(ann.username)).statusCode, 503);
      assert.equal((await opened.get('/api/me', bearer)).statusCode, 503);
      await assert.rejects(run({ force: true }), Unavailable);
      await unlock.execute(team.database);
      assert.deepEqual(await run({ force: true }), { added: 0, changed: 0, left: 0 });
      assert.equal((await accounts()).length, 1);
      assert.ok(await opened.isSignedIn(bearer));
    });

    test('goes on, or does the rest the next time, if all connections are ended in the middle', async () => {
      await using opened = await open(stores);
      const { addRows, run, accounts } = opened;
      await addRows(1000, 1500);
      await using team = await openTestDatabase(opened.databaseUrl, undefined, 1);
      let failures = 0;
      for (let turn = 0; turn < 3; turn += 1) {
        const synced = run().catch((error: unknown) => {
          assert.ok(error instanceof Unavailable, String(error));
          failures += 1;
        });
        await endConnections[users](team.database);
        await synced;
        // As once it has run out, for a connection that ended cannot give it back.
        await team.database
          .updateTable('janua_leases')
          .set({ expires_at: 0 })
          .where('name', '=', 'users-sync')
          .execute();
      }
      assert.ok(failures > 0, 'a sync was cut off');
      await run();
      const rows = await accounts();
      assert.equal(rows.length, 1501);
      assert.equal(new Set(rows.map(({ source_key }) => source_key)).size, 1501);
    });
  });
