import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { createImportUsers } from '../../../src/core/users/import-users.ts';
import { createImports } from '../../../src/core/users/imports.ts';
import { createLastLogins } from '../../../src/core/users/last-logins.ts';
import type { RequireRights, Rights } from '../../../src/core/users/scopes.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { insertSample, keyOf } from '../../ground/database/sample-rows.ts';
import { missing } from '../../servers/missing.ts';
import { openOwnAccounts } from './directories.ts';

const time = 1_700_000_000_000;
const person = (name: string, groups: readonly string[] = []) => ({
  ...{ username: `${name}@example.com`, firstName: name, lastName: '', groups, passwordHash: 'hash', demo: false },
  addressProof: 'import' as const,
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`imports in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const { database } = opened;
      const users = openOwnAccounts(opened);
      const requireOther = users.requireOtherAdministrator;
      const groups = createGroups(database, { applicationScopes: [], inColumn: false, requireOther });
      await groups.add({ name: 'staff', description: '', scopes: ['users:read'] });
      const imports = createImports(
        database,
        users,
        () => time,
        () => true,
      );
      const addUsers = createImportUsers(database, users, groups, imports, { recordIn: async () => {} });
      const counts: number[] = [];
      return {
        ...opened,
        ...{ users, groups, imports, counts },
        async add(label: string, ...batches: (readonly ReturnType<typeof person>[])[]) {
          const made = imports.begin(label, false);
          const actor = { caller: { route: 'test', operator: 'root' } };
          for (const batch of batches) await addUsers(batch, { import: made, actor, isRehearsal: false });
          return made.id;
        },
        undo: (id: string, requireRights: RequireRights = () => {}) =>
          imports.undo(id, requireRights, async (_db, { count }) => void counts.push(count)),
        list: async () =>
          (await imports.list(50, undefined)).map(({ label, added, left, used }) => [label, added, left, used]),
        names: async () => (await Array.fromAsync(users.list())).map(({ username }) => username.replace(/@.*/, '')),
        idOf: async (name: string) => (await users.findByUsername(`${name}@example.com`))?.user.id ?? assert.fail(),
      };
    }

    test('count all batches of a file, and have only the users that they added', async () => {
      await using opened = await open();
      const { add, undo, list, names, counts, imports } = opened;
      await add('first.csv', [person('ann')]);
      const second = await add('second.csv', [person('ann'), person('bob')], [person('cid', ['staff'])]);
      await add('nobody.csv', [person('ann')]);
      const [latest] = await imports.list(1, undefined);
      assert.deepEqual(
        [latest?.id, latest?.operator, latest?.actorId, latest?.createdAt.getTime()],
        [second, 'root', undefined, time],
      );
      assert.deepEqual(await imports.list(9, (await imports.list(9, undefined)).at(-1)?.id), []);
      assert.deepEqual(await list(), [
        ['second.csv', 2, 2, 0],
        ['first.csv', 1, 1, 0],
      ]);
      assert.equal(await undo(second), 2);
      assert.deepEqual([await names(), counts], [['ann'], [2]]);
      await assert.rejects(undo(second), { code: 'no-such-import' });
      for (const table of ['janua_memberships', 'janua_search'] as const) {
        const rows = await opened.database.selectFrom(table).select('user_id').distinct().execute();
        assert.equal(rows.length, table === 'janua_search' ? 1 : 0, table);
      }
    });

    test('can be undone whatever administrators have changed, and not once an account was used', async () => {
      await using opened = await open();
      const { database, users, add, undo, names, idOf } = opened;
      const { noteLogin } = createLastLogins(database, () => time);
      const change = (values: object) => async (id: string) =>
        void (await database.updateTable('janua_users').set(values).where('id', '=', id).execute());
      const insert =
        (table: Parameters<typeof keyOf>[0], values = {}) =>
        (id: string) =>
          insertSample(database, table, { [keyOf(table)]: 'x', user_id: id, ...values });
      const [app, link] = [
        { created_at: time, last_used_at: null },
        { linked_at: time, last_used_at: null },
      ];
      for (const [about, use, isRefused] of [
        ['nothing', async () => {}, false],
        ['a name', change({ first_name: 'Other' }), false],
        ['a handle', change({ handle: 'someone' }), false],
        ['disabled', change({ disabled: 1 }), false],
        ['an open link', insert('janua_tokens'), false],
        ['an app that came with the import', insert('janua_totp', app), false],
        ['a link that came with the import', insert('janua_identities', link), false],
        ['an app that came, and was used', insert('janua_totp', { ...app, last_used_at: time }), true],
        ['a link that came, and was used', insert('janua_identities', { ...link, last_used_at: time }), true],
        ['a sign-in', (id: string) => noteLogin({ id }), true],
        ['a password', change({ password_changed_at: time }), true],
        ['a linked account', insert('janua_identities'), true],
        ['a passkey', insert('janua_passkeys'), true],
        ['an app', insert('janua_totp'), true],
        ['a login without its second factor', insert('janua_pending_logins'), true],
        ['a token', insert('janua_access_tokens'), true],
      ] as const) {
        const id = await add(about, [person('ann'), person('bob')]);
        await use(await idOf('bob'));
        if (!isRefused) {
          assert.equal(await undo(id), 2, about);
          continue;
        }
        await assert.rejects(undo(id), (error) => {
          assert.ok(error instanceof ChangeRefused, about);
          assert.equal(error.code, 'import-in-use', about);
          assert.match(error.message, /: 1\. So it cannot/);
          return true;
        });
        assert.deepEqual(await names(), ['ann', 'bob'], about);
        assert.deepEqual(await opened.list(), [[about, 2, 2, 1]]);
        const bob = await idOf('bob');
        await opened.database.transaction().execute((db) => users.removeAll([bob], db));
        assert.equal(await undo(id), 1, `${about}: without the user`);
      }
      assert.deepEqual(await names(), []);
    });

    test('are undone within the rights of the administrator, which cover each user as they are now', async () => {
      await using opened = await open();
      const { add, undo, names } = opened;
      const id = await add('', [person('ann'), person('bob', ['staff']), person('cid', ['admins'])]);
      const judged: Rights[] = [];
      const refuse = (...changed: readonly Rights[]) => {
        judged.push(...changed);
        throw new Error('beyond');
      };
      await assert.rejects(undo(id, refuse), /beyond/);
      assert.deepEqual(judged.map(({ groups }) => groups.join()).sort(), ['', 'admins', 'staff']);
      assert.equal((await names()).length, 3);
    });

    test('keep the last administrator, and then every user', async () => {
      await using opened = await open();
      const { add, undo, names, counts } = opened;
      const id = await add('', [person('ann', ['admins']), person('bob', ['admins'])], [person('cid')]);
      await assert.rejects(undo(id), { code: 'last-administrator' });
      assert.deepEqual([await names(), await opened.list()], [['ann', 'bob', 'cid'], [['', 3, 3, 0]]]);
      await add('', [person('dee', ['admins'])]);
      counts.length = 0;
      assert.equal(await undo(id), 3);
      assert.deepEqual([await names(), counts], [['dee'], [3]]);
    });

    test('are undone with their handles, which a corrected file gives again', async () => {
      await using opened = await open();
      const { add, undo, database } = opened;
      const handled = { ...person('ann'), handle: 'annie' };
      for (let times = 0; times < 2; times += 1) assert.equal(await undo(await add('', [handled])), 1);
      assert.deepEqual(await database.selectFrom('janua_handles').selectAll().execute(), []);
    });

    test('are undone once by requests that race, and whole', async () => {
      await using opened = await open();
      const { add, undo, names } = opened;
      const id = await add('', ...[0, 1, 2].map((batch) => [person(`a${batch}`), person(`b${batch}`)]));
      const results = await Promise.allSettled(Array.from({ length: 5 }, () => undo(id)));
      assert.deepEqual(
        results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : [])),
        [6],
      );
      assert.deepEqual(await names(), []);
    });

    test('change nothing if their event cannot be recorded', async () => {
      await using opened = await open();
      const id = await opened.add('', [person('ann')]);
      const failing = opened.imports.undo(
        id,
        () => {},
        async () => {
          throw new Error('lost');
        },
      );
      await assert.rejects(failing, /lost/);
      assert.deepEqual(await opened.list(), [['', 1, 1, 0]]);
    });

    test('are forgotten once their users are gone', async () => {
      await using opened = await open();
      const { add, list, users, imports, database, idOf } = opened;
      await add('old.csv', [person('ann')]);
      await add('new.csv', [person('bob')]);
      const id = await idOf('ann');
      await database.transaction().execute((db) => users.removeAll([id], db));
      assert.deepEqual(await list(), [['new.csv', 1, 1, 0]]);
      await imports.clean();
      const rows = await database.selectFrom('janua_imports').select('label').execute();
      assert.deepEqual(rows, [{ label: 'new.csv' }]);
    });

    test('of thousands of users are undone whole', async () => {
      await using opened = await open();
      const batch = Array.from({ length: 1600 }, (_, index) => person(`p${index}`));
      const id = await opened.add('', batch);
      assert.equal(await opened.undo(id), 1600);
      assert.deepEqual(await opened.names(), []);
    });
  });
