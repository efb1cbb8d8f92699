import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { hasForeignPassword, stampOf } from '../../../src/core/users/account.ts';
import { setHandle } from '../../../src/core/users/handles.ts';
import type { UserDirectory } from '../../../src/core/users/user-directory.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { inTransaction } from '../../../src/ground/database/transaction.ts';
import { holdIn } from './held.ts';

/** A user that a test inserts into a directory. */
export interface Person {
  readonly username: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly passwordHash: string;
}

export interface OpenDirectory extends AsyncDisposable {
  readonly users: UserDirectory;
  readonly database: Database;
  /** Whether the users are in a team's own table. */
  readonly hasKeys?: true;
  /** Inserts a user directly, as the owner of the table would. */
  insert(person: Person): Promise<void>;
}

export const ann: Person = {
  username: 'ann@example.com',
  firstName: 'Ann',
  lastName: "O'Archer",
  passwordHash: 'hash',
};

/** The contract of every directory of users. @param open makes an empty one */
export function testUserDirectory(
  name: string,
  open: () => Promise<OpenDirectory>,
  skip: string | false = false,
): void {
  async function openWithAnn() {
    const opened = await open();
    const { users, insert, database } = opened;
    await insert(ann);
    const account = await users.adoptByUsername(ann.username);
    assert.ok(account !== undefined);
    const lock = (id: string) => inTransaction(database, (db) => users.lock(id, db));
    const hold = holdIn(database, users);
    /** How many changes have locked each row. */
    const changes = async () =>
      (await database.selectFrom('janua_users').select('changes').execute()).map((row) => Number(row.changes));
    return { ...opened, account, lock, hold, changes, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
  }

  describe(`${name} as a directory of users`, { skip }, () => {
    test('finds a user by the handle, which no other account gets then or later', async () => {
      await using opened = await openWithAnn();
      const { users, insert, hold, account } = opened;
      const annId = account.user.id;
      await insert({ ...ann, username: 'bob@example.com' });
      const bobId = (await users.adoptByUsername('bob@example.com'))?.user.id ?? assert.fail();
      const give = (id: string, handle?: string) => hold(id, (held) => setHandle(held, handle));
      const owner = async (handle: string) => (await users.findCandidate(handle))?.account?.user.id;
      assert.deepEqual([await give(annId, 'ann'), await give(annId, 'ann')], [true, false]);
      assert.equal(await owner('ann'), annId);
      assert.equal((await users.findById(annId))?.user.handle, 'ann');
      assert.equal(await give(annId, 'annie'), true);
      assert.deepEqual([await owner('ann'), await owner('annie')], [undefined, annId]);
      await give(annId);
      assert.equal(await owner('annie'), undefined);
      for (const handle of ['ann', 'annie']) await assert.rejects(give(bobId, handle), { code: 'handle-taken' });
      assert.equal(await give(annId, 'ann'), true, 'its own one');
      const claims = await Promise.allSettled([annId, bobId].map((id) => give(id, 'both')));
      assert.deepEqual(claims.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
      const further = Array.from({ length: 11 }, (_, index) => `bob${index}`);
      const given = await Promise.allSettled(further.map((handle) => give(bobId, handle)));
      const most = 10 - Number(claims[1]?.status === 'fulfilled');
      assert.equal(given.filter(({ status }) => status === 'fulfilled').length, most);
    });

    test('finds a user by name and by id', async () => {
      await using opened = await openWithAnn();
      const { users, account: found } = opened;
      const { passwordPrint, ...account } = found;
      const { sourceKey, ...user } = account.user;
      assert.deepEqual([hasForeignPassword(found) ?? false, sourceKey !== undefined], [false, opened.hasKeys ?? false]);
      assert.equal(passwordPrint === undefined, sourceKey === undefined);
      assert.deepEqual(
        { ...account, user },
        {
          user: {
            id: account.user.id,
            username: ann.username,
            firstName: ann.firstName,
            lastName: ann.lastName,
            groups: [],
          },
          scopes: [],
          passwordHash: 'hash',
          disabled: false,
          stamp: account.stamp,
          isAddressVerified: false,
          isAddressVouched: true,
        },
      );
      assert.equal(typeof account.user.id, 'string');
      assert.deepEqual(await users.findById(account.user.id), found);
    });

    test('finds no user by an unknown name or id', async () => {
      await using opened = await openWithAnn();
      const { id } = opened.account.user;
      const texts = [
        '',
        'ann',
        '%',
        'ann@example.co_',
        "' or '1'='1",
        "o'hara",
        'o"hara',
        "\\' or 1=1 -- ",
        'ann@example.com\0',
        ' ann@example.com',
        '__proto__',
        'änn@example.com',
        '0',
        '-1',
        '99999999999999999999999999',
        '00000000-0000-0000-0000-000000000000',
        `${id} `,
        `${id}.0`,
        `0${id}`,
        `${id}x`,
      ];
      const stored = texts.filter((text) => !text.includes('\0'));
      assert.deepEqual([...(await opened.users.findAll([...stored, id]))], [[id, opened.account]]);
      assert.deepEqual([...(await opened.users.findAll([]))], []);
      for (const text of stored) assert.equal(await opened.lock(text), undefined, text);
      assert.equal((await opened.changes()).length, 1);
      for (const text of texts) {
        assert.equal(await opened.users.adoptByUsername(text), undefined, text);
        assert.equal(await opened.users.findById(text), undefined, text);
      }
    });

    test('replaces a hash only if it has not changed since it was read', async () => {
      await using opened = await openWithAnn();
      const { users, account } = opened;
      const stored = async () => (await users.findById(account.user.id))?.passwordHash;
      await users.replacePasswordHash({ ...account, passwordHash: 'other' }, 'new');
      assert.equal(await stored(), 'hash');
      await users.replacePasswordHash(account, 'new');
      assert.equal(await stored(), 'new');
    });

    test('locks a user, which reads the account and counts', async () => {
      await using opened = await openWithAnn();
      const { users, lock, changes } = opened;
      const { id } = opened.account.user;
      const locked = await lock(id);
      const before = await changes();
      assert.deepEqual(locked, await users.findById(id));
      assert.equal(stampOf(locked ?? opened.account), stampOf(opened.account), 'sessions stay');
      await lock(id);
      assert.deepEqual(await changes(), [Number(before[0]) + 1]);
    });

    test('makes other changes of a user wait for the end of a transaction, and they then see it', async () => {
      await using opened = await openWithAnn();
      const { users, hold, account } = opened;
      let inside = 0;
      let stamp = stampOf(account);
      const renewals = Array.from({ length: 8 }, () =>
        hold(account.user.id, async (held) => {
          inside += 1;
          try {
            assert.equal(inside, 1);
            assert.equal(stampOf(held.account), stamp);
            await users.renewStamp(held);
            const renewed = await users.lock(account.user.id, held.db);
            assert.ok(renewed);
            assert.notEqual(stampOf(renewed), stamp);
            stamp = stampOf(renewed);
          } finally {
            inside -= 1;
          }
        }),
      );
      await Promise.all(renewals);
      const last = await users.findById(account.user.id);
      assert.equal(last && stampOf(last), stamp);
      assert.deepEqual([last?.passwordHash, last?.disabled], [account.passwordHash, false]);
      const undone = hold(account.user.id, async (held) => {
        await users.renewStamp(held);
        throw new Error('the change failed');
      });
      await assert.rejects(undone, /the change failed/);
      assert.deepEqual(await users.findById(account.user.id), last);
    });

    test('lists every user once, by name, without a hash', async () => {
      await using opened = await openWithAnn();
      const names = Array.from({ length: 12 }, (_, index) => `user-${String(index).padStart(2, '0')}@example.com`);
      for (const username of names) {
        await opened.insert({ ...ann, username });
        await opened.users.adoptByUsername(username);
      }
      const listed = await Array.fromAsync(opened.users.list());
      assert.deepEqual(
        listed.map(({ username }) => username),
        [ann.username, ...names],
      );
      assert.ok(!JSON.stringify(listed).includes('hash'));
    });
  });
}
