import { closeSync, existsSync, mkdirSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { accountName } from '../config/account-name.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import type { EngineDriver, StepTimeout } from './driver.ts';
import { databaseUnavailable, inUse, isBusy } from './errors.ts';
import { createSqliteDriver } from './sqlite-driver.ts';

/** The size of SQLite's page cache, in KiB. With the default of 2,000 KiB, a look-up among a million sessions costs five system calls. */
const pageCache = 65_536;

/** Milliseconds to wait for another process that is opening the file. */
const openingTimeout = 5000;

interface SqliteOptions {
  readonly timeout: StepTimeout;
  readonly watch: StoreWatch;
  readonly mustExist: boolean;
  readonly alone: boolean;
}

/**
 * Opens a SQLite file. A missing file is made with mode 0600, because it will contain password hashes (ASVS 14.2.4). Every acknowledged
 * write is on disk (`synchronous=FULL`), because a power failure must not undo a logout.
 * @throws {Misconfiguration} when the file cannot be opened for writing, or must exist and does not
 */
export function openSqlite(path: string, { timeout, watch, mustExist, alone }: SqliteOptions): EngineDriver {
  if (mustExist && path !== ':memory:' && !fileExists(path))
    throw new Misconfiguration({
      message: 'DATABASE_URL: there is no such file yet.',
      fix: 'Run: ./bin/janua migrate',
    });
  const file = openFile(path, alone);
  const opened = identityOf(path);
  return {
    ...createSqliteDriver(file, timeout, watch),
    check() {
      if (identityOf(path) === opened) return;
      const gone = databaseUnavailable(new Error('the file was removed or replaced while it was open'));
      watch.failed('write', gone);
      throw gone;
    },
  };
}

/**
 * Tells whether a file exists. `existsSync` would return false for a file in a folder that this account may not enter.
 * @throws {Misconfiguration} if this account may not enter the folder
 */
export function fileExists(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch (error) {
    throw cannotOpen(error);
  }
}

function cannotOpen(error: unknown, alone = false): Misconfiguration {
  if (alone && isBusy(error)) return new Misconfiguration(inUse);
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === 'EACCES')
    return new Misconfiguration({
      message: `DATABASE_URL: the account ${accountName()} may not open the file.`,
      fix: 'Run this as the account of the server, such as by janua-admin. Or give the folder of the file, such as the volume of a container, to the account: chown.',
    });
  return new Misconfiguration(`DATABASE_URL: the file cannot be opened for writing (${message}).`);
}

/** Identifies a file, to detect that another file has replaced it at the same path. */
function identityOf(path: string): string | undefined {
  if (path === ':memory:') return undefined;
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats && `${stats.dev}:${stats.ino}`;
}

function openFile(path: string, alone: boolean): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (path !== ':memory:') {
      makeFolder(dirname(path));
      closeSync(openSync(path, 'a', 0o600));
    }
    database = new DatabaseSync(path, { timeout: openingTimeout });
    // With a write-ahead log, this lock fails while any other process has the file open, and keeps all others out until the file is closed.
    if (alone) database.exec('PRAGMA locking_mode = EXCLUSIVE;');
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;');
    // From here on SQLite never waits for a lock, because that would block the whole process.
    database.exec(`PRAGMA busy_timeout = 0; PRAGMA cache_size = -${pageCache};`);
    return database;
  } catch (error) {
    // An open file would keep its lock.
    database?.close();
    throw cannotOpen(error, alone);
  }
}

/**
 * Makes a folder and its parents, one at a time. `mkdirSync` with `recursive` never returns where folders cannot be made, such as below
 * /proc.
 */
function makeFolder(path: string): void {
  if (existsSync(path)) return;
  makeFolder(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    if (!existsSync(path)) throw error;
  }
}
