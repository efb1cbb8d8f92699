import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { type BoundedTable, boundOf } from '../../ground/database/tables.ts';
import { ChangeRefused } from './change-refused.ts';
import type { User } from './user.ts';

/** Most rows that one call removes. More rows are in excess only if a new version has lowered the limit. */
const removedAtOnce = 100;

/**
 * Enforces the limit of a table (`boundOf`) after a row was added. It removes the oldest rows of the user, or refuses the new row. For a
 * refusal, the transaction `db` must hold the lock of the account or of all groups. Otherwise concurrent requests would not count each
 * other's rows. A removal needs no lock: of several concurrent requests, the last one sees the rows of all.
 * @param user the user whose rows are counted. Undefined for a table of administrators
 * @param time the present time, in milliseconds since 1970. Rows that have expired don't count
 * @param alike a condition for the rows that count together with the new one. Default: all rows of the user or of the administrators
 * @returns the number of removed rows
 * @throws {ChangeRefused} `too-many-kept`
 */
export async function limitRows(
  db: Database,
  table: BoundedTable,
  user: Pick<User, 'id'> | undefined,
  time: number,
  alike = sql<boolean>`1 = 1`,
): Promise<number> {
  const { most, oldestBy, key, expires } = boundOf(table);
  const [from, id] = [sql.table(table), sql.ref(key)];
  const own = user === undefined ? sql<boolean>`1 = 1` : sql<boolean>`user_id = ${user.id}`;
  const counted = expires ? sql<boolean>`${own} and ${alike} and expires_at > ${time}` : sql`${own} and ${alike}`;
  const order = oldestBy === undefined ? sql`` : sql`order by ${sql.ref(oldestBy)} desc, ${id} desc`;
  const beyond = sql<{ id: string }>`select ${id} as id from ${from} where ${counted} ${order}
    limit ${sql.lit(removedAtOnce)} offset ${sql.lit(most)}`;
  const { rows } = await beyond.execute(db);
  if (rows.length === 0) return 0;
  if (oldestBy === undefined) throw tooManyKept(table);
  await sql`delete from ${from} where ${id} in (${sql.join(rows.map((row) => row.id))})`.execute(db);
  return rows.length;
}

export function tooManyKept(table: BoundedTable): ChangeRefused {
  const { most, name } = boundOf(table);
  return new ChangeRefused(`There are ${most} ${name} already: remove one that is not needed.`, 'too-many-kept');
}
