import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Check, Finding } from '../../selftest/finding.ts';
import { ok, warning } from './finding.ts';

/** MiB that a disk should have free. */
const leastFree = 100;

export const sqlitePath = (url: string): string | undefined =>
  url.startsWith('sqlite:') ? url.slice('sqlite:'.length) : undefined;

export async function* checkSqliteFile(path: string): Check {
  const { mode } = await stat(path);
  // Windows has no such modes.
  if (process.platform !== 'win32') {
    const shown = { path, mode: `0${(mode & 0o777).toString(8)}` };
    yield (mode & 0o077) === 0
      ? ok('{path} has mode {mode}: no other account may read it.', shown)
      : warning(
          '{path} has mode {mode}: other accounts of this machine may read its password hashes.',
          'chmod 600 {path}',
          shown,
        );
  }
  const { bavail, bsize } = await statfs(dirname(path));
  yield judgeSpace((bavail * bsize) / 2 ** 20);
}

/** @param free in MiB */
export function judgeSpace(free: number): Finding {
  const isLarge = free >= 2048;
  const message = isLarge ? 'Its disk has {free} GiB free.' : 'Its disk has {free} MiB free.';
  const values = { free: Math.floor(isLarge ? free / 1024 : free) };
  return free < leastFree
    ? warning(message, 'Free some space: with a full disk, users cannot sign in or out.', values)
    : ok(message, values);
}
