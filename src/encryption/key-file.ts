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
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { createEncryptionKeys, type EncryptionKeys } from './keys.ts';

const unset = {
  message: 'ENCRYPTION_KEY_FILE must be set, because the secrets of authenticator apps are encrypted.',
  fix: 'Name a file outside of all backups of the database. Janua makes it when it is first needed.',
};

/**
 * Keys in a file of mode 0600. Nothing is cached: the file is needed only when users use an authenticator app, and after a rotation every
 * process uses the new key at once. No message has the path, because an operator may have typed the key in its place.
 * @param path undefined if there is no such setting
 */
export function createKeyFile(path: string | undefined): EncryptionKeys {
  function requirePath(): string {
    if (path === undefined) throw new Misconfiguration(unset);
    return path;
  }
  return createEncryptionKeys({
    read: () => explaining('read', () => readPrivate(requirePath())),
    write: (text, replaces) => explaining('written', () => writePrivate(requirePath(), text, replaces)),
  });
}

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

/** The file is complete or does not exist, and is on disk when this returns: what it encrypts would be lost without it. */
function writePrivate(path: string, text: string, replaces: boolean): void {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    const file = openSync(part, 'wx', 0o600);
    writeSync(file, text);
    fsyncSync(file);
    closeSync(file);
    if (replaces) renameSync(part, path);
    else linkUnlessPresent(part, path);
  } finally {
    rmSync(part, { force: true });
  }
  // Windows opens no folders.
  if (process.platform === 'win32') return;
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
}

/** Unlike a rename, a link never replaces a file: if several processes make a key at the same time, the first one stays. */
function linkUnlessPresent(part: string, path: string): void {
  try {
    linkSync(part, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
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
      fix: 'Check ENCRYPTION_KEY_FILE, and what this account may do there.',
    });
  }
}
