import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { claimOf } from '../../../src/core/sessions/credential.ts';
import { createSessions } from '../../../src/core/sessions/sessions.ts';
import type { Renewal, SessionRecord, SessionStore } from '../../../src/core/sessions/store.ts';
import { clockTolerance } from '../../../src/ground/faults/clock.ts';

export interface OpenStore extends AsyncDisposable {
  readonly store: SessionStore;
  /** Removes what has expired before `time`, and gives how many there were. Undefined if the store does it by itself. */
  clean?(time: number): Promise<number>;
}

let count = 0;

/** Real times, because a store may remove expired records by its own clock. */
const start = Date.now();

/** Longer than it takes to run all files of this process. */
const hour = 3_600_000;

export function createRecord(changes: Partial<SessionRecord> = {}): SessionRecord {
  const id = `session-${++count}`.padEnd(22, '-');
  return {
    id,
    userId: 'user-1',
    stamp: 'f'.repeat(43),
    cookieHash: 'c'.repeat(43),
    tokenHash: 't'.repeat(43),
    createdAt: start,
    lastSeenAt: start,
    expiresAt: start + hour,
    authenticatedAt: start,
    methods: ['pwd'],
    userAgent: undefined,
    address: undefined,
    remembered: false,
    tokenScope: undefined,
    ...changes,
  };
}

const renewal: Renewal = {
  stamp: 'g'.repeat(43),
  cookieHash: 'd'.repeat(43),
  tokenHash: 'u'.repeat(43),
  lastSeenAt: start + 1000,
  expiresAt: start + 3 * hour,
  authenticatedAt: start + 1000,
  methods: ['pwd', 'otp'],
};

/**
 * The contract of every session store.
 * @param open makes an empty one
 * @param forgetsByItself whether the store removes expired sessions on its own
 */
export function testSessionStore(
  name: string,
  open: () => Promise<OpenStore>,
  { forgetsByItself = false, skip = false as string | false } = {},
): void {
  describe(`${name} as a session store`, { skip }, () => {
    test('returns a record exactly as it was inserted', async () => {
      await using opened = await open();
      const record = createRecord({ createdAt: start - 1, lastSeenAt: start });
      await opened.store.insert(record, []);
      assert.deepEqual(await opened.store.find(record.id), record);
      const remembered = createRecord({ remembered: true, userAgent: 'Firefox', address: '192.0.2.1' });
      await opened.store.insert(remembered, []);
      assert.deepEqual(await opened.store.find(remembered.id), remembered);
      for (const tokenScope of ['', 'reports:read users:read']) {
        const narrow = createRecord({ tokenScope });
        await opened.store.insert(narrow, []);
        assert.deepEqual(await opened.store.find(narrow.id), narrow);
      }
      for (const id of ['unknown', '', record.id.toUpperCase(), `${record.id} `, "' or 1=1 --", '%', '__proto__']) {
        assert.equal(await opened.store.find(id), undefined);
      }
    });

    test('counts its sessions', async () => {
      await using opened = await open();
      assert.equal(await opened.store.count(start), 0);
      for (const userId of ['user-1', 'user-1', 'user-2']) await opened.store.insert(createRecord({ userId }), []);
      assert.equal(await opened.store.count(start), 3);
    });

    test('removes replaced sessions with an insert', async () => {
      await using opened = await open();
      const [first, second, third] = [createRecord(), createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      await opened.store.insert(third, [first.id, first.id, 'unknown']);
      assert.equal(await opened.store.find(first.id), undefined);
      assert.ok(await opened.store.find(second.id));
      assert.ok(await opened.store.find(third.id));
    });

    test('keeps the latest sessions of a user, and removes the oldest living ones', async () => {
      await using opened = await open();
      const ages = [5, 1, 4, 2, 3].map((age) => createRecord({ createdAt: start - age * 1000, userId: 'many' }));
      const other = createRecord({ userId: 'other' });
      const over = createRecord({ userId: 'many', createdAt: start - 10, expiresAt: start - 1 });
      for (const record of [...ages, other, ...(forgetsByItself ? [] : [over])]) await opened.store.insert(record, []);
      assert.deepEqual(await opened.store.removeOldestOfUser('many', start, 5), []);
      const removed = await opened.store.removeOldestOfUser('many', start, 3);
      assert.deepEqual(removed.toSorted(), [ages[0]?.id, ages[2]?.id].toSorted());
      const left = await Promise.all(
        [...ages, other].map(async ({ id }) => (await opened.store.find(id)) !== undefined),
      );
      assert.deepEqual(left, [false, true, false, true, true, true]);
      assert.deepEqual(await opened.store.removeOldestOfUser('nobody', start, 1), []);
    });

    test('removes a session from the future before all others of its user', async () => {
      await using opened = await open();
      const [future, old, ahead, latest] = [clockTolerance + 1, -5000, clockTolerance, 0].map((age) =>
        createRecord({ createdAt: start + age, lastSeenAt: start + age, expiresAt: start + 5 * hour }),
      ) as [SessionRecord, SessionRecord, SessionRecord, SessionRecord];
      for (const record of [future, old, ahead, latest]) await opened.store.insert(record, []);
      assert.deepEqual(await opened.store.removeOldestOfUser('user-1', start, 3), [future.id]);
      const removed = await opened.store.removeOldestOfUser('user-1', start, 1);
      assert.deepEqual(removed.toSorted(), [latest.id, old.id].toSorted());
      assert.ok(await opened.store.find(ahead.id), 'a session at the limit of the clock difference is kept');
    });

    test('removes nothing when an insert fails', async () => {
      await using opened = await open();
      const [first, second] = [createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      await assert.rejects(opened.store.insert(first, [second.id]));
      assert.ok(await opened.store.find(second.id));
    });

    test('changes only an existing record with a touch', async () => {
      await using opened = await open();
      const record = createRecord();
      await opened.store.insert(record, []);
      const later = { lastSeenAt: start + 1000, expiresAt: start + 2 * hour };
      await opened.store.touch(record.id, later.lastSeenAt, later.expiresAt);
      assert.deepEqual(await opened.store.find(record.id), { ...record, ...later });
      await opened.store.remove([record.id]);
      await opened.store.touch(record.id, start + 2000, start + 3 * hour);
      assert.equal(await opened.store.find(record.id), undefined);
    });

    test('replaces the credentials of a session, and of no other', async () => {
      await using opened = await open();
      const { store } = opened;
      const [record, other] = [createRecord({ remembered: true, address: '192.0.2.1' }), createRecord()];
      for (const inserted of [record, other]) await store.insert(inserted, []);
      assert.equal(await store.renew(record.id, renewal), true);
      assert.deepEqual(await store.find(record.id), { ...record, ...renewal });
      assert.deepEqual(await store.find(other.id), other);
      assert.equal((await store.listOfUser('user-1')).length, 2);
    });

    test('does not restore a session by a renewal, even at the moment of its removal', async () => {
      await using opened = await open();
      const { store } = opened;
      const record = createRecord();
      assert.equal(await store.renew(record.id, renewal), false);
      assert.equal(await store.find(record.id), undefined);
      await store.insert(record, []);
      const renewals = Array.from({ length: 10 }, () => store.renew(record.id, renewal));
      await Promise.all([...renewals, store.remove([record.id]), store.renew(record.id, renewal)]);
      assert.equal(await store.renew(record.id, renewal), false);
      assert.equal(await store.find(record.id), undefined);
      assert.deepEqual(await store.listOfUser('user-1'), []);
    });

    test('returns the number of removed sessions', async () => {
      await using opened = await open();
      const [first, second] = [createRecord(), createRecord()];
      await opened.store.insert(first, []);
      await opened.store.insert(second, []);
      assert.equal(await opened.store.remove([first.id, second.id, 'unknown']), 2);
      assert.equal(await opened.store.remove([first.id]), 0);
    });

    test('removes all sessions of one user only', async () => {
      await using opened = await open();
      const [first, second, other] = [createRecord(), createRecord(), createRecord({ userId: 'user-2' })];
      for (const record of [first, second, other]) await opened.store.insert(record, []);
      assert.equal(await opened.store.removeOfUser('user-1'), 2);
      assert.equal(await opened.store.removeOfUser('user-1'), 0);
      assert.ok(await opened.store.find(other.id));
    });

    test('removes all sessions of one user but one', async () => {
      await using opened = await open();
      const [kept, second, other] = [createRecord(), createRecord(), createRecord({ userId: 'user-2' })];
      for (const record of [kept, second, other]) await opened.store.insert(record, []);
      assert.equal(await opened.store.removeOfUser('user-1', kept.id), 1);
      assert.equal(await opened.store.removeOfUser('user-1', kept.id), 0);
      assert.equal(await opened.store.find(second.id), undefined);
      for (const { id } of [kept, other]) assert.ok(await opened.store.find(id));
    });

    test('removes a session of a user that has been in use beyond its first end', async () => {
      await using opened = await open();
      const { store } = opened;
      const used = createRecord();
      await store.insert(used, []);
      await store.touch(used.id, start + hour / 2, start + 3 * hour);
      const next = createRecord({ lastSeenAt: start + 2 * hour, expiresAt: start + 3 * hour });
      await store.insert(next, []);
      assert.equal((await store.listOfUser('user-1')).length, 2);
      assert.equal(await store.removeOfUser('user-1'), 2);
      assert.equal(await store.find(used.id), undefined);
    });

    test('lists the current sessions of a user', async () => {
      await using opened = await open();
      const { store } = opened;
      assert.deepEqual(await store.listOfUser('user-1'), []);
      const records = [createRecord(), createRecord(), createRecord({ userId: 'user-2' }), createRecord()];
      for (const record of records) await store.insert(record, []);
      const [first, second, , ended] = records as [SessionRecord, SessionRecord, SessionRecord, SessionRecord];
      await store.touch(second.id, start + 5, start + 2 * hour);
      await store.remove([ended.id]);
      const listed = (await store.listOfUser('user-1')).sort((one, other) => one.id.localeCompare(other.id));
      assert.deepEqual(listed, [first, { ...second, lastSeenAt: start + 5, expiresAt: start + 2 * hour }]);
    });

    test('removes only expired sessions, on its own or when it is cleaned', async () => {
      await using opened = await open();
      const { store } = opened;
      const old = [1, 2, 3].map(() => createRecord({ expiresAt: start - 1 }));
      const alive = createRecord({ expiresAt: start + hour });
      for (const record of [...old, alive]) await store.insert(record, []);
      assert.equal(await opened.clean?.(start), forgetsByItself ? undefined : 3);
      for (const { id } of old) assert.equal(await store.find(id), undefined);
      assert.deepEqual(await store.listOfUser('user-1'), [alive]);
    });

    test('passes its own check', async () => {
      await using opened = await open();
      await Promise.all([opened.store.check(), opened.store.check(), opened.store.check()]);
    });

    test('does not restore a removed session by touches at the same time', async () => {
      await using opened = await open();
      const { store } = opened;
      const record = createRecord();
      await store.insert(record, []);
      const touches = Array.from({ length: 20 }, (_, index) =>
        store.touch(record.id, start + index, start + hour + index),
      );
      await Promise.all([
        ...touches,
        store.remove([record.id]),
        ...touches.map((_, index) => store.touch(record.id, start + index, start + hour + index)),
      ]);
      assert.equal(await store.find(record.id), undefined);
    });
  });
}

/** @param open opens the same store each time */
export function testRestart(
  name: string,
  open: (url: string) => Promise<OpenStore>,
  create: () => Promise<{ readonly url: string; drop(): Promise<void> }>,
  skip: string | false = false,
): void {
  test(`sessions in ${name} survive a restart, and end when they would have ended`, { skip }, async () => {
    const { url, drop } = await create();
    // Not `start`: Redis itself removes what has expired, and the process may have begun a minute ago.
    let time = Date.now();
    const limits = { idleTimeoutSeconds: 60, lifetimeSeconds: 90 };
    async function withSessions<Result>(use: (sessions: ReturnType<typeof createSessions>) => Promise<Result>) {
      await using opened = await open(url);
      return await use(
        createSessions({
          store: { ...opened.store, removeWith: async () => false },
          ...limits,
          remembered: limits,
          now: () => time,
        }),
      );
    }
    const owner = { userId: 'user-1', stamp: 'f'.repeat(43) };
    const { cookie } = await withSessions((sessions) => sessions.start(owner, { methods: ['pwd'] }));
    const find = () => withSessions((sessions) => sessions.find(claimOf('cookie', cookie)));
    for (let restarts = 1; restarts <= 2; restarts += 1) assert.ok(await find());
    time += 61_000;
    assert.equal(await find(), undefined);
    await drop();
  });
}
