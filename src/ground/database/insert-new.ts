import type { Insertable } from 'kysely';
import type { Database } from './database.ts';
import { isDuplicate } from './errors.ts';
import type { Tables } from './schema.ts';

/** The most rows in one statement. SQLite allows 32,766 parameters, and each of our tables has fewer than 60 columns. */
const rowsAtOnce = 500;

/** Inserts any number of rows. */
export async function insertAll<Table extends keyof Tables>(
  database: Database,
  table: Table,
  rows: readonly Insertable<Tables[Table]>[],
): Promise<void> {
  for (let start = 0; start < rows.length; start += rowsAtOnce) {
    await database
      .insertInto(table)
      .values(rows.slice(start, start + rowsAtOnce))
      .execute();
  }
}

/** Inserts a row unless its key exists already. Returns whether it was inserted. */
export async function insertNew(insert: { execute(): Promise<unknown> }): Promise<boolean> {
  try {
    await insert.execute();
    return true;
  } catch (error) {
    if (isDuplicate(error)) return false;
    throw error;
  }
}
