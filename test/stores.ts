import type { Settings } from '../src/config/settings.ts';
import { createDatabase, createRedisDatabase, type OwnDatabase } from './servers/shared.ts';

export type UserEngine = 'SQLite' | 'PostgreSQL' | 'MariaDB';

/** Where a server under test keeps its users and its sessions. */
export interface StoreChoice {
  readonly users: UserEngine;
  readonly sessions: 'SQL' | 'Redis';
}

/** Empty stores of a test's own, as settings. */
export interface OpenStores {
  readonly settings: Partial<Settings>;
  drop(): Promise<void>;
}

const memory: OwnDatabase = { url: 'sqlite::memory:', drop: async () => {} };

export const openUserDatabase = (engine: UserEngine): Promise<OwnDatabase> =>
  engine === 'SQLite' ? Promise.resolve(memory) : createDatabase(engine === 'PostgreSQL' ? 'postgres' : 'mariadb');

export async function openStores({ users, sessions }: StoreChoice): Promise<OpenStores> {
  const database = await openUserDatabase(users);
  const redis = sessions === 'Redis' ? await createRedisDatabase() : undefined;
  return {
    settings: { DATABASE_URL: database.url, ...(redis && { REDIS_URL: redis.url }) },
    async drop() {
      await Promise.all([database.drop(), redis?.drop()]);
    },
  };
}
