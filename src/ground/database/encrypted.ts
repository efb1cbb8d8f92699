import type { Database } from './database.ts';
import { sql } from './kysely.ts';

/** The tables with encrypted texts, and the column of each. Each of their rows has an `id`. */
export const encryptedColumns = { janua_totp: 'secret', janua_signing_keys: 'private_key' } as const;

export type EncryptedTable = keyof typeof encryptedColumns;

export const encryptedTables = Object.keys(encryptedColumns) as EncryptedTable[];

/** Returns the context of the encrypted text of a row. In another row, the text cannot be decrypted. */
export const encryptionContext = (table: EncryptedTable, id: string) => `${table} ${id}`;

/**
 * Tells whether the database has encrypted texts that need their key. The secret of an authenticator app whose first code is still missing
 * does not count.
 */
export async function hasEncrypted(database: Database): Promise<boolean> {
  for (const table of encryptedTables) {
    const one = sql`select id from ${sql.table(table)} where id not like 'waiting:%' limit 1`;
    if ((await one.execute(database)).rows.length > 0) return true;
  }
  return false;
}
