import type { Database } from './database.ts';
import { sql } from './kysely.ts';

/** The encrypted column of each table that has one. Each of these tables has a column `id`. */
export const encryptedColumns = { janua_totp: 'secret', janua_signing_keys: 'private_key' } as const;

export type EncryptedTable = keyof typeof encryptedColumns;

export const encryptedTables = Object.keys(encryptedColumns) as EncryptedTable[];

/**
 * Returns the context (additional authenticated data) of the encrypted text of a row. A text that was copied to another row cannot be
 * decrypted.
 */
export const encryptionContext = (table: EncryptedTable, id: string) => `${table} ${id}`;

/**
 * Tells whether the database has encrypted texts, which would be lost without their key. The secret of an authenticator app counts only
 * once the user has entered its first code.
 */
export async function hasEncrypted(database: Database): Promise<boolean> {
  for (const table of encryptedTables) {
    const one = sql`select id from ${sql.table(table)} where id not like 'waiting:%' limit 1`;
    if ((await one.execute(database)).rows.length > 0) return true;
  }
  return false;
}
