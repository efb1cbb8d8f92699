import { join } from 'node:path';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { openMigrated, openTestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { createTemporaryFolder } from '../../servers/process-end.ts';
import { testRestart, testSessionStore } from './store-contract.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  testSessionStore(
    engine,
    async () => {
      const opened = await openMigrated(engine);
      return {
        store: createSqlSessionStore(opened),
        clean: (time) => removeExpired(opened.database, 'janua_sessions', time),
        [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
      };
    },
    { skip: missing(engine) },
  );
}

testRestart(
  'SQLite',
  async (url) => {
    const opened = await openTestDatabase(url);
    await migrate(opened);
    return { store: createSqlSessionStore(opened), [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
  },
  async () => {
    const folder = createTemporaryFolder('sessions');
    return { url: `sqlite:${join(folder.path, 'janua.db')}`, drop: async () => folder.remove() };
  },
);
