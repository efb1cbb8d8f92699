import { hash } from 'node:crypto';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database } from './database.ts';
import { insertAll } from './insert-new.ts';
import { sql } from './kysely.ts';
import { rows as sampleRows, type Tables } from './schema.ts';

type TableName = keyof Tables;

type AnyRow = Readonly<Record<string, unknown>>;

/** Few, because MariaDB takes statements of at most 16 MB by default. A text may have 64 KB, and a picture 350 KB. */
const rowsAtOnce = (table: TableName): number => (table === 'janua_pictures' ? 20 : 200);

export const tableNames = Object.keys(sampleRows) as TableName[];

/** Reads all rows of a table, a page at a time, in the order of its primary key. The order differs between engines. */
async function* readRows(database: Database, table: TableName): AsyncGenerator<readonly AnyRow[]> {
  const columns = Object.keys(sampleRows[table]);
  const [key = ''] = columns;
  const most = rowsAtOnce(table);
  const select = sql`select ${sql.join(columns.map((column) => sql.ref(column)))} from ${sql.table(table)}`;
  let where = sql``;
  for (;;) {
    const page = sql<AnyRow>`${select} ${where} order by ${sql.ref(key)} limit ${most}`;
    const { rows } = await page.execute(database);
    yield rows;
    if (rows.length < most) return;
    where = sql`where ${sql.ref(key)} > ${rows.at(-1)?.[key]}`;
  }
}

/** 256 bits, the size of SHA-256. */
const digestSize = 2n ** 256n;

/**
 * Counts rows, and digests their values. The digest is the sum of the rows' hashes, because two engines may read the same rows in another
 * order. PostgreSQL's client returns a large integer as text, so numbers are compared as text.
 */
function createDigest() {
  let count = 0;
  let sum = 0n;
  return {
    add(rows: readonly AnyRow[]): void {
      for (const row of rows) {
        const values = Object.values(row).map((value) => (value === null ? null : String(value)));
        sum = (sum + BigInt(`0x${hash('sha256', JSON.stringify(values))}`)) % digestSize;
      }
      count += rows.length;
    },
    result: () => ({ count, sum }),
  };
}

/**
 * Copies the rows of a table into the same table of another database, and reads them there again.
 * @returns the number of rows
 * @throws {Misconfiguration} if the other database refuses a row, or has stored another value
 */
export async function copyRows(from: Database, to: Database, table: TableName): Promise<number> {
  const [read, stored] = [createDigest(), createDigest()];
  for await (const rows of readRows(from, table)) {
    read.add(rows);
    await changing(table, () => insertAll(to, table, rows as never[]));
  }
  for await (const rows of readRows(to, table)) stored.add(rows);
  const [wanted, found] = [read.result(), stored.result()];
  if (wanted.count !== found.count || wanted.sum !== found.sum)
    throw new Misconfiguration(
      `The other database has stored the rows of ${table} with other values: ${found.count} of ${wanted.count} rows. Nothing was moved.`,
    );
  return wanted.count;
}

/** @throws {Misconfiguration} if the other database refuses a change of a table */
export async function changing<Result>(table: TableName, change: () => Promise<Result>): Promise<Result> {
  try {
    return await change();
  } catch (error) {
    if (error instanceof Unavailable || !(error instanceof Error)) throw error;
    throw new Misconfiguration(
      `The other database refuses the rows of ${table} (${error.message}). Nothing was moved.`,
    );
  }
}
