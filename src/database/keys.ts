import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { isDuplicate } from './errors.ts';

/** What the server makes keys for: signing the `browser` cookie, digests of names in the audit, and what other hosts get of a session. */
export const keyNames = ['browser-cookie', 'audit-names', 'forward-auth'] as const;

export type KeyName = (typeof keyNames)[number];

/**
 * The key of that name: 32 random bytes, made once and kept in the database, so that every process has the same and no
 * operator has to choose one (ASVS 11.2.3, 13.3.1).
 */
export async function loadKey(database: Database, name: KeyName): Promise<Buffer> {
  const find = () => database.selectFrom('janua_keys').select('value').where('name', '=', name);
  const stored = await find().executeTakeFirst();
  if (stored !== undefined) return Buffer.from(stored.value, 'base64url');
  try {
    await database.insertInto('janua_keys').values(createKey(name)).execute();
  } catch (error) {
    // Another process made one at the same time: the first stays, and is read.
    if (!isDuplicate(error)) throw error;
  }
  const { value } = await find().executeTakeFirstOrThrow();
  return Buffer.from(value, 'base64url');
}

/** Puts a new key in place of the one of that name. */
export async function replaceKey(database: Database, name: KeyName): Promise<void> {
  await database.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('janua_keys').where('name', '=', name).execute();
    await transaction.insertInto('janua_keys').values(createKey(name)).execute();
  });
}

const createKey = (name: KeyName) => ({ name, value: randomBytes(32).toString('base64url') });
