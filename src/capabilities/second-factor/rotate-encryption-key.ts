import type { Database } from '../../ground/database/database.ts';
import {
  type EncryptedTable,
  encryptedColumns,
  encryptedTables,
  encryptionContext,
} from '../../ground/database/encrypted.ts';
import { sql } from '../../ground/database/kysely.ts';
import { holdLease } from '../../ground/database/lease.ts';
import { listPages } from '../../ground/database/list-pages.ts';
import { decrypt, encrypt, keyPrefix, keyPrefixSize } from '../../ground/encryption/cipher.ts';
import type { EncryptionKeys } from '../../ground/encryption/keys.ts';
import { Misconfiguration } from '../../ground/faults/misconfiguration.ts';

/** Secrets that one statement of a rotation reads. */
const secretsPerPage = 500;

/**
 * Makes a new encryption key, and encrypts every secret with it while servers run. If the process ends early, both keys stay in the file,
 * and the next rotation finishes the work first. The old key stays in the file until the next rotation, for a server that has just used it.
 * @param record records the replacement in the audit. Called before the key in the file is replaced, because a file cannot be part of a
 * transaction
 * @returns the number of secrets that are encrypted with the new key now, and of those that no key decrypts: they stay as they are
 * @throws {Misconfiguration} when the keys cannot be read or written, or another process rotates them
 */
export async function rotateEncryptionKey(
  database: Database,
  keys: EncryptionKeys,
  now: () => number,
  record: () => Promise<void> = async () => {},
) {
  // Two rotations at the same time would lose one of the new keys.
  await using lease = await holdLease(database, 'encryption-key', now);
  if (lease === undefined) throw new Misconfiguration('Another process is replacing this key. Try again in a minute.');
  await encryptAnew(database, keys);
  await record();
  keys.rotate();
  return await encryptAnew(database, keys);
}

/** Encrypts with the first key every secret that is encrypted with another one. */
async function encryptAnew(database: Database, keys: EncryptionKeys) {
  const counts = { encrypted: 0, unreadable: 0 };
  for (const table of encryptedTables) {
    for await (const outcome of encryptTable(database, table, keys.read())) counts[outcome] += 1;
  }
  return counts;
}

async function* encryptTable(database: Database, table: EncryptedTable, keys: readonly Buffer[]) {
  const [first] = keys;
  const [from, column] = [sql.table(table), sql.ref(encryptedColumns[table])];
  const prefix = first === undefined ? '' : keyPrefix(first);
  const isOlder = sql`substr(${column}, 1, ${sql.lit(keyPrefixSize)}) <> ${prefix}`;
  const rows = listPages(
    async (after) => {
      const page = sql<{ id: string; secret: string }>`
        select id, ${column} as secret from ${from} where ${isOlder} and id > ${after} order by id limit ${secretsPerPage}`;
      return (await page.execute(database)).rows;
    },
    ({ id }) => id,
  );
  for await (const { id, secret } of rows) {
    const sealed = first && reseal(first, keys, secret, encryptionContext(table, id));
    // Another process may have replaced the secret since it was read, so the statement compares it.
    if (sealed !== undefined)
      await sql`update ${from} set ${column} = ${sealed} where id = ${id} and ${column} = ${secret}`.execute(database);
    yield sealed === undefined ? 'unreadable' : 'encrypted';
  }
}

/** Encrypts a secret with another key. Undefined if none of the keys decrypts it. */
function reseal(key: Buffer, keys: readonly Buffer[], text: string, context: string): string | undefined {
  try {
    return encrypt(key, decrypt(keys, text, context), context);
  } catch {
    return undefined;
  }
}
