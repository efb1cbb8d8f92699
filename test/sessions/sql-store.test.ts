import { createSqlSessionStore } from '../../src/sessions/sql-store.ts';
import { openMigrated } from '../database/open.ts';
import { missing } from '../servers/missing.ts';
import { testSessionStore } from './store-contract.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  testSessionStore(
    engine,
    async () => {
      const opened = await openMigrated(engine);
      return { store: createSqlSessionStore(opened), [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
    },
    { skip: missing(engine) },
  );
}
