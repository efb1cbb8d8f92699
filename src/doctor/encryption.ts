import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../config/settings.ts';
import type { OpenDatabase } from '../database/database.ts';
import { sql } from '../database/kysely.ts';
import { keyPrefix, keyPrefixSize } from '../encryption/cipher.ts';
import { openEncryptionKeys } from '../encryption/key-file.ts';

export async function* checkEncryption({ database, engine }: OpenDatabase, settings: Settings): Check {
  if (settings.ENCRYPTION_KEY_FILE === undefined && engine !== 'sqlite') {
    const fix = 'Name a file outside of all backups of the database. Janua makes it when it is first needed.';
    yield warning('Users cannot use authenticator apps, because ENCRYPTION_KEY_FILE is not set.', fix);
    return;
  }
  const prefixes = openEncryptionKeys(settings).read().map(keyPrefix);
  const prefix = sql<string>`substr(secret, 1, ${sql.lit(keyPrefixSize)})`;
  const counts = await database
    .selectFrom('janua_totp')
    .select([prefix.as('prefix'), (row) => row.fn.countAll().as('count')])
    .groupBy(prefix)
    .execute();
  const unreadable = counts.filter(({ prefix }) => !prefixes.includes(prefix));
  const total = unreadable.reduce((sum, { count }) => sum + Number(count), 0);
  if (total > 0)
    yield wrong(
      `Secrets of authenticator apps that cannot be decrypted, because their key is not here: ${total}.`,
      'Copy the file with the encryption key from a backup or from another server. If it is lost, run: npx janua keys rotate encryption',
    );
  else if (prefixes.length === 0)
    yield ok('No secret is encrypted yet. Janua makes the encryption key when it is first needed.');
  else yield ok('The encryption key decrypts all secrets of authenticator apps.');
}
