import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { isDuplicate } from './errors.ts';

/**
 * The key that signs the `browser` cookie: 32 random bytes, made once and kept in the database, so that every process has
 * the same and no operator has to choose one (ASVS 11.2.3, 13.3.1).
 */
export async function loadBrowserKey(database: Database): Promise<Buffer> {
  const name = 'browser-cookie';
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
