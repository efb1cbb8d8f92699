import { open, stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';

/** MiB that a disk should have free. */
const leastFree = 100;

export const sqlitePath = (url: string): string | undefined =>
  url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;

/** Opening a SQLite file creates and prepares it. This check reports a file that opening would change. */
export async function refuseUnprepared(url: string): Promise<Finding | undefined> {
  const path = sqlitePath(url);
  if (!path) return undefined;
  if (path === ':memory:')
    return wrong('DATABASE_URL is a database in memory, which is empty at each start.', 'Name a file in DATABASE_URL.');
  const fix = 'Run: npx janua migrate';
  const beginning = await readBeginning(path);
  if (beginning === undefined) return wrong(`There is no file ${path} yet.`, fix);
  if (beginning.length === 0) return wrong(`The file ${path} is empty.`, fix);
  // A file that is not a database fails when it is opened.
  const isDatabase = beginning.toString('latin1', 0, 16) === 'SQLite format 3\0';
  return isDatabase && beginning[18] !== walVersion
    ? wrong(`The file ${path} is not in WAL mode, which Janua uses.`, fix)
    : undefined;
}

/** The write version in the file header. 2 means WAL (SQLite, Database File Format, 1.3.3). */
const walVersion = 2;

/** Reads the first bytes of a file. A file that this account may not read fails when it is opened. */
async function readBeginning(path: string): Promise<Buffer | undefined> {
  try {
    await using file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(20));
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    return isMissing ? undefined : Buffer.from('unreadable');
  }
}

export async function* checkSqliteFile(path: string): Check {
  const { mode } = await stat(path);
  // Windows has no such modes.
  if (process.platform !== 'win32') {
    const shown = `${path} has mode 0${(mode & 0o777).toString(8)}`;
    yield (mode & 0o077) === 0
      ? ok(`${shown}: no other account may read it.`)
      : warning(`${shown}: other accounts of this machine may read its password hashes.`, `chmod 600 ${path}`);
  }
  const { bavail, bsize } = await statfs(dirname(path));
  yield judgeSpace((bavail * bsize) / 2 ** 20);
}

/** @param free in MiB */
export function judgeSpace(free: number): Finding {
  const message = `Its disk has ${Math.floor(free)} MiB free.`;
  return free < leastFree
    ? warning(message, 'Free some space: with a full disk, users cannot sign in or out.')
    : ok(message);
}
