import { lstatSync, readFileSync } from 'node:fs';
import { join, parse, resolve } from 'node:path';
import { accountName, mayNotRead } from '../config/account-name.ts';
import { writePrivate } from '../config/private-file.ts';
import type { Settings } from '../config/settings.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { createEncryptionKeys, createMemoryKeys, type EncryptionKeys } from './keys.ts';

const inMemory = 'sqlite::memory:';

type KeySettings = Pick<Settings, 'ENCRYPTION_KEY_FILE' | 'DATABASE_URL'>;

/** Returns the path of the file that the settings name. By default it is next to the SQLite file. With a database server there is no default. */
export function findKeyFile({ ENCRYPTION_KEY_FILE, DATABASE_URL }: KeySettings): string | undefined {
  if (ENCRYPTION_KEY_FILE !== undefined) return ENCRYPTION_KEY_FILE;
  if (!DATABASE_URL.startsWith('sqlite:') || DATABASE_URL === inMemory) return undefined;
  const { dir, name } = parse(DATABASE_URL.slice('sqlite:'.length));
  return join(dir, `${name}.encryption-key`);
}

/** Opens the keys in that file. */
export function openEncryptionKeys(settings: KeySettings): EncryptionKeys {
  const path = findKeyFile(settings);
  if (path !== undefined) return createKeyFile(path);
  if (settings.DATABASE_URL === inMemory) return createMemoryKeys();
  return createEncryptionKeys({ read: refuseUnset, write: refuseUnset });
}

function refuseUnset(): never {
  throw new Misconfiguration({
    message:
      'ENCRYPTION_KEY_FILE must be set, because the secrets of authenticator apps and the signing keys are encrypted.',
    fix: 'Name a file outside of all backups of the database. Janua makes it when it is first needed.',
  });
}

/**
 * Reads and writes keys in a file of mode 0600. They are not cached: the file is needed only for authenticator apps and signing keys, and
 * after a rotation every process uses the new key at once. Messages contain the path only if the file exists, because an operator may have
 * typed the key instead of the path.
 */
export const createKeyFile = (path: string): EncryptionKeys =>
  createEncryptionKeys({
    path: resolve(path),
    read: () => explaining('read', () => readPrivate(path)),
    write: (text, replaces) => explaining('written', () => writePrivate(path, text, replaces)),
  });

function readPrivate(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isFile())
    throw new Misconfiguration({
      message: `The file with the encryption key is a symbolic link, or no file: ${resolve(path)}.`,
      fix: 'Name the file itself in ENCRYPTION_KEY_FILE.',
    });
  // The group of the file may read it, as for the credentials of systemd. Windows has no such modes.
  if (process.platform !== 'win32' && (stats.mode & 0o027) !== 0)
    throw new Misconfiguration({
      message: 'Other accounts of this machine may use the file with the encryption key.',
      fix: `Run: chmod 600 ${resolve(path)}`,
    });
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
    throw new Misconfiguration({
      message: `The encryption key cannot be read. ${mayNotRead(path)}`,
      fix: `If this is the account of the server, run as root: chown ${accountName()} ${resolve(path)}`,
    });
  }
}

function explaining<Result>(what: 'read' | 'written', work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof Misconfiguration) throw error;
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new Misconfiguration({
      message: `The file with the encryption key cannot be ${what} (${code}).`,
      fix: `Check ENCRYPTION_KEY_FILE, by default beside the SQLite file, and what the account ${accountName()} may do there.`,
    });
  }
}
