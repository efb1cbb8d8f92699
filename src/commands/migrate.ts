import { loadSettings } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { type Database, openDatabase } from '../ground/database/database.ts';
import { keyNames, loadKey } from '../ground/database/keys.ts';
import { migrate as migrateDatabase } from '../ground/database/migrations.ts';
import { unwatched } from '../ground/faults/store-watch.ts';

export async function migrate(): Promise<void> {
  const done = await updateTables(loadSettings());
  process.stdout.write(done.length === 0 ? 'The tables are up to date.\n' : `Done: ${done.join(', ')}.\n`);
}

/**
 * Creates or updates the tables.
 * @param further work with the database, once the tables are up to date
 * @returns the names of the migrations that ran
 */
export async function updateTables(
  settings: Settings,
  further?: (database: Database) => Promise<void>,
): Promise<string[]> {
  const opened = await openDatabase(settings.DATABASE_URL, {
    connections: 2,
    timeoutMilliseconds: settings.STORE_TIMEOUT_SECONDS * 1000,
    watch: unwatched,
  });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => opened.database.destroy());
  const done = await migrateDatabase(opened);
  // Creates the keys here, so that the account of the server needs no permission for it.
  for (const name of keyNames) await loadKey(opened.database, name);
  await further?.(opened.database);
  return done;
}
