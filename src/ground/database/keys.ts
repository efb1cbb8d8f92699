import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { insertNew } from './insert-new.ts';
import { inTransaction } from './transaction.ts';

/** The server has one key for each purpose: the `browser` cookie, digests of names in the audit, credentials for other hosts, passkeys and sign-ins with other providers, and what applications get. */
export const keyNames = ['browser-cookie', 'audit-names', 'forward-auth', 'ceremonies', 'applications'] as const;

export type KeyName = (typeof keyNames)[number];

/** 32 random bytes, made once and kept in the database (ASVS 11.2.3, 13.3.1). No operator has to choose them. */
export async function loadKey(database: Database, name: KeyName): Promise<Buffer> {
  const find = () => database.selectFrom('janua_keys').select('value').where('name', '=', name);
  let stored = await find().executeTakeFirst();
  if (stored === undefined) {
    // If another process has just made the key, that key stays.
    await insertNew(database.insertInto('janua_keys').values(createKey(name)));
    stored = await find().executeTakeFirstOrThrow();
  }
  return Buffer.from(stored.value, 'base64url');
}

/** @param recordIn records it in the transaction */
export async function replaceKey(
  database: Database,
  name: KeyName,
  recordIn: (db: Database, name: KeyName) => Promise<void>,
): Promise<void> {
  await inTransaction(database, async (transaction) => {
    await transaction.deleteFrom('janua_keys').where('name', '=', name).execute();
    await transaction.insertInto('janua_keys').values(createKey(name)).execute();
    await recordIn(transaction, name);
  });
}

const createKey = (name: KeyName) => ({ name, value: randomBytes(32).toString('base64url') });
