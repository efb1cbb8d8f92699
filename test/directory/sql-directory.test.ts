import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openDatabase } from '../../src/database/database.ts';
import { migrate } from '../../src/database/migrations.ts';
import { createSqlDirectory } from '../../src/directory/sql-directory.ts';
import { testUserRegistry } from './registry-contract.ts';

testUserRegistry('SQLite', async () => {
  const database = openDatabase('sqlite::memory:');
  await migrate(database);
  return { users: createSqlDirectory(database, { demoUsers: false }), [Symbol.asyncDispose]: () => database.destroy() };
});

test("the demo's users may sign in to the demo only", async () => {
  const database = openDatabase('sqlite::memory:');
  await migrate(database);
  const demo = { username: 'demo@example.com', firstName: 'D', lastName: 'D', passwordHash: 'hash', demo: true };
  const inDemo = createSqlDirectory(database, { demoUsers: true });
  const inProduction = createSqlDirectory(database, { demoUsers: false });
  await inDemo.add(demo);
  assert.equal((await inDemo.findByUsername(demo.username))?.disabled, false);
  const account = await inProduction.findByUsername(demo.username);
  assert.equal(account?.disabled, true);
  await inProduction.setPasswordHash(account?.user.id ?? '', 'set by hand');
  assert.equal((await inProduction.findByUsername(demo.username))?.disabled, false);
  await database.destroy();
});
