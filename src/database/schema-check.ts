import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { Database } from './database.ts';
import { sql } from './kysely.ts';
import type { Tables } from './schema.ts';

/** The columns that are read and written. */
const columns = {
  janua_users: [
    'id',
    'username',
    'password_hash',
    'first_name',
    'last_name',
    'disabled',
    'demo',
    'created_at',
    'stamp',
  ],
  janua_sessions: [
    ...(['id', 'user_id', 'password_fingerprint', 'cookie_hash', 'token_hash'] as const),
    ...(['created_at', 'last_seen_at', 'expires_at', 'authenticated_at', 'methods', 'user_agent', 'address'] as const),
  ],
  janua_leases: ['name', 'expires_at'],
  janua_keys: ['name', 'value'],
  janua_failures: ['key', 'count', 'last_at', 'expires_at'],
  janua_audit: ['id', 'at', 'kind', 'request_id', 'user_id', 'event'],
} as const satisfies { [Table in Exclude<keyof Tables, 'janua_migrations'>]: readonly (keyof Tables[Table])[] };

/**
 * Looks whether our own tables are still as the migrations made them, as far as they are used.
 * @throws {Misconfiguration} when one lacks something, or may not be read
 */
export async function requireTables(database: Database, used: { users: boolean; sessions: boolean }): Promise<void> {
  const tables = [
    ...(['janua_keys', 'janua_leases', 'janua_audit'] as const),
    ...(used.users ? (['janua_users'] as const) : []),
    // What the throttle counts is kept where the sessions are.
    ...(used.sessions ? (['janua_sessions', 'janua_failures'] as const) : []),
  ];
  for (const table of tables) {
    try {
      const list = sql.join(columns[table].map((column) => sql.ref(column)));
      await sql`select ${list} from ${sql.table(table)} where 1 = 0`.execute(database);
    } catch (error) {
      if (error instanceof Unavailable || !(error instanceof Error)) throw error;
      throw new Misconfiguration(
        `DATABASE_URL: the table ${table} is not as Janua made it, or this account may not read it (${error.message}).`,
      );
    }
  }
}
