import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { isDuplicate } from './errors.ts';

/** What the server makes keys for: signing the `browser` cookie, and digests of names in the audit. */
export const keyNames = ['browser-cookie', 'audit-names'] as const;

/**
 * The key of that name: 32 random bytes, made once and kept in the database, so that every process has the same and no
 * operator has to choose one (ASVS 11.2.3, 13.3.1).
 */
export async function loadKey(database: Database, name: (typeof keyNames)[number]): Promise<Buffer> {
  const find = () => database.selectFrom('janua_keys').select('value').where('name', '=', name);
  const stored = await find().executeTakeFirst();
  if (stored !== undefined) return Buffer.from(stored.value, 'base64url');
  const made = { name, value: randomBytes(32).toString('base64url') };
  try {
    await database.insertInto('janua_keys').values(made).execute();
  } catch (error) {
    // Another process made one at the same time: the first stays, and is read.
    if (!isDuplicate(error)) throw error;
  }
  const { value } = await find().executeTakeFirstOrThrow();
  return Buffer.from(value, 'base64url');
}
