import { type Check, ok, warning, wrong } from '../../selftest/finding.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { countUnreadable } from '../ground/database/encrypted.ts';
import { keyPrefix } from '../ground/encryption/cipher.ts';
import { openEncryptionKeys } from '../ground/encryption/key-file.ts';
import { hasApplications } from './signing-keys.ts';

export async function* checkEncryption({ database, engine }: OpenDatabase, settings: Settings): Check {
  const isProvider = await hasApplications(database);
  if (settings.SECOND_FACTOR === 'off' && !isProvider) return;
  if (settings.ENCRYPTION_KEY_FILE === undefined && engine !== 'sqlite') {
    const fix = 'Name a file outside of all backups of the database. Janua makes it when it is first needed.';
    if (isProvider) yield wrong('Applications cannot sign users in, because ENCRYPTION_KEY_FILE is not set.', fix);
    else yield warning('Users cannot use authenticator apps, because ENCRYPTION_KEY_FILE is not set.', fix);
    return;
  }
  const prefixes = openEncryptionKeys(settings).read().map(keyPrefix);
  const total = await countUnreadable(database, prefixes);
  if (total > 0)
    yield wrong(
      `Secrets that cannot be decrypted, because their key is not here: ${total}.`,
      'Copy the file with the encryption key from a backup or from another server. If it is lost, run: ./bin/janua keys rotate encryption',
    );
  else if (prefixes.length === 0)
    yield warning(
      'There is no encryption key yet. Janua makes it when it is first needed.',
      'Make it now, and back it up apart from the database: ./bin/janua keys rotate encryption',
    );
  else yield ok('The encryption key decrypts all secrets in the database.');
}
