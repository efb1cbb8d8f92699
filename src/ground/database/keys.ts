import { randomBytes } from 'node:crypto';
import type { Database } from './database.ts';
import { insertNew } from './insert-new.ts';
import { inTransaction } from './transaction.ts';

/**
 * The names of the server's keys, one for each purpose: the `browser` cookie, digests of user names in the audit log, the cookies of other
 * hosts (forward authentication), passkeys and sign-ins with other providers (`ceremonies`), and OpenID Connect (`applications`).
 */
export const keyNames = ['browser-cookie', 'audit-names', 'forward-auth', 'ceremonies', 'applications'] as const;

export type KeyName = (typeof keyNames)[number];

/** Returns a key of 32 random bytes. It is made once and stored in the database (ASVS 11.2.3, 13.3.1), so no operator has to choose it. */
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

/** Replaces a key. @param recordIn writes the event to the audit log, in the same transaction */
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
