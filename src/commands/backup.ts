import { loadSettings } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { backUpSqlite } from '../ground/database/backup.ts';
import { engineOf, openDatabase } from '../ground/database/database.ts';
import { addBackup, type BackupContents, noteBackup, verifyBackup } from '../ground/database/kept-backups.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';

interface BackupOptions {
  readonly keep?: number;
  readonly verify?: boolean;
}

/** @param path of the new file. With `keep`, of a folder. With `verify`, of an existing backup */
export async function backup(path: string, { keep, verify = false }: BackupOptions): Promise<void> {
  const settings = loadSettings();
  if (verify) return print(`${path} can be restored: ${describe(await verifyBackup(path, settings.USERS_TABLE))}.`);
  if (engineOf(settings.DATABASE_URL) !== 'sqlite')
    throw new Misconfiguration('DATABASE_URL names no SQLite file. Use pg_dump or mariadb-dump for a database server.');
  const source = settings.DATABASE_URL.slice('sqlite:'.length);
  if (keep === undefined) {
    await backUpSqlite(source, path);
    print(`The database is in ${path}.`);
  } else await keepBackup(settings, source, path, keep);
  if (settings.REDIS_URL !== undefined) print('The copy has no sessions, because they are in Redis.');
}

async function keepBackup(settings: Settings, source: string, folder: string, keep: number): Promise<void> {
  const now = Date.now();
  try {
    const { file, contents } = await addBackup(source, folder, keep, now, settings.USERS_TABLE);
    print(`The database is in ${file}, and can be restored: ${describe(contents)}.`);
  } catch (error) {
    await noteOutcome(settings, 'failed', now);
    throw error;
  }
  await noteOutcome(settings, 'succeeded', now);
}

/** Stores the outcome in the database, because the server watches the age of backups. If that fails, the backup is valid all the same. */
async function noteOutcome(settings: Settings, outcome: 'succeeded' | 'failed', at: number): Promise<void> {
  const { DATABASE_URL, STORE_TIMEOUT_SECONDS } = settings;
  const options = { connections: 1, timeoutMilliseconds: STORE_TIMEOUT_SECONDS * 1000, watch: unwatched };
  try {
    const { database } = await openDatabase(DATABASE_URL, { ...options, mustExist: true });
    await noteBackup(database, outcome, at).finally(() => database.destroy());
  } catch (error) {
    process.stderr.write(`The time of the backup could not be kept: ${(error as Error).message}\n`);
  }
}

const describe = ({ users, sessions }: BackupContents) => `users: ${users}, sessions: ${sessions}`;

const print = (line: string) => void process.stdout.write(`${line}\n`);
