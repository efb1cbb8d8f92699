import { openDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrations.ts';
import { createSqlSessionStore } from '../../src/sessions/sql-store.ts';
import { testSessionStore } from './store-contract.ts';

testSessionStore('SQLite', async () => {
  const database = openDatabase('sqlite::memory:');
  await migrate(database);
  return { store: createSqlSessionStore(database), [Symbol.asyncDispose]: () => database.destroy() };
});
