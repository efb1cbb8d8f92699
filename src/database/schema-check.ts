import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database } from './database.ts';
import { sql } from './kysely.ts';
import { rows } from './schema.ts';

/**
 * Checks that the tables in use are still as the migrations made them.
 * @throws {Misconfiguration} when a table lacks a column, or the account may not read it
 */
export async function requireTables(database: Database, used: { users: boolean; sessions: boolean }): Promise<void> {
  const tables = [
    ...(['janua_keys', 'janua_leases', 'janua_audit'] as const),
    ...(used.users ? (['janua_users'] as const) : []),
    // The throttle keeps failures in the same store as the sessions.
    ...(used.sessions ? (['janua_sessions', 'janua_failures'] as const) : []),
  ];
  for (const table of tables) {
    try {
      const list = sql.join(Object.keys(rows[table]).map((column) => sql.ref(column)));
      await sql`select ${list} from ${sql.table(table)} where 1 = 0`.execute(database);
    } catch (error) {
      if (error instanceof Unavailable || !(error instanceof Error)) throw error;
      throw new Misconfiguration(
        `DATABASE_URL: the table ${table} differs from what Janua created, or this account may not read it (${error.message}).`,
      );
    }
  }
}
