import { copyFile, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { mayNotRead } from '../config/account-name.ts';
import { clockTolerance } from '../faults/clock.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { unwatched } from '../faults/store-watch.ts';
import { backUpSqlite } from './backup.ts';
import { type Database, type OpenDatabase, openDatabase } from './database.ts';
import { sql } from './kysely.ts';
import { appliedMigrations, migrate, requireTables, requireUsableSchema } from './migrations.ts';
import { findTime, setTime } from './times.ts';

/**
 * The names in `janua_times` under which `janua backup --keep` stores when it last succeeded and failed. The time of the failure is 0 if
 * the last backup succeeded.
 */
const times = { succeeded: 'backup', failed: 'backup-failed' } as const;

/** Milliseconds after which a backup is old: a day, plus the time by which a daily timer and the backup itself may be late. */
const oldBackup = 26 * 60 * 60 * 1000;

/** Matches the names of backups, which sort by time. Files with other names are never removed. */
const namePattern = /^janua-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d-\d{3}Z\.db$/;
const nameAt = (now: number) => `janua-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}.db`;

export interface BackupContents {
  readonly users: number;
  readonly sessions: number;
}

/**
 * Adds a backup to a folder. Once the new backup is verified, removes the oldest ones, so that `keep` remain.
 * @throws {Misconfiguration} if the backup cannot be written or used. Then no backup is removed
 */
export async function addBackup(path: string, folder: string, keep: number, now: number, usersTable?: string) {
  const name = nameAt(now);
  const file = join(folder, name);
  await backUpSqlite(path, file);
  let contents: BackupContents;
  try {
    contents = await verifyBackup(file, usersTable);
  } catch (error) {
    // Otherwise the file would count as one of the `keep` backups.
    await rm(file, { force: true });
    throw error;
  }
  const entries = await readdir(folder, { withFileTypes: true });
  const others = entries.filter((entry) => entry.isFile() && namePattern.test(entry.name) && entry.name !== name);
  // Sorted without the new backup, which must stay even if the clock was set back.
  const old = others.map((entry) => entry.name).toSorted();
  for (const one of old.slice(0, Math.max(0, old.length - keep + 1))) await rm(join(folder, one), { force: true });
  return { file, contents };
}

/**
 * Copies a backup into a temporary file, and opens the copy as a server of this version does.
 * @param usersTable the table whose users are counted: a team's own table, or Janua's
 * @throws {Misconfiguration} if the backup cannot be used
 */
export async function verifyBackup(file: string, usersTable = 'janua_users'): Promise<BackupContents> {
  // A folder that only this account may enter.
  const folder = await mkdtemp(join(tmpdir(), 'janua-verify-'));
  try {
    const copy = join(folder, 'janua.db');
    await copyFile(resolve(file), copy);
    requireIntegrity(copy);
    return await readContents(copy, usersTable);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const path = resolve(file);
    if (code === 'ENOENT') throw new Misconfiguration(`There is no file ${path}.`);
    if (code === 'EISDIR') throw new Misconfiguration(`${path} is a folder. Name a backup in it.`);
    if (code === 'EACCES') throw new Misconfiguration(`${mayNotRead(path)} Copy it to a folder of that account.`);
    throw new Misconfiguration({
      message: `${file} cannot be restored (${message.replace(/\.$/, '')}).`,
      fix: 'Make another backup: ./bin/janua backup FILE',
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function requireIntegrity(path: string): void {
  using file = new DatabaseSync(path, { readOnly: true });
  const result = file.prepare('pragma integrity_check').get();
  if (result?.integrity_check !== 'ok') throw new Error('it is damaged');
}

async function readContents(path: string, usersTable: string): Promise<BackupContents> {
  const options = { connections: 1, timeoutMilliseconds: 60_000, watch: unwatched };
  const opened = await openDatabase(`sqlite:${path}`, options);
  await using closing = new AsyncDisposableStack();
  closing.defer(() => opened.database.destroy());
  const { database } = opened;
  if ((await appliedMigrations(database)).length === 0) throw new Error("it does not have Janua's tables");
  // Upgrades the copy of a backup from the previous version, as `janua migrate` would.
  await migrate(opened);
  await requireUsableSchema(opened);
  await requireTables(database, { users: true, sessions: true });
  const count = async (table: string) => {
    const { rows } = await sql<{ count: number }>`select count(*) as count from ${sql.table(table)}`.execute(database);
    return Number(rows[0]?.count);
  };
  return { users: await count(usersTable), sessions: await count('janua_sessions') };
}

/** Stores the result of a `janua backup --keep`, in place of the previous result. @param at milliseconds since 1970 */
export async function noteBackup(database: Database, outcome: keyof typeof times, at: number): Promise<void> {
  await setTime(database, times.failed, outcome === 'failed' ? at : 0);
  if (outcome === 'succeeded') await setTime(database, times.succeeded, at);
}

/**
 * Finds the state of the backups of `janua backup --keep`. Undefined if the command was never used with this database.
 * @param now milliseconds since 1970
 */
export async function findBackupState({ database, engine }: Pick<OpenDatabase, 'database' | 'engine'>, now: number) {
  if (engine !== 'sqlite') return undefined;
  const failedAt = await findTime(database, times.failed);
  const latest = await findTime(database, times.succeeded);
  if (latest === undefined && failedAt === undefined) return undefined;
  // A time in the future was stored under a wrong clock, so the age of the backup is unknown.
  const succeededAt = latest !== undefined && latest <= now + clockTolerance ? latest : undefined;
  const isOld = now - (succeededAt ?? 0) > oldBackup;
  return { succeededAt, fault: failedAt ? ('failed' as const) : isOld ? ('old' as const) : undefined };
}
