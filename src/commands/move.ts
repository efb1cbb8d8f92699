import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { refusedAccount } from '../core/stores/store-faults.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { parseMapping } from '../core/users/source/mapping.ts';
import { readTable } from '../core/users/source/open-source.ts';
import { countStrangers, setOrigin } from '../core/users/source/origin.ts';
import { loadSettings } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import { type Database, type OpenDatabase, openDatabase } from '../ground/database/database.ts';
import { countUnreadable } from '../ground/database/encrypted.ts';
import { requireTables, requireUsableSchema } from '../ground/database/migrations.ts';
import { moveRows, requireAlone } from '../ground/database/move-rows.ts';
import { keyPrefix } from '../ground/encryption/cipher.ts';
import { findKeyFile, openEncryptionKeys } from '../ground/encryption/key-file.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { list } from './list.ts';

interface MoveOptions {
  readonly to?: string;
  readonly toFile?: string;
  readonly json?: boolean;
}

/** Copies everything from the database of `DATABASE_URL` to another one. */
export async function move({ json, ...options }: MoveOptions): Promise<void> {
  const settings = loadSettings();
  const url = readTarget(options);
  requireTwoPlaces(settings.DATABASE_URL, url);
  const counts = await moveDatabase(settings, url);
  const text = await list(
    Array.from(counts, ([table, rows]) => ({ table, rows })),
    {
      json,
      none: 'There are no tables.',
      heading: ['TABLE', 'ROWS'],
      toRows: (items) => items.map(({ table, rows }) => [table, String(rows)]),
    },
  );
  if (text !== '') process.stdout.write(`${text}\n${nextSteps(settings, url)}\n`);
}

function readTarget({ to, toFile }: MoveOptions): string {
  if ((to === undefined) === (toFile === undefined))
    throw new Misconfiguration('Name the other database by --to URL, or by --to-file FILE.');
  if (toFile === undefined) return to ?? '';
  try {
    return readFileSync(toFile, 'utf8').trim();
  } catch (error) {
    throw new Misconfiguration(`--to-file: the file cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
}

/** The path of a SQLite file. Another spelling of a path means the same file. */
const placeOf = (url: string) => (url.startsWith('sqlite:') ? resolve(url.slice('sqlite:'.length)) : url);

function requireTwoPlaces(from: string, to: string): void {
  const inMemory = 'sqlite::memory:';
  if (from === inMemory)
    throw new Misconfiguration('DATABASE_URL: a database in memory ends with its server, so it cannot be moved.');
  if (to === inMemory) throw new Misconfiguration('--to: a database in memory would be gone with this command.');
  if (placeOf(from) === placeOf(to)) throw new Misconfiguration('--to names the database of DATABASE_URL.');
}

/** @returns the number of rows of each table */
export async function moveDatabase(settings: Settings, url: string): Promise<ReadonlyMap<string, number>> {
  await using closing = new AsyncDisposableStack();
  async function open(place: string): Promise<OpenDatabase> {
    const opened = await openDatabase(place, {
      // All steps share a connection, so that any other one is of another process.
      connections: 1,
      timeoutMilliseconds: settings.STORE_TIMEOUT_SECONDS * 1000,
      watch: unwatched,
      mustExist: true,
      alone: true,
    });
    closing.defer(() => opened.database.destroy());
    await requireReady(opened);
    return opened;
  }
  const from = await explaining(() => open(settings.DATABASE_URL));
  const to = await explainingTarget(() => open(url));
  await requireKey(from.database, settings, url);
  const finish = await explainingTarget(() => prepareUsersTable(from, to, settings));
  return await explaining(() => moveRows(from, to, finish));
}

/** @throws {Misconfiguration} for tables of another version, because they may have columns that this version does not know */
async function requireReady(opened: OpenDatabase): Promise<void> {
  const { isNewer } = await requireUsableSchema(opened);
  if (isNewer)
    throw new Misconfiguration(
      "DATABASE_URL: Janua's tables are of a newer version. Run this command of that version.",
    );
  for (const all of [true, false]) await requireTables(opened.database, { users: all, sessions: all });
  await requireAlone(opened);
}

async function explaining<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await work();
  } catch (error) {
    throw refusedAccount(error) ?? error;
  }
}

/** Names the option in place of the setting. */
async function explainingTarget<Result>(work: () => Promise<Result>): Promise<Result> {
  try {
    return await explaining(work);
  } catch (error) {
    if (!(error instanceof Misconfiguration)) throw error;
    const faults = error.faults.map(({ message, fix }) => ({
      message: `--to: ${message.replace(/^DATABASE_URL:? /, '').replaceAll('DATABASE_URL', '--to')}`,
      ...(fix && { fix: fix.replace('Run: ./bin/janua migrate', 'With that DATABASE_URL, run: ./bin/janua migrate') }),
    }));
    throw new Misconfiguration(...faults);
  }
}

/** @throws {Misconfiguration} if a server of the other database would not find the key of secrets that can be decrypted now */
async function requireKey(database: Database, settings: Settings, url: string): Promise<void> {
  if ((await countUnreadable(database, [])) === 0) return;
  const present = openEncryptionKeys(settings).read().map(keyPrefix);
  const there = { ...settings, DATABASE_URL: url };
  const later = findKeyFile(there) === undefined ? [] : openEncryptionKeys(there).read().map(keyPrefix);
  const lost = (await countUnreadable(database, later)) - (await countUnreadable(database, present));
  if (lost <= 0) return;
  throw new Misconfiguration({
    message: `A server of the other database would not find the encryption key of ${lost} secrets.`,
    fix: 'Name the file with the present key in ENCRYPTION_KEY_FILE, for this command and for the servers. Without that setting, the key is beside the SQLite file, in a file that ends in .encryption-key.',
  });
}

/**
 * Checks a team's own table of users in the other database.
 * @returns work that stores the table as the one that the accounts come from
 * @throws {Misconfiguration} if users could not sign in with that table
 * @throws {ChangeRefused} if accounts would belong to other people
 */
async function prepareUsersTable(from: OpenDatabase, to: OpenDatabase, settings: Settings) {
  const mapping = parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS);
  if (mapping === undefined) return async () => {};
  const { source, origin } = await readTable(to, mapping, {
    rehashes: settings.PASSWORD_REHASH === 'on',
    hasPermanentIds: settings.USERS_ID === 'permanent',
    log: { warn() {} },
  });
  const strangers = await countStrangers(from.database, source);
  if (strangers > 0)
    throw new ChangeRefused(
      `Accounts whose id has no row in ${mapping.table} of the other database, or one with another name: ${strangers}. ` +
        'Copy that table again. If these users have left, first run: ./bin/janua users sync',
    );
  return (db: Database) => setOrigin(db, origin);
}

function nextSteps(settings: Settings, url: string): string {
  const { DATABASE_URL, REDIS_URL } = settings;
  const keyFile = findKeyFile({ ...settings, DATABASE_URL: url });
  return [
    `All rows are in ${shownUrl(url)}, with the same values. Set DATABASE_URL to it for every server, and start them.`,
    `${shownUrl(DATABASE_URL)} is as before. Delete it once you no longer need it: it has password hashes.`,
    // It is often beside the old SQLite file, under a similar name.
    ...(keyFile !== undefined && existsSync(keyFile)
      ? [`Keep ${resolve(keyFile)}: it has the key of the moved secrets.`]
      : []),
    ...(REDIS_URL === undefined ? [] : ['Sessions stay in Redis: keep REDIS_URL.']),
  ].join('\n');
}
