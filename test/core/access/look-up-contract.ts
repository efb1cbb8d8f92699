import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { LookUp } from '../../../src/core/access/look-up.ts';
import type { SessionRecord, SessionStore } from '../../../src/core/sessions/store.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { createRecord } from '../sessions/store-contract.ts';
import type { openOwnAccounts } from '../users/directories.ts';
import type { holdIn } from '../users/held.ts';

export interface OpenLookUp extends AsyncDisposable {
  readonly lookUp: LookUp;
  readonly sessions: SessionStore;
  readonly users: ReturnType<typeof openOwnAccounts>;
  readonly hold: ReturnType<typeof holdIn>;
  /** The same sessions, as another process opens them. */
  readonly sessionsElsewhere: SessionStore;
  /** Adds a session as an older version did, without the time and the methods of the login. */
  insertFormer(record: SessionRecord): Promise<void>;
}

// Redis goes by its own clock, and the tests before may take minutes.
const expiresAt = Date.now() + 3_600_000;

const person = { username: 'ann@example.com', firstName: 'Ann', lastName: "O'Archer", passwordHash: 'hash' };

/** The contract of every look-up of the signed-in user. @param open makes an empty one */
export function testLookUp(
  name: string,
  open: (options: { demoUsers: boolean }) => Promise<OpenLookUp>,
  skip: string | false,
): void {
  async function openSignedIn({ demo = false, demoUsers = false } = {}) {
    const opened = await open({ demoUsers });
    await opened.users.add({ ...person, demo });
    const account = await opened.users.findByUsername(person.username);
    assert.ok(account);
    const record = createRecord({ userId: account.user.id, stamp: stampOf(account), expiresAt });
    await opened.sessions.insert(record, []);
    return { ...opened, account, record, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
  }

  describe(`${name}, the look-up of the signed-in user`, { skip }, () => {
    test('finds a session with the account of its user', async () => {
      await using opened = await openSignedIn();
      const { lookUp, record, account } = opened;
      assert.deepEqual(await lookUp(record.id), { session: record, account });
    });

    test('finds nothing by an unknown session id', async () => {
      await using opened = await openSignedIn();
      const { id } = opened.record;
      for (const other of ['', 'unknown', id.toUpperCase(), `${id} `, ` ${id}`, `${id}\0`, '%', "' or 1=1 --", '😀'])
        assert.equal(await opened.lookUp(other), undefined, other);
    });

    test('finds a session without an account once its user is removed', async () => {
      await using opened = await openSignedIn();
      const { users, hold, account } = opened;
      await hold(account.user.id, users.remove, { groups: true });
      assert.deepEqual(await opened.lookUp(opened.record.id), { session: opened.record, account: undefined });
    });

    test('compares the id of the account exactly, including case and blanks', async () => {
      await using opened = await openSignedIn();
      const { id } = opened.account.user;
      for (const userId of [`${id} `, ` ${id}`, id.toUpperCase()]) {
        const session = createRecord({ userId, expiresAt });
        await opened.sessions.insert(session, []);
        assert.deepEqual(await opened.lookUp(session.id), { session, account: undefined }, userId);
      }
    });

    test('sees at once that an account is disabled or has another stamp', async () => {
      await using opened = await openSignedIn();
      const { lookUp, users, hold, account, record } = opened;
      const { id } = account.user;
      await hold(id, users.renewStamp);
      const changed = await lookUp(record.id);
      assert.ok(changed?.account);
      assert.notEqual(stampOf(changed.account), record.stamp);
      assert.equal(changed.account.disabled, false);
      await hold(id, (held) => users.setDisabled(held, true), { groups: true });
      assert.equal((await lookUp(record.id))?.account?.disabled, true);
    });

    for (const demoUsers of [false, true]) {
      test(`finds a demo user ${demoUsers ? 'enabled in the demo' : 'disabled outside the demo'}`, async () => {
        await using opened = await openSignedIn({ demo: true, demoUsers });
        assert.equal((await opened.lookUp(opened.record.id))?.account?.disabled, !demoUsers);
      });
    }

    test('takes a session from an older process as a login by password at the start of the session', async () => {
      await using opened = await openSignedIn();
      const record = createRecord({ userId: opened.account.user.id, authenticatedAt: 0, methods: [], expiresAt });
      await opened.insertFormer(record);
      const found = await opened.lookUp(record.id);
      assert.deepEqual(found?.session, { ...record, authenticatedAt: record.createdAt, methods: ['pwd'] });
    });

    test('sees a logout in another process at the next request', async () => {
      await using opened = await openSignedIn();
      const { lookUp, record, sessionsElsewhere } = opened;
      assert.ok(await lookUp(record.id));
      // Each request begins in its own turn of the event loop.
      await setImmediate();
      assert.equal(await sessionsElsewhere.remove([record.id]), 1);
      await setImmediate();
      assert.equal(await lookUp(record.id), undefined);
    });
  });
}
