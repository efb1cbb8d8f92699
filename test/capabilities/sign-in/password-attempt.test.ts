import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createAttemptPassword, createProvePassword } from '../../../src/capabilities/sign-in/password-attempt.ts';
import { invalidCredentials, tooManyAttempts } from '../../../src/capabilities/sign-in/refusals.ts';
import type { Proof } from '../../../src/core/access/admit.ts';
import { type Answer, Refusal } from '../../../src/core/access/refusal.ts';
import { type Account, candidateOf } from '../../../src/core/users/account.ts';
import type { Turn } from '../../../src/ground/faults/turns.ts';
import { caller } from '../../core/audit/events.ts';
import { alone, anyTurn, takeTurnAtOnce } from '../../core/passwords/in-turn.ts';
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
      takeTurn: takeTurnAtOnce,
      check: async (_turn, hash, secret) => ({
        matches: hash?.endsWith(`hash of ${secret}`) ?? false,
        replacement: hash?.startsWith('weak') ? `strong hash of ${secret}` : undefined,
      }),
    },
    log: { warn() {} },
    needsSecondFactor: async () => false,
  });
  const result = await provePassword(candidateOf(weak), 'secret', anyTurn, alone);
  return result.succeeded ? result.proof.account.passwordHash : undefined;
}

test('a login passes if another login has replaced the weak hash, or if the hash cannot be replaced', async () => {
  for (const stored of ['strong hash of secret', 'another strong hash of secret', 'weak hash of secret'])
    assert.equal(await logInWhile(stored), stored);
});

test('a login is refused if the password changes before the weak hash is replaced', async () => {
  assert.equal(await logInWhile('strong hash of another'), undefined);
});

interface Attempted {
  readonly sentPassword?: string;
  readonly stored?: Account | undefined;
  /** Of the check of a password. */
  readonly passwordFloor?: number;
  readonly isThrottled?: boolean;
}

/** Refuses an attempt. Its failure floor is 1 ms. */
function attempt({ sentPassword = 'wrong', stored, passwordFloor = 0, isThrottled = false }: Attempted) {
  const attemptPassword = createAttemptPassword({
    users: directoryOf(() => stored),
    passwords: {
      check: async (_turn: unknown, hash?: string) => ({ matches: hash?.endsWith(`hash of ${sentPassword}`) ?? false }),
      failureFloor: () => passwordFloor,
    } as never,
    throttle: {
      attempt: async (_limits: unknown, prove: (turn: Turn) => Promise<unknown>) =>
        isThrottled ? { passed: false, retryAfterSeconds: 1 } : { passed: true, result: await prove(anyTurn) },
    } as never,
    knownBrowsers: { find: () => undefined },
    audit: { recordIfPossible: async () => {}, digestName: () => '' } as never,
    log: { warn() {} },
    needsSecondFactor: async () => false,
    failureFloor: 1,
  });
  const sent = {
    name: ann.username,
    candidate: stored && candidateOf(stored),
    password: sentPassword,
    headers: {},
    start: performance.now(),
  };
  const failed = { kind: 'login-failed', error: new Refusal(invalidCredentials) } as const;
  const throttled = { kind: 'login-throttled', answer: tooManyAttempts } as const;
  // If the password is right, the account has changed since.
  return attemptPassword(sent, caller, { failed, throttled }).then(({ refuse }) => refuse());
}

describe('a failed login is answered after a fixed time', () => {
  const disabled = { ...weak, disabled: true };
  const failures: readonly [name: string, attempted: Attempted, floor: number, answer: Answer][] = [
    ['with an unknown name', {}, 1, invalidCredentials],
    ['with a wrong password', { stored: { ...weak, passwordHash: 'hash of secret' } }, 1, invalidCredentials],
    ['with a wrong password and a weak hash', { stored: weak }, 1, invalidCredentials],
    ['of a disabled user', { stored: disabled, sentPassword: 'secret' }, 1, invalidCredentials],
    ['whose account changes meanwhile', { stored: weak, sentPassword: 'secret' }, 1, invalidCredentials],
    ['with a wrong password, where a check may take longer', { stored: weak, passwordFloor: 3 }, 3, invalidCredentials],
    ['with an unknown name, where a check may take longer', { passwordFloor: 3 }, 3, invalidCredentials],
    ['that has to wait', { stored: weak, isThrottled: true }, 0.1, tooManyAttempts],
    ['with an unknown name that has to wait', { isThrottled: true }, 0.1, tooManyAttempts],
  ];
  for (const [name, attempted, floor, answer] of failures)
    test(name, async ({ mock }) => {
      let time = 0;
      // Time passes only when the clock is read.
      mock.method(performance, 'now', () => {
        time += 1 / 64;
        return time;
      });
      await assert.rejects(attempt(attempted), (error) => error instanceof Refusal && error.answer === answer);
      assert.ok(time >= floor, `after ${time} ms`);
    });

  test('or at once if it took longer', async ({ mock }) => {
    const times = [0];
    mock.method(performance, 'now', () => times.shift() ?? 5_000);
    let answered = false;
    void attempt({ stored: weak }).catch(() => {
      answered = true;
    });
    // Nothing that it waits for takes a turn of the event loop.
    await setImmediate();
    assert.ok(answered);
  });
});

test('a failed login waits for a random part of a millisecond more', async ({ mock }) => {
  const ends = new Set<number>();
  let [time, reads] = [0, 0];
  mock.method(performance, 'now', () => {
    reads += 1;
    time = reads === 1 ? 0 : 1 + (reads - 2) / 512;
    return time;
  });
  for (let failures = 0; failures < 8; failures += 1) {
    reads = 0;
    await assert.rejects(attempt({ stored: weak }));
    ends.add(time);
  }
  assert.ok(ends.size > 1, String([...ends]));
});

test('a login that is under way holds only as long as its password is that of the account', async () => {
  const provePassword = createProvePassword({
    users: directoryOf(() => weak),
    passwords: {
      takeTurn: takeTurnAtOnce,
      check: async (_turn, hash, secret) => ({ matches: hash === `hash of ${secret}`, replacement: undefined }),
    },
    log: { warn() {} },
    needsSecondFactor: async () => false,
  });
  const account = { ...weak, passwordHash: 'hash of secret' };
  const { proof } = (await provePassword(candidateOf(account), 'secret', anyTurn, alone)) as { proof: Proof };
  assert.equal(await proof.stillHolds({ ...account, stamp: 'another' }), true);
  for (const passwordHash of ['hash of another', undefined])
    assert.equal(await proof.stillHolds({ ...account, passwordHash }), false);
});

test('a failed login replaces no weak hash, even with the right password of a disabled user', async () => {
  const provePassword = createProvePassword({
    users: { ...directoryOf(() => weak), replacePasswordHash: () => assert.fail('replaced') },
    passwords: {
      takeTurn: takeTurnAtOnce,
      check: async () => ({ matches: true, replacement: 'strong hash of secret' }),
    },
    log: { warn: () => assert.fail('replaced') },
    needsSecondFactor: () => assert.fail(),
  });
  assert.equal(
    (await provePassword(candidateOf({ ...weak, disabled: true }), 'secret', anyTurn, alone)).succeeded,
    false,
  );
});

test('an account without a password costs the same hash as an unknown name, and no password matches', async () => {
  const compared: unknown[] = [];
  const provePassword = createProvePassword({
    users: { findById: () => assert.fail(), replacePasswordHash: () => assert.fail() } as never,
    passwords: {
      takeTurn: takeTurnAtOnce,
      async check(_turn, hash) {
        compared.push(hash);
        return { matches: false, replacement: undefined };
      },
    },
    log: { warn() {} },
    needsSecondFactor: () => assert.fail(),
  });
  const sent = ['secret', '', ' ', '\t', '\0', 'undefined', 'null'];
  for (const password of sent)
    for (const account of [undefined, { ...weak, passwordHash: undefined }])
      assert.equal(
        (await provePassword(account && candidateOf(account), password, anyTurn, alone)).succeeded,
        false,
        JSON.stringify(password),
      );
  assert.deepEqual(new Set(compared), new Set([undefined]));
  assert.equal(compared.length, 2 * sent.length);
});
