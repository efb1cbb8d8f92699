import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, parse } from 'node:path';
import type { Settings } from '../config/settings.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { createEncryptionKeys, createMemoryKeys, type EncryptionKeys } from './keys.ts';

/** Opens the keys where the settings put them: by default beside the SQLite file. With a database server there is no default. */
export function openEncryptionKeys(settings: Pick<Settings, 'ENCRYPTION_KEY_FILE' | 'DATABASE_URL'>): EncryptionKeys {
  const { ENCRYPTION_KEY_FILE, DATABASE_URL } = settings;
  if (ENCRYPTION_KEY_FILE !== undefined) return createKeyFile(ENCRYPTION_KEY_FILE);
  if (!DATABASE_URL.startsWith('sqlite:')) return createEncryptionKeys({ read: refuseUnset, write: refuseUnset });
  const path = DATABASE_URL.slice('sqlite:'.length);
  if (path === ':memory:') return createMemoryKeys();
  const { dir, name } = parse(path);
  return createKeyFile(join(dir, `${name}.encryption-key`));
}

function refuseUnset(): never {
  throw new Misconfiguration({
    message:
      'ENCRYPTION_KEY_FILE must be set, because the secrets of authenticator apps and the signing keys are encrypted.',
    fix: 'Name a file outside of all backups of the database. Janua makes it when it is first needed.',
  });
}

/**
 * Keys in a file of mode 0600. Nothing is cached: the file is needed only for authenticator apps and signing keys, and after a rotation every
 * process uses the new key at once. No message has the path, because an operator may have typed the key in its place.
 */
export const createKeyFile = (path: string): EncryptionKeys =>
  createEncryptionKeys({
    read: () => explaining('read', () => readPrivate(path)),
    write: (text, replaces) => explaining('written', () => writePrivate(path, text, replaces)),
  });

function readPrivate(path: string): string | undefined {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return undefined;
  if (!stats.isFile())
    throw new Misconfiguration({
      message: 'The file with the encryption key is a symbolic link, or no file.',
      fix: 'Name the file itself in ENCRYPTION_KEY_FILE.',
    });
  // A group may read it, as in the credentials of systemd. Windows has no such modes.
  if (process.platform !== 'win32' && (stats.mode & 0o027) !== 0)
    throw new Misconfiguration({
      message: 'Other accounts of this machine may use the file with the encryption key.',
      fix: 'Run chmod 600 on it.',
    });
  return readFileSync(path, 'utf8');
}

/** The file is complete or does not exist, and is on disk when this returns. Without the file, the secrets that it encrypts would be lost. */
function writePrivate(path: string, text: string, replaces: boolean): void {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    writeFileSync(part, text, { flag: 'wx', mode: 0o600, flush: true });
    if (replaces) renameSync(part, path);
    // Unlike a rename, a link never replaces a file: if several processes make a key at the same time, the first one stays.
    else linkSync(part, path);
  } catch (error) {
    if (replaces || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  } finally {
    rmSync(part, { force: true });
  }
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

function explaining<Result>(what: 'read' | 'written', work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (error instanceof Misconfiguration) throw error;
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    throw new Misconfiguration({
      message: `The file with the encryption key cannot be ${what} (${code}).`,
      fix: 'Check ENCRYPTION_KEY_FILE, and the rights of this account there.',
    });
  }
}
