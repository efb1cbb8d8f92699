import { randomBytes } from 'node:crypto';
import { link, open, rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { accountName } from '../config/account-name.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { fileExists } from './sqlite.ts';

/**
 * Milliseconds that the start of the copy waits for other processes. Later, the copy reads one snapshot of the file and blocks no process.
 */
const waitMilliseconds = 5000;

/**
 * Copies a consistent snapshot of a SQLite file while other processes write to it. The copy has mode 0600 and is on disk when this returns.
 * A copy under this name is always complete: an unfinished one, which a signal interrupted, has another name that ends in `.part`.
 * @throws {Misconfiguration} when there is no file to copy, the copy would replace a file, or it cannot be written
 */
export async function backUpSqlite(path: string, copy: string): Promise<void> {
  if (!fileExists(path)) throw new Misconfiguration('DATABASE_URL: there is no such file.');
  const part = `${copy}.${randomBytes(6).toString('hex')}.part`;
  try {
    // The file has mode 0600 from the start, because it contains password hashes (ASVS 14.2.4).
    await (await open(part, 'wx', 0o600)).close();
    copyInto(path, part);
    await sync(part);
    // Unlike a rename, a link never replaces an existing file.
    await link(part, copy);
  } catch (error) {
    throw cannotWrite(copy, error);
  } finally {
    // If this account has no access to the folder, there is no file to remove either.
    for (const file of [part, `${part}-journal`]) await rm(file, { force: true }).catch(() => {});
  }
  await sync(dirname(copy));
}

/** Copies the file by absolute paths, because SQLite reads a name that begins with `file:` as a URI. A URI may mean another file. */
function copyInto(path: string, part: string): void {
  using source = new DatabaseSync(resolve(path), { readOnly: true, timeout: waitMilliseconds });
  source.prepare('vacuum into ?').run(resolve(part));
  using made = new DatabaseSync(resolve(part), { readOnly: true });
  const result = made.prepare('pragma integrity_check').get();
  if (result?.integrity_check !== 'ok') throw new Error('the copy is damaged');
}

async function sync(path: string): Promise<void> {
  await using file = await open(path, 'r');
  await file.sync();
}

function cannotWrite(copy: string, error: unknown): Misconfiguration {
  const { code, message } = error as NodeJS.ErrnoException;
  const folder = resolve(dirname(copy));
  const account = accountName();
  const makeFolder = `install -d -m 0700 -o ${account}`;
  if (code === 'EEXIST')
    return new Misconfiguration({
      message: `${copy} already exists.`,
      fix: 'Choose another file name, or name a folder with --keep.',
    });
  if (code === 'ENOTDIR')
    return new Misconfiguration({
      message: `${copy} cannot be written, because ${dirname(copy)} is not a folder.`,
      fix: 'Name a folder.',
    });
  // Janua makes no folder, because the path may belong to a disk that is not mounted.
  if (code === 'ENOENT')
    return new Misconfiguration({
      message: `${copy} cannot be written, because there is no such folder.`,
      fix: `Make it: ${makeFolder} ${folder}`,
    });
  if (code === 'EACCES')
    return new Misconfiguration({
      message: `${copy} cannot be written, because the account ${account} may not write to ${folder}.`,
      fix: `Choose a folder of that account, such as /var/lib/janua, or make one as root: ${makeFolder} FOLDER`,
    });
  return new Misconfiguration(`${copy} cannot be written (${message}).`);
}
