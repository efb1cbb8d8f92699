import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFindUsers, userRules } from '../../src/admin/find-users.ts';
import { cursorOf, readList } from '../../src/admin/list.ts';
import { createGroups } from '../../src/users/groups.ts';
import { createSqlDirectory } from '../../src/users/sql-directory.ts';
import { openMigrated } from '../database/open.ts';
import { missing } from '../servers/missing.ts';

const people = [
  ['ann@example.com', 'Ann', 'Archer'],
  ['bob@example.com', 'Bob', 'Ann'],
  ['cid@example.com', 'Änne', 'Čermák'],
  ['dee_x@example.com', '100%', 'O_o'],
] as const;

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the list of users in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const users = createSqlDirectory(opened, { demoUsers: false });
      const ids: string[] = [];
      for (const [username, firstName, lastName] of people)
        ids.push((await users.add({ username, firstName, lastName, passwordHash: 'hash', demo: false })) ?? '');
      const find = createFindUsers(opened.database, { demoUsers: false });
      const groups = createGroups(opened.database, {
        ownUsers: true,
        applicationScopes: [],
        inColumn: false,
        requireOther: users.requireOtherAdministrator,
      });
      /** The first letters of all pages, a page separated by a bar. */
      async function listed(query: Record<string, string>): Promise<string> {
        const pages: string[] = [];
        let cursor: string | undefined = '';
        while (cursor !== undefined) {
          const page = await find(readList({ ...query, cursor }, userRules));
          pages.push(page.users.map(({ user }) => user.username[0]).join(''));
          cursor = page.nextCursor;
          assert.ok(pages.length < 9, 'the list ends');
        }
        return pages.join('|');
      }
      return { users, groups, ids, listed, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
    }

    test('finds by the beginning of address, names and last name, each user once', async () => {
      await using opened = await open();
      const { listed, users, ids } = opened;
      for (const [q, expected] of [
        ['', 'abcd'],
        ['ann', 'ab'],
        ['ANN A', 'a'],
        ['archer', 'a'],
        ['rcher', ''],
        ['än', 'c'],
        ['čer', 'c'],
        ['100%', 'd'],
        ['%', ''],
        ['dee_', 'd'],
        ['___', ''],
        ["' or 1=1 --", ''],
      ] as const)
        assert.equal([...(await listed({ q }))].sort().join(''), expected, q);
      assert.equal(await listed({ q: 'ann', limit: '1' }), 'b|a');
      await users.setName(ids[0] ?? '', { firstName: 'Zoe', lastName: 'Zed' });
      assert.equal(await listed({ q: 'zed' }), 'a');
      assert.equal(await listed({ q: 'archer' }), '');
      await users.remove(ids[0] ?? '');
      assert.equal(await listed({ q: 'zed' }), '');
    });

    test('filters, sorts and pages', async () => {
      await using opened = await open();
      const { listed, users, groups, ids } = opened;
      await users.setDisabled(ids[1] ?? '', true);
      await groups.add({ name: 'staff', description: '', scopes: [] });
      for (const index of [0, 1, 3])
        await groups.setGroupsOf({ id: ids[index] ?? '', username: people[index]?.[0] ?? '' }, () => ['staff']);
      assert.equal(await listed({ limit: '3' }), 'abc|d');
      assert.equal(await listed({ limit: '2', sort: '-username' }), 'dc|ba');
      assert.equal(await listed({ group: 'staff', limit: '2' }), 'ab|d');
      assert.equal(await listed({ group: 'staff', state: 'enabled' }), 'ad');
      assert.equal(await listed({ group: 'staff', q: 'ann' }).then((text) => [...text].sort().join('')), 'ab');
      assert.equal(await listed({ state: 'disabled' }), 'b');
      assert.equal(await listed({ factor: 'yes' }), '');
    });
  });
}

// Shows: VM-92
test('a query that cannot be read is refused', () => {
  for (const query of [
    { limit: '0' },
    { limit: '201' },
    { limit: '1e2' },
    { sort: 'password_hash' },
    { sort: ['username'] },
    { state: 'x' },
    { q: 'x'.repeat(255) },
    { q: '\ud800' },
    { cursor: 'x' },
    { cursor: cursorOf([]) },
    { cursor: cursorOf(['a', 'b']) },
    { cursor: cursorOf(['x'.repeat(321)]) },
    { cursor: Buffer.from('[1]').toString('base64url') },
    { cursor: Buffer.from('{"length":1}').toString('base64url') },
    { q: 'a', cursor: cursorOf(['a']) },
  ])
    assert.throws(() => readList(query, userRules), /unreadable-list/, JSON.stringify(query));
});
