import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { createSync } from '../../../../src/core/users/source/sync.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { openMigrated } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';
import { openPeople } from '../directories.ts';

/** Several parts. */
const count = 1_203;

const padded = (number: number, length: number) => String(number).padStart(length, '0');
const numbers = (number: number) => String(number - 600);
const uuids = (number: number) => `${padded(number * 7919, 8)}-1111-4111-8111-${padded(number, 12)}`;
const mixedCase = (number: number) => `${number % 2 === 0 ? 'P' : 'p'}-${number}`;
/** Neighbours that are one number for a program that counts in floating point. */
const large = (first: bigint) => (number: number) => String(first - BigInt(number));

/** Types of keys, and the key of each row. */
const keys: Readonly<Record<UserEngine, Readonly<Record<string, (number: number) => string>>>> = {
  SQLite: {
    'integer primary key': numbers,
    'bigint primary key': large(9_223_372_036_854_775_807n),
    'text primary key': mixedCase,
    'text collate nocase primary key': mixedCase,
  },
  PostgreSQL: {
    'bigint primary key': large(9_223_372_036_854_775_807n),
    'uuid primary key': uuids,
    'text primary key': mixedCase,
    'citext primary key': mixedCase,
  },
  MariaDB: {
    'int primary key': numbers,
    'bigint unsigned primary key': large(18_446_744_073_709_551_615n),
    'uuid primary key': uuids,
    'varchar(20) primary key': mixedCase,
    'varchar(21) primary key': (number) => `\t${number}`,
    'varchar(20) character set latin1 collate latin1_german1_ci primary key': (number) => `é-${number}`,
  },
};

const recordLeft = async () => {};

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`a sync in ${engine}`, { skip: missing(engine) }, () => {
    for (const [type, keyOf] of Object.entries(keys[engine]))
      test(`reads every row of a table with ${type}, and finds those that have left`, async () => {
        await using opened = await openMigrated(engine);
        const { database } = opened;
        if (type.startsWith('citext')) await sql`create extension citext`.execute(database);
        const email = engine === 'SQLite' ? 'text collate nocase unique' : 'varchar(100) unique';
        await sql.raw(`create table people (no ${type}, email ${email}, secret varchar(255))`).execute(database);
        if (engine === 'PostgreSQL') await sql.raw('create unique index on people (lower(email))').execute(database);
        for (let first = 0; first < count; first += 100) {
          const rows = Array.from({ length: Math.min(100, count - first) }, (_, index) => first + index);
          const values = rows.map((number) => `('${keyOf(number)}', 'user${number}@example.com', 'hash')`);
          await sql.raw(`insert into people values ${values.join(', ')}`).execute(database);
        }
        const mapping = parseMapping('people', 'id=no,username=email,password=secret');
        assert.ok(mapping);
        const { source } = await openPeople(opened, mapping);
        const sync = createSync({ database, source, now: Date.now, recordLeft, end: () => assert.fail() });
        assert.deepEqual(await sync(), { added: count, changed: 0, left: 0 });
        assert.deepEqual(await sync(), { added: 0, changed: 0, left: 0 });
        const gone = [1, 600, 1_202].map(keyOf);
        await sql.raw(`delete from people where no in (${gone.map((key) => `'${key}'`).join(', ')})`).execute(database);
        assert.deepEqual(await sync(), { added: 0, changed: 0, left: 3 });
        const rows = await database
          .selectFrom('janua_users')
          .select('username')
          .where('left_at', 'is not', null)
          .execute();
        assert.deepEqual(
          rows.map(({ username }) => username).toSorted(),
          [1, 600, 1_202].map((number) => `user${number}@example.com`).toSorted(),
        );
      });
  });
