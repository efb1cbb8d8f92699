import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createLogIn } from '../../../src/capabilities/sign-in/log-in.ts';
import { createAttemptPassword } from '../../../src/capabilities/sign-in/password-attempt.ts';
import { invalidCredentials } from '../../../src/capabilities/sign-in/refusals.ts';
import { createAccess } from '../../../src/core/access/access.ts';
import { createAdmit, type NoticeSignIn, type RequireSecondFactor } from '../../../src/core/access/admit.ts';
import { createRedisLookUp } from '../../../src/core/access/look-up.ts';
import { Refusal } from '../../../src/core/access/refusal.ts';
import type { PasswordCheck } from '../../../src/core/passwords/passwords.ts';
import { createSessions } from '../../../src/core/sessions/sessions.ts';
import type { SessionRecord, TransactionalSessionStore } from '../../../src/core/sessions/store.ts';
import { createUnthrottled } from '../../../src/core/throttle/throttle.ts';
import type { Account } from '../../../src/core/users/account.ts';
import { provedBy } from '../../../src/core/users/held.ts';
import type { UserDirectory } from '../../../src/core/users/user-directory.ts';
import { codeOf } from '../../capabilities/second-factor/authenticator-app.ts';
import { ann, attempt, caller, password, startJanua } from '../../janua.ts';
import { takeTurnAtOnce } from '../passwords/in-turn.ts';
import { directoryOf } from '../users/one-account.ts';

const account: Account = {
  user: { id: '1', groups: [], ...ann },
  scopes: [],
  passwordHash: 'hash of secret',
  disabled: false,
  stamp: undefined,
};

/** Keeps sessions in a Map, so that a test can look at what is left. */
function createMapStore(): TransactionalSessionStore & { records: Map<string, SessionRecord> } {
  const records = new Map<string, SessionRecord>();
  return {
    records,
    async insert(record, replaced) {
      records.set(record.id, record);
      for (const id of replaced) records.delete(id);
    },
    find: async (id) => records.get(id),
    async touch() {},
    renew: async () => true,
    remove: async (ids) => ids.filter((id) => records.delete(id)).length,
    removeWith: async (id) => records.delete(id),
    removeOfUser: async () => 0,
    removeOldestOfUser: async () => [],
    listOfUser: async () => [],
    count: async () => records.size,
    check: async () => {},
  };
}

/** Of `password`. */
const weakHash = '$argon2id$v=19$m=16,t=2,p=1$b2szcWQ4a0tlTkFydUdOaw$7LX7WCYbItEMEwvH3yUxPA';

const limits = { idleTimeoutSeconds: 60, lifetimeSeconds: 60 };

/** A login whose user changes while the session is being written. */
function createRacing(
  change: (current: Account) => Account | undefined,
  fault?: Error,
  requireSecondFactor: RequireSecondFactor = async () => {},
  noticeSignIn?: NoticeSignIn,
) {
  let current: Account | undefined = account;
  const store = createMapStore();
  const insert = store.insert;
  store.insert = async (record, replaced) => {
    current = current && change(current);
    await insert(record, replaced);
  };
  const users: UserDirectory = {
    ...directoryOf(() => current),
    async findById() {
      if (fault !== undefined) throw fault;
      return current;
    },
  };
  const sessions = createSessions({ store, ...limits, remembered: limits });
  const audit = {
    record: async () => {},
    requireAllowance: () => {},
    recordIn: async () => {},
    recordIfPossible: async () => {},
    digestName: () => '',
  };
  const access = createAccess({
    ...{ lookUp: createRedisLookUp(store, ({ userId }) => users.findById(userId)), sessions, audit },
    personalTokens: { find: async () => undefined },
  });
  const attemptPassword = createAttemptPassword({
    users,
    passwords: {
      takeTurn: takeTurnAtOnce,
      check: async (_turn, stored, secret): Promise<PasswordCheck> => ({
        matches: stored === `hash of ${secret}` || stored === `stronger hash of ${secret}`,
        replacement: undefined,
      }),
      hash: async (_work, secret) => `hash of ${secret}`,
      load: () => ({ underWay: 0, waiting: 0 }),
      failureFloor: () => 0,
      calibrate: async () => {},
    },
    throttle: createUnthrottled(takeTurnAtOnce),
    knownBrowsers: { find: () => undefined },
    audit,
    log: { warn() {} },
    needsSecondFactor: async () => false,
    failureFloor: 0,
  });
  const admit = createAdmit({
    ...{ access, sessions, users, audit, requireSecondFactor, noticeSignIn },
    noteLogin: async () => {},
    acceptChanges: async (account) => account,
  });
  const logIn = createLogIn({ users, attemptPassword, admit });
  return { store, logIn: () => logIn(attempt(ann.username, 'secret'), caller) };
}

describe('a user logs in while the account changes', () => {
  for (const [name, change] of [
    ['an account that is removed', () => undefined],
    ['an account that is disabled', (current: Account) => ({ ...current, disabled: true })],
    ['an account that gets another password', (current: Account) => ({ ...current, passwordHash: 'hash of other' })],
  ] as const) {
    test(`the server refuses ${name}, and leaves no session behind`, async () => {
      const { logIn, store } = createRacing(change);
      await assert.rejects(logIn(), (error) => error instanceof Refusal && error.answer === invalidCredentials);
      assert.equal(store.records.size, 0);
    });
  }

  test('a login passes when another login with the same password replaces the hash', async () => {
    const { logIn, store } = createRacing((current) => ({ ...current, passwordHash: 'stronger hash of secret' }));
    assert.equal((await logIn()).account.user.username, ann.username);
    assert.equal(store.records.size, 1);
  });
});

test('a second factor that is added during the login is asked for, also in a table of a team', async ({ mock }) => {
  for (const ownTable of [false, true]) {
    await using janua = await startJanua({ stores: { users: 'SQLite', sessions: 'SQL', ownTable } });
    const { users, sessions, enrolment, createEnrolmentLink, logIn } = janua.services;
    // Replaces the hash of the team's program, which is weak.
    const first = await logIn(attempt(ann.username, password), caller);
    await sessions.end([first.session]);
    const before = await users.findByUsername(ann.username);
    assert.ok(before);
    const link = (await createEnrolmentLink(provedBy(before))).split('=')[1] ?? '';
    const { secret } = await enrolment.begin(link, caller);
    const start = sessions.start;
    mock.method(sessions, 'start', async (...given: Parameters<typeof start>) => {
      const session = await start(...given);
      await enrolment.finish(link, codeOf(secret, Date.now()), 'en', caller);
      return session;
    });
    const wanted = (error: unknown) => error instanceof Refusal && error.answer.error === 'mfa_required';
    await assert.rejects(logIn(attempt(ann.username, password), caller), wanted);
    assert.deepEqual(await sessions.listOf(before.user.id, undefined), [], 'no session is left');
    const after = await users.findById(before.user.id);
    assert.notEqual(after?.stamp, before.stamp);
  }
});

test('no session starts if it cannot be found out whether a second factor is missing', async () => {
  for (const [failing, passwordHash] of [
    [1, 'hash of secret'],
    // The login begins anew.
    [2, 'stronger hash of secret'],
  ] as const) {
    let asked = 0;
    const requireSecondFactor = async () => {
      asked += 1;
      if (asked === failing) throw new Error('gone');
      return undefined;
    };
    const { logIn, store } = createRacing((current) => ({ ...current, passwordHash }), undefined, requireSecondFactor);
    await assert.rejects(logIn(), /gone/);
    assert.equal(store.records.size, 0);
  }
});

test('no session is left when the store fails after the session was started', async () => {
  const { logIn, store } = createRacing((current) => current, new Error('gone'));
  await assert.rejects(logIn(), /gone/);
  assert.equal(store.records.size, 0);
});

test('no session is left when the login cannot be recorded', async ({ mock }) => {
  await using janua = await startJanua();
  const { audit, logIn, sessions, users } = janua.services;
  mock.method(audit, 'record', () => Promise.reject(new Error('gone')));
  await assert.rejects(logIn(attempt(ann.username, password), caller), /gone/);
  const { user } = (await users.findByUsername(ann.username)) ?? assert.fail();
  assert.deepEqual(await sessions.listOf(user.id, undefined), []);
});

test('no session is left when the user cannot be told about the login', async () => {
  const tellUser = () => Promise.reject(new Error('gone'));
  const { logIn, store } = createRacing(
    (current) => current,
    undefined,
    undefined,
    async () => tellUser,
  );
  await assert.rejects(logIn(), /gone/);
  assert.equal(store.records.size, 0);
});

test('a login replaces a weak stored hash, and logins at the same time all succeed', async () => {
  await using janua = await startJanua({ settings: { HASHING_CONCURRENCY: 2 } });
  const { users, registry, access, logIn } = janua.services;
  const old = { username: 'old@example.com', firstName: 'O', lastName: 'D', passwordHash: weakHash, demo: false };
  await registry?.add(old);
  const right = attempt('old@example.com', 'password');
  await assert.rejects(logIn({ ...right, password: 'wrong' }, caller), Refusal);
  assert.equal(
    (await users.findByUsername('old@example.com'))?.passwordHash,
    weakHash,
    'a failed login does not change the hash',
  );
  const logins = await Promise.all(Array.from({ length: 6 }, () => logIn(right, caller)));
  assert.match(String((await users.findByUsername('old@example.com'))?.passwordHash), /m=19456,t=2,p=1/);
  for (const { session } of logins) assert.ok(await access.findSignedIn({ cookie: session.cookie }));
  assert.ok(await logIn(right, caller));
});

test('a login ends no session that the request does not present', async () => {
  await using janua = await startJanua();
  const { access, logIn } = janua.services;
  const right = attempt(ann.username, password);
  const first = await logIn(right, caller);
  await logIn(right, caller);
  assert.ok(await access.findSignedIn({ accessToken: first.session.accessToken }));
});

test('a login ends the session of a cookie that comes with a token of another session, also of one that has ended', async () => {
  await using janua = await startJanua();
  const { access, logIn, sessions } = janua.services;
  const right = attempt(ann.username, password);
  for (const hasEnded of [false, true]) {
    const [former, other] = [await logIn(right, caller), await logIn(right, caller)];
    if (hasEnded) await sessions.end([other.session]);
    const { cookie } = former.session;
    await logIn({ ...right, presented: { cookie, accessToken: other.session.accessToken } }, caller);
    assert.equal(await access.findSignedIn({ cookie }), undefined);
  }
});
