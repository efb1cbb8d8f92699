import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Account } from '../../../src/core/users/account.ts';
import { createFindNames, namesIn } from '../../../src/core/users/find-names.ts';
import type { UserDirectory } from '../../../src/core/users/user-directory.ts';

const ann = { user: { id: 'ann', username: 'ann@example.com' } } as Account;

/** Counts how often the clients are read. */
function open() {
  let reads = 0;
  const findAll: UserDirectory['findAll'] = async (ids) => new Map(ids.includes('ann') ? [['ann', ann]] : []);
  const findNames = createFindNames({
    users: { findAll },
    listClients: async () => {
      reads += 1;
      return [
        { id: 'hr', name: 'HR' },
        { id: 'ann', name: 'Another' },
      ];
    },
  });
  return { findNames, reads: () => reads };
}

test('an id names a user before a client, and the clients are read once, if an id belongs to no user', async () => {
  const { findNames, reads } = open();
  const users = await findNames(['ann', 'ann', undefined]);
  assert.deepEqual([namesIn(users, { userId: 'ann' }).username, reads()], ['ann@example.com', 0]);
  for (const _ of [1, 2]) {
    const names = await findNames(['hr', 'ann', 'gone']);
    const refused = { username: undefined, program: 'HR', actor: 'ann@example.com' };
    assert.deepEqual(namesIn(names, { userId: 'hr', actorId: 'ann' }), refused);
    const changed = { username: 'ann@example.com', program: undefined, actor: 'HR' };
    assert.deepEqual(namesIn(names, { userId: 'ann', actorId: 'hr' }), changed);
    const nobody = { username: undefined, program: undefined, actor: undefined };
    assert.deepEqual(namesIn(names, { userId: 'gone' }), nobody);
  }
  assert.equal(reads(), 1);
});
