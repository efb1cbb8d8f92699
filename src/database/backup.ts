import { closeSync, existsSync, fsyncSync, linkSync, openSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Misconfiguration } from '../misconfiguration.ts';

/** Milliseconds that the copy waits for others at its start: then it reads one state of the file, and nobody waits for it. */
const patience = 5000;

/**
 * Copies a SQLite file as it is at one moment, while others write to it. The copy has mode 0600, is on the disk when this returns,
 * and is there whole or not at all.
 * @throws {Misconfiguration} when there is nothing to copy, the copy would replace something, or it cannot be written
 */
export function backUpSqlite(path: string, copy: string): void {
  if (!existsSync(path)) throw new Misconfiguration('DATABASE_URL: there is no such file.');
  const part = `${copy}.part`;
  try {
    // Of its own mode from the start: it holds password hashes (ASVS 14.2.4). Another backup to the same place is let be.
    closeSync(openSync(part, 'wx', 0o600));
  } catch (error) {
    throw cannotWrite(part, error);
  }
  try {
    copyInto(path, part);
    sync(part);
    // Unlike a renaming, this never replaces what is there.
    linkSync(part, copy);
  } catch (error) {
    throw cannotWrite(copy, error);
  } finally {
    rmSync(part, { force: true });
  }
  sync(dirname(copy));
}

function copyInto(path: string, part: string): void {
  const source = new DatabaseSync(path, { readOnly: true, timeout: patience });
  try {
    source.prepare('vacuum into ?').run(part);
  } finally {
    source.close();
  }
  const made = new DatabaseSync(part, { readOnly: true });
  try {
    const result = made.prepare('pragma integrity_check').get();
    if (result?.integrity_check !== 'ok') throw new Error('the copy is not whole');
  } finally {
    made.close();
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function cannotWrite(path: string, error: unknown): Misconfiguration {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'EEXIST') return new Misconfiguration(`${path} is there already. Name a file that is not.`);
  return new Misconfiguration(`${path} cannot be written (${error instanceof Error ? error.message : error}).`);
}
