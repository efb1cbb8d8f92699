import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setHandle } from '../../../src/core/users/handles.ts';
import type { NewUser } from '../../../src/core/users/user-directory.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import type { openOwnAccounts } from './directories.ts';
import { ann as person } from './directory-contract.ts';
import { holdIn } from './held.ts';

export interface OpenRegistry extends AsyncDisposable {
  readonly users: ReturnType<typeof openOwnAccounts>;
  readonly database: Database;
}

const ann: NewUser = { ...person, demo: false };

/** The contract of every directory that this server changes. @param open makes an empty one */
export function testUserRegistry(name: string, open: () => Promise<OpenRegistry>, skip: string | false = false): void {
  async function openWithAnn() {
    const opened = await open();
    assert.ok(await opened.users.add(ann));
    const account = await opened.users.findByUsername(ann.username);
    assert.ok(account !== undefined);
    const hold = holdIn(opened.database, opened.users, opened.users);
    return { users: opened.users, hold, account, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }

  describe(`${name} as a registry of users`, { skip }, () => {
    test('adds a name only once, even in two requests at the same time', async () => {
      await using opened = await openWithAnn();
      const bob = { ...ann, username: 'bob@example.com' };
      const added = await Promise.all([opened.users.add(bob), opened.users.add(bob), opened.users.add(ann)]);
      assert.equal(added.filter((id) => id !== undefined).length, 1);
      assert.deepEqual(
        (await Array.fromAsync(opened.users.list())).map(({ username }) => username),
        [ann.username, bob.username],
      );
    });

    test('changes and removes users', async () => {
      await using opened = await openWithAnn();
      const { users, hold, account } = opened;
      const { id } = account.user;
      const disable = (disabled: boolean) => hold(id, (held) => users.setDisabled(held, disabled), { groups: true });
      await disable(true);
      assert.equal((await users.findById(id))?.disabled, true);
      assert.equal((await Array.fromAsync(users.list()))[0]?.disabled, true);
      await disable(false);
      assert.equal((await users.findByUsername(ann.username))?.disabled, false);
      const setPassword = () => hold(id, async (held) => users.setPassword?.(held, 'set'));
      assert.equal(await setPassword(), true);
      assert.equal((await users.findById(id))?.passwordHash, 'set');
      const { passwordChangedAt } = await users.findDetails(account.user);
      assert.ok(Math.abs(Number(passwordChangedAt) - Date.now()) < 60_000);
      await hold(id, (held) => users.setName(held, { firstName: 'Anna', lastName: 'Baker' }));
      assert.equal((await users.findById(id))?.user.lastName, 'Baker');
      assert.equal((await users.findById(id))?.stamp, account.stamp, 'the door of changes renews it (changes/)');
      const remove = () => hold(id, users.remove, { groups: true });
      await remove();
      for (const again of [remove, setPassword]) await assert.rejects(again(), { code: 'no-such-user' });
      assert.equal(await users.findById(id), undefined);
      assert.deepEqual(await Array.fromAsync(users.list()), []);
    });

    test('gives the handle of a removed user to nobody', async () => {
      await using opened = await openWithAnn();
      const { users, hold, account } = opened;
      const bobId = (await users.add({ ...ann, username: 'bob@example.com' })) ?? assert.fail();
      await hold(account.user.id, (held) => setHandle(held, 'ann'));
      await hold(account.user.id, users.remove, { groups: true });
      assert.equal(await users.findCandidate('ann'), undefined);
      await assert.rejects(
        hold(bobId, (held) => setHandle(held, 'ann')),
        { code: 'handle-taken' },
      );
    });

    test('changes a name and keeps the stamp, unless the name is taken', async () => {
      await using opened = await openWithAnn();
      const { users, hold, account } = opened;
      await users.add({ ...ann, username: 'bob@example.com' });
      const setUsername = (name: string) =>
        hold(account.user.id, async (held) => {
          if (!(await users.setUsername(held, name))) throw new Error('taken');
        });
      await assert.rejects(setUsername('bob@example.com'), /taken/);
      await setUsername('anna@example.com');
      const renamed = await users.findByUsername('anna@example.com');
      assert.equal(renamed?.user.id, account.user.id);
      assert.equal(renamed?.stamp, account.stamp);
      assert.equal(await users.findByUsername(ann.username), undefined);
    });

    test('lists the fields for an administrator, without a hash', async () => {
      await using opened = await openWithAnn();
      const [listed] = await Array.fromAsync(opened.users.list());
      assert.deepEqual(Object.keys(listed ?? {}).sort(), [
        'addressVerified',
        'createdAt',
        'demo',
        'disabled',
        'firstName',
        'groups',
        'id',
        'lastName',
        'username',
      ]);
      assert.ok(Math.abs(Number(listed?.createdAt) - Date.now()) < 60_000);
    });
  });
}
