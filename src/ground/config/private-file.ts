import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, linkSync, openSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Writes a file of mode 0600. The file is either complete or missing, and is on disk when this returns. An existing file stays, unless
 * `replaces` is true. Returns whether the file was written.
 */
export function writePrivate(path: string, text: string, replaces: boolean): boolean {
  const part = `${path}.${randomBytes(6).toString('hex')}.part`;
  try {
    writeFileSync(part, text, { flag: 'wx', mode: 0o600, flush: true });
    if (replaces) renameSync(part, path);
    // Unlike a rename, a link never replaces a file: if several processes make a file at the same time, the first one stays.
    else linkSync(part, path);
  } catch (error) {
    if (replaces || (error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    return false;
  } finally {
    rmSync(part, { force: true });
  }
  // Windows cannot open folders.
  if (process.platform === 'win32') return true;
  const folder = openSync(dirname(path), 'r');
  fsyncSync(folder);
  closeSync(folder);
  return true;
}
