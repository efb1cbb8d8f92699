import { keyPrefixSize } from '../encryption/cipher.ts';
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

/** Counts the encrypted texts whose key is not among those with these prefixes (`keyPrefix`). */
export async function countUnreadable(database: Database, prefixes: readonly string[]): Promise<number> {
  let total = 0;
  for (const table of encryptedTables) {
    const prefix = sql`substr(${sql.ref(encryptedColumns[table])}, 1, ${sql.lit(keyPrefixSize)})`;
    const counts = sql<{ prefix: string; count: number | string }>`
      select ${prefix} as prefix, count(*) as count from ${sql.table(table)} group by ${prefix}`;
    const { rows } = await counts.execute(database);
    for (const row of rows) if (!prefixes.includes(row.prefix)) total += Number(row.count);
  }
  return total;
}
