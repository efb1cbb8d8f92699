import { randomUUID } from 'node:crypto';
import { tableNames } from '../../../src/ground/database/copy-rows.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { rows as sampleRows, type Tables } from '../../../src/ground/database/schema.ts';
import { openTestDatabase } from './open.ts';
import { keyOf } from './sample-rows.ts';

/** Letters that engines sort, fold, pad or quote in different ways. Few columns have more than eight characters. */
const texts = ['é😀\'"\\%', 'E\u0301 ß', 'Z_', 'a\tb', 'A-', 'ñ\u00a0;'];

/** Fills every table with rows of uncommon values, and one with NULL wherever a column may have it. @param users further users */
export async function fillTables(url: string, users = 0): Promise<void> {
  await using opened = await openTestDatabase(url);
  const { database } = opened;
  const described = new Map((await database.introspection.getTables()).map((each) => [each.name, each.columns]));
  for (const table of tableNames) {
    if (table === 'janua_migrations') continue;
    const nullable = (described.get(table) ?? [])
      .filter(({ isNullable }) => isNullable)
      .map(({ name }) => name)
      .filter((name) => name !== keyOf(table));
    for (const [index, text] of texts.entries()) {
      const values = Object.entries(sampleRows[table]).map(([column, sample]) => [
        column,
        typeof sample === 'number' ? numberFor(column, index) : text,
      ]);
      const nulls = index === 0 ? nullable.map((column) => [column, null]) : [];
      await insertRow(database, table, Object.fromEntries([...values, ...nulls]));
    }
  }
  for (let user = 0; user < users; user += 1)
    await insertRow(database, 'janua_users', {
      ...sampleRows.janua_users,
      id: `${'aBéZ_'[user % 5]}${user}`,
      source_key: `${user}`,
      login_name: null,
    });
}

/** Adds users as in a large installation, each with an event of the audit. */
export async function fillUsers(url: string, users: number): Promise<void> {
  await using opened = await openTestDatabase(url);
  for (let first = 0; first < users; first += 5000)
    await opened.database.transaction().execute(async (db) => {
      const ids = Array.from({ length: 5000 }, () => randomUUID());
      const people = ids.map((id, index) => ({
        ...sampleRows.janua_users,
        ...{ id, username: `user${first + index}@example.com`, login_name: `user${first + index}@example.com` },
        ...{ source_key: null, password: `$argon2id$${'x'.repeat(90)}`, first_name: 'Ann', last_name: 'Archer' },
      }));
      await insertAll(db, 'janua_users', people as never[]);
      const events = ids.map((id) => ({
        ...sampleRows.janua_audit,
        id,
        event: JSON.stringify({ text: 'x'.repeat(200) }),
      }));
      await insertAll(db, 'janua_audit', events as never[]);
    });
}

/** `kind` is a small integer, and only times are large ones. */
const numberFor = (column: string, index: number) =>
  column === 'kind' ? index : /_at$|^at$/.test(column) ? Number.MAX_SAFE_INTEGER - index : index;

async function insertRow(database: Database, table: keyof Tables, values: Record<string, unknown>): Promise<void> {
  const row = Object.entries(values);
  await sql`insert into ${sql.table(table)} (${sql.join(row.map(([column]) => sql.ref(column)))})
    values (${sql.join(row.map(([, value]) => value))})`.execute(database);
}

/** All rows of all tables as text, in an order that is the same for every engine. */
export async function dumpTables(url: string): Promise<string[]> {
  await using opened = await openTestDatabase(url);
  const lines: string[] = [];
  for (const table of tableNames) {
    const { rows } = await sql<Record<string, unknown>>`select * from ${sql.table(table)}`.execute(opened.database);
    for (const row of rows) {
      const values = Object.keys(sampleRows[table]).map((column) => [
        column,
        row[column] === null ? null : `${row[column]}`,
      ]);
      lines.push(`${table} ${row[keyOf(table)]} ${JSON.stringify(values)}`);
    }
  }
  return lines.filter((line) => !line.startsWith('janua_migrations ')).sort();
}
