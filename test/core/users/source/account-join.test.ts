import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRedisLookUp, createSqlLookUp } from '../../../../src/core/access/look-up.ts';
import { createSqlSessionStore } from '../../../../src/core/sessions/sql-store.ts';
import { prepareUnlessEnded } from '../../../../src/core/users/account-join.ts';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { insertSample } from '../../../ground/database/sample-rows.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';
import { createRecord } from '../../sessions/store-contract.ts';
import { openPeople } from '../directories.ts';

const expiresAt = Date.now() + 3_600_000;
const uuid = (digit: number) => `${String(digit).repeat(8)}-1111-4111-8111-111111111111`;

/** Types of keys, and the ids of two users. */
const keys: Readonly<Record<UserEngine, Readonly<Record<string, readonly [string, string]>>>> = {
  SQLite: {
    'integer primary key': ['7', '8'],
    'text primary key': ['P-1', 'p-1'],
    'text collate nocase primary key': ['P-1', 'P-2'],
    'uuid primary key': [uuid(1), uuid(2)],
  },
  PostgreSQL: {
    'integer primary key': ['7', '8'],
    'bigint primary key': ['9223372036854775807', '-9223372036854775808'],
    'text primary key': ['P-1', 'p-1'],
    'varchar(20) collate "C" primary key': ['P-1', 'p-1'],
    'char(10) primary key': ['P-1', 'p-1'],
    'uuid primary key': [uuid(1), uuid(2)],
    'citext primary key': ['P-1', 'P-2'],
  },
  MariaDB: {
    'int primary key': ['7', '8'],
    'bigint unsigned primary key': ['18446744073709551615', '8'],
    'varchar(20) primary key': ['P-1', 'P-2'],
    'varchar(20) character set latin1 collate latin1_german1_ci primary key': ['P-é', 'P-2'],
    'char(10) character set utf8mb4 collate utf8mb4_bin primary key': ['P-1', 'p-1'],
    'uuid primary key': [uuid(1), uuid(2)],
  },
};

/** What no user has as an id, or the key cannot hold. */
const strangers = [
  '',
  '0',
  '7 ',
  ' 7',
  '7abc',
  '07',
  'P-1 ',
  'p-2',
  'garbage',
  '9'.repeat(19),
  '9'.repeat(30),
  '1e0',
  '?',
  'П-1',
  '😀',
  uuid(3),
  `${uuid(1)}x`,
  uuid(1).replaceAll('-', ''),
  "' or 1=1 --",
];

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  for (const [type, ids] of Object.entries(keys[engine]))
    describe(`in ${engine}, a session and its user in a table of a team with ${type}`, {
      skip: missing(engine),
    }, () => {
      async function open() {
        const opened = await openMigrated(engine);
        const { database } = opened;
        if (type.startsWith('citext')) await sql`create extension citext`.execute(database);
        const email = engine === 'SQLite' ? 'text collate nocase unique' : 'varchar(100) unique';
        await sql.raw(`create table people (no ${type}, email ${email}, secret varchar(255))`).execute(database);
        if (engine === 'PostgreSQL') await sql.raw('create unique index on people (lower(email))').execute(database);
        for (const [index, id] of ids.entries())
          await sql.raw(`insert into people values ('${id}', 'user${index}@example.com', 'hash')`).execute(database);
        const mapping = parseMapping('people', 'id=no,username=email,password=secret');
        assert.ok(mapping);
        const { users } = await openPeople(opened, mapping);
        const accounts = await Promise.all(ids.map((_, index) => users.adoptByUsername(`user${index}@example.com`)));
        const accountIds = accounts.map((account) => account?.user.id ?? '');
        /** An account with this key, as a restored backup may have it. */
        async function addKey(key: string) {
          const id = `account of ${key}`;
          await insertSample(database, 'janua_users', { id, source_key: key, login_name: id });
          return id;
        }
        const sessions = createSqlSessionStore(opened);
        async function add(userId: string) {
          const record = createRecord({ userId, expiresAt });
          await sessions.insert(record, []);
          return record.id;
        }
        return {
          ...{ database, users, add, addKey, accountIds },
          lookUp: createSqlLookUp(opened, users.accounts),
          lookUpInTurn: createRedisLookUp(sessions, ({ userId }) => users.findById(userId)),
          lookUpAsInRedis: createRedisLookUp(sessions, prepareUnlessEnded(opened, users.accounts)),
          [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
        };
      }

      test('are found by one statement as by two', async () => {
        await using opened = await open();
        const { lookUp, lookUpAsInRedis, lookUpInTurn: expected, add, accountIds } = opened;
        for (const [index, key] of ids.entries()) {
          const session = await add(accountIds[index] ?? '');
          const found = await lookUp(session);
          assert.equal(found?.account?.user.sourceKey?.trimEnd(), key);
          assert.deepEqual(found, await expected(session));
          assert.deepEqual(await lookUpAsInRedis(session), found);
        }
      });

      test('are no reason to fail if no user has the id, or the key cannot hold it', async () => {
        await using opened = await open();
        const { lookUp, add, addKey, accountIds } = opened;
        const sessions: (readonly [string, string])[] = [];
        // MariaDB takes a key with a blank at its end for the one without, so there is no account for it.
        const distinct = strangers.filter(
          (one) => !ids.includes(one) && (engine !== 'MariaDB' || one === one.trimEnd()),
        );
        for (const key of distinct) sessions.push([key, await add(await addKey(key))] as const);
        for (const [key, session] of sessions) {
          const found = await lookUp(session);
          // Too large for the type of the key. Such a session is not found at all.
          assert.ok(found !== undefined || key === '9'.repeat(19), key);
          assert.equal(found?.account, undefined, key);
        }
        const session = await add(accountIds[0] ?? '');
        assert.ok((await lookUp(session))?.account, 'the others do no harm');
      });

      test('are read by the indexes of their keys', async () => {
        await using opened = await open();
        const { database, users, add, addKey, accountIds } = opened;
        // With one session, MariaDB would know its user id before it plans.
        const sessions = await Promise.all(accountIds.map(add));
        // Of one row, MariaDB would read the whole table.
        for (let index = 0; index < 30; index += 1) await addKey(`another ${index}`);
        const userId = sql.ref('janua_sessions.user_id');
        const { accounts } = users;
        const { rows } = await database.connection().execute(async (db) => {
          // With few rows, PostgreSQL would rather read them all.
          if (engine === 'PostgreSQL') await sql`set enable_seqscan = off`.execute(db);
          const explain = sql.raw(engine === 'SQLite' ? 'explain query plan' : 'explain');
          return sql<Record<string, unknown>>`${explain}
            select janua_sessions.id, ${accounts.columns} from janua_sessions ${accounts.join(userId)}
            where janua_sessions.id in (${sql.join(sessions)})`.execute(db);
        });
        // PostgreSQL says in the next line what it looks for.
        const plan = rows.map((row) => String(row.detail ?? row['QUERY PLAN'] ?? JSON.stringify(row))).join('\n');
        for (const [table, key] of [
          ['people', 'no'],
          ['janua_users', 'id'],
        ] as const) {
          const ways = {
            SQLite: `SEARCH ${table} USING .*\\((${key}|rowid)=\\?\\)`,
            PostgreSQL: ` on ${table} .*\\n +Index Cond: \\(\\(?${key}\\)?(::\\w+)? = `,
            MariaDB: `"table":"${table}","type":"(eq_ref|ref)"`,
          };
          assert.match(plan, new RegExp(ways[engine]));
        }
      });
    });
