import { loadSettings } from '../config/load.ts';
import { openDatabase } from '../database/database.ts';
import { keyNames, loadKey } from '../database/keys.ts';
import { migrate as migrateDatabase } from '../database/migrations.ts';
import { unwatched } from '../faults/store-watch.ts';

/** Makes our own tables, or brings them up to date. What else is in the database is left alone. */
export async function migrate(): Promise<void> {
  const settings = loadSettings();
  const opened = await openDatabase(settings.DATABASE_URL, {
    connections: 1,
    timeout: settings.STORE_TIMEOUT_SECONDS * 1000,
    watch: unwatched,
  });
  try {
    const done = await migrateDatabase(opened);
    // Made here, so that the account that serves need not be allowed to.
    for (const name of keyNames) await loadKey(opened.database, name);
    process.stdout.write(done.length === 0 ? 'The tables are up to date.\n' : `Done: ${done.join(', ')}.\n`);
  } finally {
    await opened.database.destroy();
  }
}
