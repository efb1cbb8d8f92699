import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createAttemptPassword, createProvePassword } from '../../../src/capabilities/sign-in/password-attempt.ts';
import { notAuthenticated as never } from '../../../src/core/access/access.ts';
import type { Account } from '../../../src/core/users/account.ts';
import { caller } from '../../core/audit/events.ts';
import { directoryOf } from '../../core/users/one-account.ts';
import { ann } from '../../janua.ts';

const weak: Account = {
  user: { id: '1', groups: [], ...ann },
  scopes: [],
  passwordHash: 'weak hash of secret',
  disabled: false,
  stamp: undefined,
};

/** Logs in a user with a weak hash. The stored hash changes before the login can replace it. */
async function logInWhile(stored: string): Promise<string | undefined> {
  const users = directoryOf(() => ({ ...weak, passwordHash: stored }));
  const provePassword = createProvePassword({
    users,
    passwords: {
      check: async (hash, secret) => ({
        matches: hash?.endsWith(`hash of ${secret}`) ?? false,
        replacement: hash?.startsWith('weak') ? `strong hash of ${secret}` : undefined,
      }),
    },
    log: { warn() {} },
    needsSecondFactor: async () => false,
  });
  const result = await provePassword(weak, 'secret');
  return result.succeeded ? result.proof.account.passwordHash : undefined;
}

test('a login passes if another login has replaced the weak hash, or if the hash cannot be replaced', async () => {
  for (const stored of ['strong hash of secret', 'another strong hash of secret', 'weak hash of secret'])
    assert.equal(await logInWhile(stored), stored);
});

test('a login is refused if the password changes before the weak hash is replaced', async () => {
  assert.equal(await logInWhile('strong hash of another'), undefined);
});

test('a failed login that took longer than the failure floor is answered at once', async () => {
  const attemptPassword = createAttemptPassword({
    users: directoryOf(() => weak),
    passwords: { check: async () => ({ matches: false, replacement: undefined }), failureFloor: () => 0 } as never,
    throttle: {
      attempt: async (_limits: unknown, prove: () => Promise<unknown>) => ({ passed: true, result: await prove() }),
    } as never,
    knownBrowsers: { find: () => undefined },
    audit: { recordIfPossible: async () => {}, digestName: () => '' } as never,
    log: { warn() {} },
    needsSecondFactor: async () => false,
    failureFloor: 1_000,
  });
  const error = new Error('the password was wrong');
  const sent = { name: ann.username, account: weak, password: 'wrong', headers: {}, start: performance.now() - 5_000 };
  const failed = { kind: 'login-failed', error } as const;
  let answered: unknown;
  const attempt = attemptPassword(sent, caller, { failed, throttled: { kind: 'login-throttled', answer: never } });
  void attempt.catch((refused) => {
    answered = refused;
  });
  // Nothing that it waits for takes a turn of the event loop.
  await setImmediate();
  assert.equal(answered, error);
});

test('an account without a password costs the same hash as an unknown name', async () => {
  const compared: unknown[] = [];
  const provePassword = createProvePassword({
    users: { findById: () => assert.fail(), replacePasswordHash: () => assert.fail() } as never,
    passwords: {
      async check(hash) {
        compared.push(hash);
        return { matches: false, replacement: undefined };
      },
    },
    log: { warn() {} },
    needsSecondFactor: () => assert.fail(),
  });
  for (const account of [undefined, { ...weak, passwordHash: undefined }])
    assert.equal((await provePassword(account, 'secret')).succeeded, false);
  assert.deepEqual(compared, [undefined, undefined]);
});
