import { join } from 'node:path';
import { createMigratedDatabase, createMigratedFile } from './servers/migrated.ts';
import { createTemporaryFolder, fastFolder } from './servers/process-end.ts';
import { createDatabase, createRedisDatabase, type OwnDatabase } from './servers/shared.ts';

export type UserEngine = 'SQLite' | 'PostgreSQL' | 'MariaDB';

/** The stores of users and sessions for a server under test. */
export interface StoreChoice {
  readonly users: UserEngine;
  readonly sessions: 'SQL' | 'Redis';
  /** Whether the users are in a team's own table. */
  readonly ownTable?: boolean;
  /** Whether the flow runs within another app. */
  readonly mounted?: boolean;
}

/** Empty stores for one test, as settings. */
export interface OpenStores {
  readonly settings: {
    readonly DATABASE_URL: string;
    readonly REDIS_URL?: string;
    readonly ENCRYPTION_KEY_FILE?: string;
  };
  drop(): Promise<void>;
}

const serverEngines = { PostgreSQL: 'postgres', MariaDB: 'mariadb' } as const;

/** Seconds that a use of a store may take where no test is about that limit. Beside other work, an answer may need more than the default. */
export const storeTimeoutSeconds = 60;

export const openUserDatabase = (engine: UserEngine): Promise<OwnDatabase> =>
  engine === 'SQLite'
    ? Promise.resolve({ url: 'sqlite::memory:', drop: async () => {} })
    : createDatabase(serverEngines[engine]);

/** With our own tables, all of them empty. */
export const openMigratedDatabase = (engine: UserEngine): Promise<OwnDatabase> =>
  engine === 'SQLite' ? createMigratedFile() : createMigratedDatabase(serverEngines[engine]);

/** @param isMigrated whether the database has our own tables already */
export async function openStores(
  { users, sessions, ownTable = false }: StoreChoice,
  isMigrated = true,
): Promise<OpenStores> {
  // The team's table exists before the server starts. A database in memory would not.
  const database = isMigrated
    ? await openMigratedDatabase(users)
    : await (users === 'SQLite' && ownTable ? createFile() : openUserDatabase(users));
  const redis = sessions === 'Redis' ? await createRedisDatabase() : undefined;
  // SQLite has it beside its file, or in memory.
  const keys = users === 'SQLite' ? undefined : createTemporaryFolder('encryption-key');
  return {
    settings: {
      DATABASE_URL: database.url,
      ...(redis && { REDIS_URL: redis.url }),
      ...(keys && { ENCRYPTION_KEY_FILE: join(keys.path, 'key') }),
    },
    async drop() {
      keys?.remove();
      await Promise.all([database.drop(), redis?.drop()]);
    },
  };
}

function createFile(): OwnDatabase {
  const folder = createTemporaryFolder('own-table', fastFolder());
  return { url: `sqlite:${join(folder.path, 'people.db')}`, drop: async () => folder.remove() };
}
