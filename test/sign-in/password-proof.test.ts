import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createProvePassword } from '../../src/sign-in/password-proof.ts';
import type { Account } from '../../src/users/account.ts';
import type { UserDirectory } from '../../src/users/user-directory.ts';
import { ann } from '../janua.ts';

const weak: Account = {
  user: { id: '1', ...ann },
  passwordHash: 'weak hash of secret',
  disabled: false,
  stamp: undefined,
};

/** Somebody with a weak hash logs in, and what is stored becomes another before it can be replaced. */
async function logInWhile(stored: string): Promise<string | undefined> {
  const users: UserDirectory = {
    findByUsername: async () => weak,
    findById: async () => ({ ...weak, passwordHash: stored }),
    replacePasswordHash: async () => {},
    async *list() {},
    async check() {},
  };
  const provePassword = createProvePassword({
    users,
    passwords: {
      check: async (hash, secret) => ({
        matches: hash?.endsWith(`hash of ${secret}`) ?? false,
        replacement: hash?.startsWith('weak') ? `strong hash of ${secret}` : undefined,
      }),
      hash: async (secret) => `strong hash of ${secret}`,
      load: () => ({ underWay: 0, waiting: 0 }),
      failureFloor: () => 0,
      calibrate: async () => {},
    },
    log: { warn() {} },
  });
  const result = await provePassword(weak, 'secret');
  return result.succeeded ? result.proof.account.passwordHash : undefined;
}

test('whose weak hash is stored anew by another login, or cannot be, is let in with what is stored', async () => {
  for (const stored of ['strong hash of secret', 'another strong hash of secret', 'weak hash of secret'])
    assert.equal(await logInWhile(stored), stored);
});

// Shows: V15.4.2 VM-16 VM-39
test('whose password is set to another one before the weak hash could be replaced is not let in by the old one', async () => {
  assert.equal(await logInWhile('strong hash of another'), undefined);
});
