import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createChangePassword } from '../../../src/capabilities/account/password.ts';
import { tooManyChanges } from '../../../src/core/users/change-refused.ts';
import { caller } from '../../janua.ts';

test('a new password beyond the allowance of changes is refused before it is hashed', async () => {
  const audit = {
    requireAllowance() {
      throw tooManyChanges();
    },
  };
  const steps = { hash: async () => assert.fail('it is hashed') };
  const changePassword = createChangePassword({ audit } as never, steps as never);
  const changed = changePassword({} as never, { account: { user: { id: 'ann' } }, password: 'new', caller } as never);
  await assert.rejects(changed, { code: 'too-many-changes' });
});
