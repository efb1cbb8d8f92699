import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createRecoveryCodes } from '../../../src/capabilities/second-factor/recovery-codes.ts';
import type { User } from '../../../src/core/users/user.ts';
import { unlocked } from '../../core/users/held.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';

const ann = { id: 'ann', username: 'ann@example.com' };
const bob = { id: 'bob', username: 'bob@example.com' };

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`recovery codes in ${engine}`, { skip: missing(engine) }, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openMigrated(engine);
    });
    after(() => opened[Symbol.asyncDispose]());

    async function open() {
      const { database } = opened;
      await database.deleteFrom('janua_recovery_codes').execute();
      const codes = createRecoveryCodes(database);
      const replace = (owner: Pick<User, 'id'>, db = database) => codes.replace(unlocked(db, owner));
      return { database, codes, replace };
    }

    test('each of ten codes works once, for its own user', async () => {
      const { codes, replace } = await open();
      assert.equal(await codes.count(ann), 0);
      const made = await replace(ann);
      const others = await replace(bob);
      assert.equal(new Set([...made, ...others]).size, 20);
      assert.equal(await codes.count(ann), 10);
      for (const [index, code] of made.entries()) {
        assert.equal(await codes.use(bob, code), false);
        assert.equal(await codes.use(ann, code), true);
        assert.equal(await codes.use(ann, code), false);
        assert.equal(await codes.count(ann), 9 - index);
      }
      assert.equal(await codes.count(bob), 10);
    });

    test('of 50 uses of a code at the same time, one succeeds', async () => {
      const { codes, replace } = await open();
      const [code = ''] = await replace(ann);
      const results = await Promise.all(Array.from({ length: 50 }, () => codes.use(ann, code)));
      assert.equal(results.filter(Boolean).length, 1);
      assert.equal(await codes.count(ann), 9);
    });

    test('a code has 120 random bits, in a form that people can type', async () => {
      const { codes, replace } = await open();
      const spellings: ((code: string) => string)[] = [
        (code) => code.toLowerCase(),
        (code) => code.replaceAll('-', ''),
        (code) => ` ${code.replaceAll('-', '  –  ')}\n`,
        (code) => code.replaceAll('0', 'o').replaceAll('1', 'l'),
        (code) => code.replaceAll('0', 'O').replaceAll('1', 'I'),
      ];
      const made = await replace(ann);
      for (let place = 0; place < 29; place += 1)
        assert.ok(place % 5 === 4 || new Set(made.map((code) => code[place])).size > 1, `place ${place} is random`);
      for (let place = 0; place < 24; place += 1)
        for (let earlier = 0; earlier < place; earlier += 1) {
          const repeats = made.map((code) => code.replaceAll('-', '')).every((code) => code[place] === code[earlier]);
          assert.ok(!repeats, `place ${place} does not repeat place ${earlier}`);
        }
      for (const [index, code] of made.entries()) {
        assert.match(code, /^(?:[0-9A-HJKMNP-TV-Z]{4}-){5}[0-9A-HJKMNP-TV-Z]{4}$/);
        const spell = spellings[index % spellings.length];
        assert.equal(await codes.use(ann, spell?.(code) ?? ''), true, code);
      }
    });

    test('a blank, truncated or foreign code is wrong', async () => {
      const { codes, replace } = await open();
      const [code = ''] = await replace(ann);
      for (const typed of [
        '',
        '-',
        ' ',
        '\0',
        'U',
        code.slice(0, -1),
        `${code}0`,
        code.replace(/.$/, 'U'),
        '0'.repeat(24),
      ])
        assert.equal(await codes.use(ann, typed), false, typed);
      assert.equal(await codes.count(ann), 10);
    });

    test('new codes void the old ones, unless their transaction fails', async () => {
      const { codes, replace, database } = await open();
      const [old = '', kept = ''] = await replace(ann);
      const failure = database.transaction().execute(async (db) => {
        await replace(ann, db);
        assert.equal(await codes.use(ann, old, db), false);
        throw new Error('the factor could not be added');
      });
      await assert.rejects(failure, /could not be added/);
      assert.equal(await codes.use(ann, old), true);
      const [made = ''] = await database.transaction().execute((db) => replace(ann, db));
      assert.equal(await codes.use(ann, kept), false);
      assert.equal(await codes.count(ann), 10);
      assert.equal(await codes.use(ann, made), true);
      const others = await replace(bob);
      await codes.remove(ann);
      assert.equal(await codes.count(ann), 0);
      assert.equal(await codes.use(bob, others[0] ?? ''), true);
    });

    test('only hashes of the codes are stored', async () => {
      const { replace, database } = await open();
      const made = await replace(ann);
      const rows = await database.selectFrom('janua_recovery_codes').selectAll().execute();
      assert.equal(rows.length, 10);
      const text = JSON.stringify(rows);
      for (const code of made)
        for (const form of [code, code.replaceAll('-', ''), code.slice(0, 9)]) assert.ok(!text.includes(form));
    });
  });
}
