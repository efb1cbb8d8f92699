import { openDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrations.ts';
import { createSqlDirectory } from '../../src/directory/sql-directory.ts';
import { testUserRegistry } from './registry-contract.ts';

testUserRegistry('SQLite', async () => {
  const database = openDatabase('sqlite::memory:');
  await migrate(database);
  return { users: createSqlDirectory(database), [Symbol.asyncDispose]: () => database.destroy() };
});
