import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { NewUser, UserRegistry } from '../../src/users/user-directory.ts';
import { ann as person } from './directory-contract.ts';

export interface OpenRegistry extends AsyncDisposable {
  readonly users: UserRegistry;
}

const ann: NewUser = { ...person, demo: false };

/** The contract of every directory that this server changes. @param open makes an empty one */
export function testUserRegistry(name: string, open: () => Promise<OpenRegistry>, skip: string | false = false): void {
  async function openWithAnn() {
    const opened = await open();
    assert.equal(await opened.users.add(ann), true);
    const account = await opened.users.findByUsername(ann.username);
    assert.ok(account !== undefined);
    return { users: opened.users, account, [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose]() };
  }

  describe(`${name} as a registry of users`, { skip }, () => {
    test('adds a name only once, even in two requests at the same time', async () => {
      await using opened = await openWithAnn();
      const bob = { ...ann, username: 'bob@example.com' };
      const added = await Promise.all([opened.users.add(bob), opened.users.add(bob), opened.users.add(ann)]);
      assert.deepEqual(added.toSorted(), [false, false, true]);
      assert.deepEqual(
        (await Array.fromAsync(opened.users.list())).map(({ username }) => username),
        [ann.username, bob.username],
      );
    });

    test('changes and removes users', async () => {
      await using opened = await openWithAnn();
      const { users, account } = opened;
      const { id } = account.user;
      await users.setDisabled(id, true);
      assert.equal((await users.findById(id))?.disabled, true);
      assert.equal((await Array.fromAsync(users.list()))[0]?.disabled, true);
      await users.setDisabled(id, false);
      assert.equal((await users.findByUsername(ann.username))?.disabled, false);
      await users.setPasswordHash(id, 'set');
      assert.equal((await users.findById(id))?.passwordHash, 'set');
      await users.remove(id);
      assert.equal(await users.findById(id), undefined);
      assert.deepEqual(await Array.fromAsync(users.list()), []);
    });

    test('lists the fields for an administrator, without a hash', async () => {
      await using opened = await openWithAnn();
      const [listed] = await Array.fromAsync(opened.users.list());
      assert.deepEqual(Object.keys(listed ?? {}).sort(), [
        'createdAt',
        'demo',
        'disabled',
        'firstName',
        'id',
        'lastName',
        'username',
      ]);
      assert.ok(Math.abs(Number(listed?.createdAt) - Date.now()) < 60_000);
    });
  });
}
