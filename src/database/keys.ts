import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';

/**
 * The key that signs the `browser` cookie: 32 random bytes, made on first start and kept in the database, so that every
 * process has the same and no operator has to choose one (ASVS 11.2.3, 13.3.1).
 */
export async function loadBrowserKey(database: Database): Promise<Buffer> {
  const name = 'browser-cookie';
  const find = () => database.selectFrom('janua_keys').select('value').where('name', '=', name);
  const stored = await find().executeTakeFirst();
  if (stored !== undefined) return Buffer.from(stored.value, 'base64url');
  // Another process may make one at the same time: the first stays, and is read again.
  await database
    .insertInto('janua_keys')
    .values({ name, value: randomBytes(32).toString('base64url') })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .execute();
  const { value } = await find().executeTakeFirstOrThrow();
  return Buffer.from(value, 'base64url');
}
