import type { DeleteResult } from 'kysely';
import type { Database } from './database.ts';
import { sql } from './kysely.ts';
import type { Tables } from './schema.ts';

export async function countDeleted(deletion: { executeTakeFirst(): Promise<DeleteResult> }): Promise<number> {
  return Number((await deletion.executeTakeFirst()).numDeletedRows);
}

/** Deletes rows that expired before `time`, in milliseconds since 1970, and returns how many there were. */
export async function deleteExpiredRows(
  database: Database,
  table: keyof Tables,
  key: 'id' | 'key' | 'hash',
  time: number,
  limit: number,
): Promise<number> {
  const [from, name] = [sql.table(table), sql.ref(key)];
  const expired = sql<{ name: string }>`select ${name} as name from ${from} where expires_at < ${time} limit ${limit}`;
  const { rows } = await expired.execute(database);
  if (rows.length === 0) return 0;
  const names = sql.join(rows.map((row) => row.name));
  // Checks the time again: a session may have been used since, and another failure may have been counted.
  const deletion = sql`delete from ${from} where expires_at < ${time} and ${name} in (${names})`;
  return Number((await deletion.execute(database)).numAffectedRows);
}
