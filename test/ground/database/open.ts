import { type OpenDatabase, openDatabase } from '../../../src/ground/database/database.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openMigratedDatabase, storeTimeoutSeconds, type UserEngine } from '../../stores.ts';

export type TestDatabase = OpenDatabase & AsyncDisposable;

/** Opens a database without migrating it, and closes it with its scope. */
export async function openTestDatabase(
  url: string,
  timeoutMilliseconds = storeTimeoutSeconds * 1000,
  connections = 10,
): Promise<TestDatabase> {
  const opened = await openDatabase(url, { connections, timeoutMilliseconds, watch: unwatched });
  return { ...opened, [Symbol.asyncDispose]: () => opened.database.destroy() };
}

/** A new database with our own tables. It is removed with its scope. */
export async function openMigrated(engine: UserEngine = 'SQLite'): Promise<TestDatabase> {
  const { url, drop } = await openMigratedDatabase(engine);
  const opened = await openTestDatabase(url);
  await migrate(opened);
  return {
    ...opened,
    async [Symbol.asyncDispose]() {
      await opened.database.destroy();
      await drop();
    },
  };
}
