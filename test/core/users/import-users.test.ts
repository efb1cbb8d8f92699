import assert from 'node:assert/strict';
import { Readable } from 'node:stream';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createFindUsers, userRules } from '../../../src/capabilities/admin/find-users.ts';
import { demoHash } from '../../../src/commands/demo-users.ts';
import { ChangeRefused } from '../../../src/core/users/change-refused.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { noRows, type RefuseUser } from '../../../src/core/users/import-batches.ts';
import { type ImportRow, readImportRow } from '../../../src/core/users/import-columns.ts';
import { importRows } from '../../../src/core/users/import-rows.ts';
import { createImportUsers } from '../../../src/core/users/import-users.ts';
import type { ImportedUser } from '../../../src/core/users/imported-user.ts';
import { createImports } from '../../../src/core/users/imports.ts';
import { onCommit } from '../../../src/ground/database/transaction.ts';
import { readList } from '../../../src/web/list.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { openOwnAccounts } from './directories.ts';

const groupNames = new Set(['admins', 'staff', 'night-shift']);

const person = (index: number, groups: string) =>
  readImportRow(
    {
      ...{ username: `Person${index}@Example.com`, first_name: 'Pia', last_name: `Last${index}`, groups },
      ...{ disabled: index % 2 === 1, password_hash: demoHash },
    },
    groupNames,
  );

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`an import in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const users = openOwnAccounts(opened);
      const groups = createGroups(opened.database, {
        applicationScopes: ['reports:read', 'reports:write'],
        inColumn: false,
        requireOther: users.requireOtherAdministrator,
      });
      await groups.add({ name: 'staff', description: '', scopes: ['reports:read'] });
      await groups.add({ name: 'night-shift', description: '', scopes: ['reports:write'] });
      const imported: (number | undefined)[] = [];
      const imports = createImports(opened.database, users, Date.now, () => true);
      const made = imports.begin('people.csv', false);
      const addUsers = createImportUsers(
        opened.database,
        users,
        groups,
        imports,
        {
          recordIn: async (db, { count }) => onCommit(db, () => imported.push(count)),
        },
        async () => [{ id: 'a-client' }],
      );
      const actor = { caller: { route: 'janua users import' } };
      const find = createFindUsers(opened.database, users, { groupsInColumn: false }).list;
      return {
        ...opened,
        users,
        groups,
        add: (added: readonly ImportedUser[], isRehearsal = false, refuse?: RefuseUser) =>
          addUsers(added, { import: made, actor, isRehearsal }, refuse),
        imported,
        found: async (query: Record<string, string>) =>
          (await find(readList(query, userRules))).users.map(({ username }) => username),
      };
    }

    test('makes no administrator of an address in ADMINISTRATORS', async () => {
      await using opened = await open();
      const user = person(0, '');
      await opened.add([user]);
      const listed = openOwnAccounts(opened, { demoUsers: false, administrators: new Set([user.username]) });
      const account = await listed.findByUsername(user.username);
      assert.deepEqual([account?.user.groups, account?.isAddressVerified], [[], false]);
      assert.equal(account?.isAddressVouched, true);
    });

    test('adds users who are found by words and groups, and have the scopes', async () => {
      await using opened = await open();
      const { add, users, groups, found } = opened;
      assert.equal(await add([person(0, ''), person(1, 'staff'), person(2, 'staff,night-shift')]), 3);
      const account = await users.findByUsername('person2@example.com');
      assert.deepEqual(account?.scopes, ['reports:read', 'reports:write']);
      assert.deepEqual(account?.user.groups, ['night-shift', 'staff']);
      assert.equal(account?.passwordHash, demoHash);
      assert.equal((await users.findByUsername('person1@example.com'))?.disabled, true);
      assert.deepEqual(await found({ group: 'staff' }), ['person1@example.com', 'person2@example.com']);
      assert.deepEqual(await found({ q: 'last0' }), ['person0@example.com']);
      await groups.setScopes('staff', []);
      assert.deepEqual((await users.findByUsername('person2@example.com'))?.scopes, ['reports:write']);
      const rows = await opened.database.selectFrom('janua_memberships').selectAll().execute();
      assert.deepEqual(rows.map(({ group_name, username }) => `${group_name} ${username}`).sort(), [
        'night-shift person2@example.com',
        'staff person1@example.com',
        'staff person2@example.com',
      ]);
    });

    test('gives handles, and refuses users whose handle another account or a client has', async () => {
      await using opened = await open();
      const { add, users, found } = opened;
      const named = (index: number, handle: string) => ({ ...person(index, ''), handle });
      assert.equal(await add([named(0, 'zero'), named(1, 'one')]), 2);
      assert.equal((await users.findCandidate('zero'))?.account?.user.username, 'person0@example.com');
      assert.deepEqual(await found({ q: 'one' }), ['person1@example.com']);
      const batch = [named(0, 'zero'), named(2, 'zero'), named(3, 'a-client'), named(4, 'four')];
      for (const isRehearsal of [true, false]) {
        const refused: string[] = [];
        assert.equal(await add(batch, isRehearsal, ({ username }) => refused.push(username)), 1);
        assert.deepEqual(refused, ['person2@example.com', 'person3@example.com']);
      }
      assert.equal(await users.findByUsername('person2@example.com'), undefined);
      const both = [5, 6].map((index) => add([named(index, 'same')]));
      assert.deepEqual((await Promise.all(both)).sort(), [0, 1]);
    });

    test('goes on after an interruption, and leaves users who are there as they are', async () => {
      await using opened = await open();
      const { add, users } = opened;
      await add([person(0, 'staff')]);
      const former = await users.findByUsername('person0@example.com');
      assert.equal(await add([person(0, ''), person(1, ''), person(2, '')], true), 2, 'a rehearsal');
      assert.equal(await users.findByUsername('person1@example.com'), undefined);
      assert.equal(await add([person(0, ''), person(1, '')]), 1);
      assert.deepEqual(await users.findByUsername('person0@example.com'), former);
    });

    test('adds all users of a batch or none', async () => {
      await using opened = await open();
      const { add, users, groups } = opened;
      await groups.remove('night-shift');
      await assert.rejects(add([person(0, 'staff'), person(1, 'night-shift')]), ChangeRefused);
      assert.deepEqual(await Array.fromAsync(users.list()), []);
    });

    test('adds a batch that is larger than the parameters of a statement', async () => {
      await using opened = await open();
      const batch = Array.from({ length: 3000 }, (_, index) => person(index, 'staff,night-shift'));
      assert.equal(await opened.add(batch), 3000);
      assert.equal((await Array.fromAsync(opened.users.list())).length, 3000);
      assert.equal((await opened.groups.list()).find(({ name }) => name === 'night-shift')?.members, 3000);
    });

    test('adds a user once if two imports run at the same time', async () => {
      await using opened = await open();
      const batch = Array.from({ length: 20 }, (_, index) => person(index, 'staff'));
      const counts = await Promise.all([
        opened.add(batch),
        opened.add(batch),
        opened.users.add(batch[3] ?? person(3, '')),
      ]);
      assert.equal(Number(counts[0]) + Number(counts[1]) + (counts[2] === undefined ? 0 : 1), 20);
    });
  });
}

test('a row says in the words of Excel whether its user is disabled', () => {
  for (const [expected, values] of [
    [true, [true, 'TRUE', 1, '1', 'WAHR', 'VRAI', 'VERDADERO']],
    [false, [false, 'FALSE', 0, '0', '', undefined, 'FALSCH', 'FAUX', 'FALSO']],
  ] as const)
    for (const disabled of values)
      assert.equal(
        readImportRow({ username: 'ann@example.com', disabled }, groupNames).disabled,
        expected,
        `${disabled}`,
      );
});

test('a row that cannot be a user is refused', () => {
  const good: ImportRow = { username: 'ann@example.com' };
  assert.equal(readImportRow(good, groupNames).passwordHash, '');
  for (const [row, expected] of [
    [{}, /username must be one e-mail/],
    [{ username: 'ann' }, /username must be one e-mail/],
    [{ username: 'ann@example.com\0' }, /username must be one e-mail/],
    [{ username: 7 }, /username must be a text/],
    [{ ...good, first_name: 'A\nB' }, /one line/],
    [{ ...good, last_name: 'x'.repeat(101) }, /at most 100/],
    [{ ...good, last_name: 'A\0' }, /one line/],
    [{ ...good, password_hash: 'secret' }, /cannot verify the password_hash \(unknown\)/],
    [{ ...good, password_hash: '$1$abc$def' }, /cannot verify the password_hash \(\$1/],
    [{ ...good, password_hash: `${demoHash}${'A'.repeat(600)}` }, /cannot verify/],
    [{ ...good, groups: 'staff nobody' }, /There is no group nobody/],
    [{ ...good, groups: [{ toString: 1 }] }, /groups must be a list of names/],
    [{ ...good, groups: 7 }, /groups must be a text/],
    [{ ...good, handle: 'An Ann' }, /A handle has 2 to 32/],
    [{ ...good, handle: 'admin' }, /reserved/],
    [{ ...good, disabled: 'perhaps' }, /disabled must be/],
    [{ ...good, disabled: { toString: 1 } }, /disabled must be/],
  ] as const)
    assert.throws(() => readImportRow(row, groupNames), expected, JSON.stringify(row).slice(0, 80));
});

test('an import adds a bounded number of rows at once, memberships included', async () => {
  const names = Array.from({ length: 300 }, (_, index) => `g${index}`);
  const lines = ['username,groups', ...Array.from({ length: 400 }, (_, index) => `u${index}@e.co,`)];
  for (let index = 0; index < 5; index += 1) lines.push(`many${index}@e.co,${names.join(' ')}`);
  const sizes: number[] = [];
  const addUsers = async (users: readonly ImportedUser[]) => {
    sizes.push(users.reduce((rows, { groups }) => rows + 6 + groups.length, 0));
    return users.length;
  };
  const counts = noRows();
  const options = { addUsers, knownGroups: new Set(names), refuse: () => assert.fail() };
  await importRows(Readable.from([lines.join('\n')]), options, counts);
  assert.deepEqual([counts.added, Math.max(...sizes), sizes.length], [405, 498, 10]);
});

for (const [about, lines, rows] of [
  ['500 rows', 'x\n', 20_001],
  ['500 empty lines', '\n', 1],
] as const)
  test(`others have their turn between ${about} of an import`, async () => {
    let turns = 0;
    let isOver = false;
    const others = (async () => {
      for (; !isOver; turns += 1) await setImmediate();
    })();
    const counts = noRows();
    const refuse = () => {};
    const whole = importRows(
      Readable.from([`username\n${lines.repeat(20_000)}x`]),
      { addUsers: () => assert.fail(), knownGroups: groupNames, refuse },
      counts,
    );
    await whole.finally(() => {
      isOver = true;
    });
    await others;
    assert.deepEqual(counts, { rows, added: 0, refused: rows });
    assert.ok(turns >= 35, `${turns} turns`);
  });

test('a page reads no word about addresses and ids, which a command does', async () => {
  for (const column of ['sub', 'verified'])
    for (const [operator, isRead] of [
      [undefined, false],
      ['root', true],
    ] as const) {
      const rows = importRows(
        Readable.from([`username,${column}\nann@example.com,1\n`]),
        { addUsers: async (users) => users.length, knownGroups: groupNames, refuse: () => assert.fail(), operator },
        noRows(),
      );
      if (isRead) await rows;
      else await assert.rejects(rows, /The column \w+ is unknown/, column);
    }
});
