import type { DeleteResult } from 'kysely';
import type { Database } from './database.ts';
import { sql } from './kysely.ts';
import { runPart } from './long-work.ts';
import { type ExpiringTable, tables } from './tables.ts';

const removalBatch = 200;

export async function countDeleted(deletion: { executeTakeFirst(): Promise<DeleteResult> }): Promise<number> {
  return Number((await deletion.executeTakeFirst()).numDeletedRows);
}

/**
 * Removes rows in batches, and returns how many there were. Each batch waits for its turn (`runPart`).
 * @param remove removes at most `limit` rows, and returns how many there were
 */
export async function removeInBatches(remove: (limit: number) => Promise<number>): Promise<number> {
  const next = () => runPart(() => remove(removalBatch));
  let count = await next();
  for (let last = count; last === removalBatch; count += last) last = await next();
  return count;
}

type ClientTable = 'janua_oidc_records' | 'janua_consents' | 'janua_logout_notices';

type Found = Promise<readonly { readonly id: string }[]>;

/** Deletes the rows that a query found. @returns how many rows it found */
export async function removeRows(
  database: Database,
  table: ClientTable | 'janua_ended_sessions',
  found: Found,
): Promise<number> {
  const ids = (await found).map(({ id }) => id);
  if (ids.length > 0) await database.deleteFrom(table).where('id', 'in', ids).execute();
  return ids.length;
}

/**
 * Deletes the rows after the first `most` rows of a query, at most 200.
 * @param latest the rows, in an order in which the rows to keep come first
 */
export const removeBeyond = (
  database: Database,
  table: Parameters<typeof removeRows>[1],
  latest: { limit(most: number): { offset(count: number): { execute(): Found } } },
  most: number,
): Promise<number> => removeRows(database, table, latest.limit(removalBatch).offset(most).execute());

/**
 * Deletes rows of an OpenID Connect client in batches, because there may be very many.
 * @param found selects the rows. The caller makes sure that requests add no further rows of this kind
 */
export async function removeFound(
  database: Database,
  table: ClientTable,
  found: { limit(most: number): { execute(): Found } },
): Promise<void> {
  await removeInBatches((limit) => removeRows(database, table, found.limit(limit).execute()));
}

/** Deletes all rows of a removed OpenID Connect client. */
export const removeOfClient = (database: Database, table: ClientTable, clientId: string): Promise<void> =>
  removeFound(database, table, database.selectFrom(table).select('id').where('client_id', '=', clientId));

/** Deletes the rows that expired before `time`, in milliseconds since 1970. Returns how many there were. */
export function removeExpired(database: Database, table: ExpiringTable, time: number): Promise<number> {
  const [from, key] = [sql.table(table), sql.ref(tables[table].expiresBy)];
  const isOver = 'queue' in tables[table] ? sql`due_at is null and expires_at < ${time}` : sql`expires_at < ${time}`;
  return removeInBatches(async (limit) => {
    const expired = sql<{
      key: string;
    }>`select ${key} as ${sql.ref('key')} from ${from} where ${isOver} limit ${limit}`;
    const { rows } = await expired.execute(database);
    if (rows.length === 0) return 0;
    // Checks the time again, because a request may have extended a row since then, for example by using a session.
    const keys = sql.join(rows.map((row) => row.key));
    const deletion = sql`delete from ${from} where ${isOver} and ${key} in (${keys})`;
    return Number((await deletion.execute(database)).numAffectedRows);
  });
}
