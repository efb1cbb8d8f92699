import type { Database } from '../database/database.ts';
import { sql } from '../database/kysely.ts';
import { holdLease } from '../database/lease.ts';
import { listPages } from '../database/list-pages.ts';
import { decrypt, encrypt, keyPrefix, keyPrefixSize } from '../encryption/cipher.ts';
import type { EncryptionKeys } from '../encryption/keys.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { totpContext } from './totp.ts';

/** Secrets that one step of a rotation reads. */
const secretsPerPage = 500;

/**
 * Makes a new encryption key, and encrypts every secret with it while servers run. If the process ends in between, both keys are in the
 * file, and the next rotation finishes the work first. The old key stays in the file until then, for a server that has just used it.
 * @returns how many secrets are encrypted with the new key now, and how many no key decrypts: they stay as they are
 * @throws {Misconfiguration} when the keys cannot be read or written, or another process does the same
 */
export async function rotateEncryptionKey(database: Database, keys: EncryptionKeys, now: () => number) {
  // Two rotations at the same time would lose one of the new keys.
  await using lease = await holdLease(database, 'encryption-key', now);
  if (lease === undefined) throw new Misconfiguration('Another process is replacing this key. Try again in a minute.');
  await encryptAnew(database, keys);
  keys.rotate();
  return encryptAnew(database, keys);
}

/** Encrypts with the first key what is not. */
async function encryptAnew(database: Database, keys: EncryptionKeys) {
  const all = keys.read();
  const [first] = all;
  const older = database
    .selectFrom('janua_totp')
    .select(['id', 'secret'])
    .where(sql`substr(secret, 1, ${sql.lit(keyPrefixSize)})`, '<>', first === undefined ? '' : keyPrefix(first))
    .orderBy('id')
    .limit(secretsPerPage);
  const rows = listPages(
    (after) => older.where('id', '>', after).execute(),
    ({ id }) => id,
  );
  let [encrypted, unreadable] = [0, 0];
  for await (const { id, secret } of rows) {
    const sealed = first && reseal(first, all, secret, totpContext(id));
    if (sealed === undefined) unreadable += 1;
    else encrypted += 1;
    // The user may have replaced it meanwhile.
    const update = database.updateTable('janua_totp').where('id', '=', id).where('secret', '=', secret);
    if (sealed !== undefined) await update.set({ secret: sealed }).execute();
  }
  return { encrypted, unreadable };
}

/** Encrypts a secret with another key. Undefined if none of the keys decrypts it. */
function reseal(key: Buffer, keys: readonly Buffer[], text: string, context: string): string | undefined {
  try {
    return encrypt(key, decrypt(keys, text, context), context);
  } catch {
    return undefined;
  }
}
