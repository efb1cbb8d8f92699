import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openWithin } from '../../../src/ground/database/database.ts';
import { inTransaction, inTransactionOn, onCommit } from '../../../src/ground/database/transaction.ts';
import { missing } from '../../servers/missing.ts';
import { openMigrated } from './open.ts';

const group = (name: string) => ({ name, description: '', scopes: '' });

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`parts that are opened within a transaction, on ${engine}`, { skip: missing(engine) }, () => {
    test('see its changes, and their own transactions become a part of it', async () => {
      await using opened = await openMigrated(engine);
      const { database } = opened;
      const names = async () => (await database.selectFrom('janua_groups').select('name').execute()).length;
      const before = await names();
      const steps: string[] = [];
      const failure = new Error('the last step fails');
      const run = (fails: boolean) =>
        inTransactionOn(database, { rows: ['groups'] }, async (db) => {
          const within = openWithin(opened, db);
          const find = within.prepareLookup(
            (name) => within.database.selectFrom('janua_groups').selectAll().where('name', '=', name),
            'name',
          );
          await inTransaction(within.database, (inner) =>
            inner.insertInto('janua_groups').values(group('one')).execute(),
          );
          // The same row is locked already: a transaction of its own would wait for ever.
          await inTransactionOn(within.database, { rows: ['groups'] }, async (inner) => {
            await inner.insertInto('janua_groups').values(group('two')).execute();
            onCommit(inner, () => steps.push('two'));
          });
          await within.check();
          const found = [await find('one'), await find('two'), await find('ONE'), await find('a\0b')];
          assert.deepEqual(
            found.map((rows) => rows.length),
            [1, 1, 0, 0],
          );
          assert.deepEqual(steps, []);
          if (fails) throw failure;
        });
      await assert.rejects(run(true), failure);
      assert.deepEqual([await names(), steps], [before, []]);
      await run(false);
      assert.deepEqual([await names(), steps], [before + 2, ['two']]);
    });
  });
