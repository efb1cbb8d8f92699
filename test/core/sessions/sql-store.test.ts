import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { testSessionStore } from './store-contract.ts';

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
