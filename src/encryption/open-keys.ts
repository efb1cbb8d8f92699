import { join, parse } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { createKeyFile } from './key-file.ts';
import { createMemoryKeys, type EncryptionKeys } from './keys.ts';

/** Opens the keys where the settings put them: by default beside the SQLite file. With a database server there is no default. */
export function openEncryptionKeys(settings: Pick<Settings, 'ENCRYPTION_KEY_FILE' | 'DATABASE_URL'>): EncryptionKeys {
  const { ENCRYPTION_KEY_FILE, DATABASE_URL } = settings;
  if (ENCRYPTION_KEY_FILE !== undefined || !DATABASE_URL.startsWith('sqlite:'))
    return createKeyFile(ENCRYPTION_KEY_FILE);
  const path = DATABASE_URL.slice('sqlite:'.length);
  if (path === ':memory:') return createMemoryKeys();
  const { dir, name } = parse(path);
  return createKeyFile(join(dir, `${name}.encryption-key`));
}
