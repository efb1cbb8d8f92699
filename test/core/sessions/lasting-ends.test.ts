import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createRedisLookUp } from '../../../src/core/access/look-up.ts';
import { withLastingEnds } from '../../../src/core/sessions/lasting-ends.ts';
import { createRedisSessionStore } from '../../../src/core/sessions/redis-store.ts';
import type { SessionRecord, SessionStore } from '../../../src/core/sessions/store.ts';
import { prepareUnlessEnded } from '../../../src/core/users/account-join.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { boundOf } from '../../../src/ground/database/tables.ts';
import { clockTolerance } from '../../../src/ground/faults/clock.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { ann } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { openOwnAccounts } from '../users/directories.ts';
import { createRecord, testSessionStore } from './store-contract.ts';

const idleMilliseconds = 3_600_000;

async function open() {
  const { url, drop } = await createRedisDatabase();
  const redis = openRedis(url, 3000, unwatched);
  const opened = await openMigrated('SQLite');
  const inRedis = createRedisSessionStore(redis);
  return {
    inRedis,
    /** As when another node of a cluster takes over, which has missed the last sessions of the user. */
    loseList: (userId: string) => redis.use((client) => client.del(`janua:sessions-of:${userId}`)),
    opened,
    store: withLastingEnds(inRedis, opened, idleMilliseconds),
    async [Symbol.asyncDispose]() {
      await redis.close();
      await drop();
      await opened[Symbol.asyncDispose]();
    },
  };
}

const skip = missing('Redis');

testSessionStore('Redis with lasting ends', open, { forgetsByItself: true, skip });

describe('lasting ends', { skip }, () => {
  const ways: readonly [
    string,
    (store: SessionStore, record: SessionRecord, next: SessionRecord) => Promise<unknown>,
  ][] = [
    ['a removal', (store, { id }) => store.remove([id])],
    ['a removal of all sessions of the user', (store, { userId }) => store.removeOfUser(userId)],
    ['a login that replaces it', (store, { id }, next) => store.insert(next, [id])],
    [
      'too many sessions',
      async (store, { userId, createdAt }, next) => {
        await store.insert({ ...next, createdAt: createdAt + 1 }, []);
        await store.removeOldestOfUser(userId, createdAt, 1);
      },
    ],
  ];
  for (const [name, end] of ways)
    test(`a session that Redis brings back stays ended: ${name}`, async () => {
      await using stores = await open();
      const [record, next] = [createRecord(), createRecord()];
      await stores.inRedis.insert(record, []);
      await end(stores.store, record, next);
      await stores.inRedis.insert(record, []);
      assert.equal(await stores.store.find(record.id), undefined);
      const listed = await stores.store.listOfUser(record.userId);
      assert.deepEqual(
        listed.filter(({ id }) => id === record.id),
        [],
      );
    });

  test('a request finds the account of a session until it ends, whatever Redis brings back', async () => {
    await using stores = await open();
    const { inRedis, opened, store } = stores;
    const users = openOwnAccounts(opened);
    const userId = await users.add({ ...ann, passwordHash: 'hash', demo: false });
    assert.ok(userId);
    const lookUp = createRedisLookUp(inRedis, prepareUnlessEnded(opened, users.accounts));
    const record = createRecord({ userId });
    await store.insert(record, []);
    assert.equal((await lookUp(record.id))?.account?.user.id, userId);
    await store.remove([record.id]);
    await inRedis.insert(record, []);
    assert.deepEqual(await lookUp(record.id), { session: record, account: undefined });
  });

  const longAgo = () => ({ createdAt: Date.now() - 60_000 });

  for (const [name, keptId] of [
    ['all sessions of a user', undefined],
    ['all but one', 'kept'],
  ] as const)
    test(`the end of ${name} counts for those of which Redis has lost the list`, async () => {
      await using stores = await open();
      const { inRedis, opened, store, loseList } = stores;
      const users = openOwnAccounts(opened);
      const userId = (await users.add({ ...ann, passwordHash: 'hash', demo: false })) ?? '';
      const lookUp = createRedisLookUp(inRedis, prepareUnlessEnded(opened, users.accounts));
      const kept = createRecord({ userId, ...longAgo() });
      const [former, other] = [createRecord({ userId, ...longAgo() }), createRecord(longAgo())];
      for (const record of [kept, former, other]) await store.insert(record, []);
      const lives = async ({ id }: SessionRecord) => {
        const found = await store.find(id);
        assert.equal((await lookUp(id))?.account !== undefined, found !== undefined && found.userId === userId);
        return found !== undefined;
      };
      for (let round = 0; round < 2; round += 1) {
        await loseList(userId);
        await store.removeOfUser(userId, keptId && kept.id);
        assert.deepEqual([await lives(former), await lives(kept)], [false, keptId !== undefined]);
      }
      // Redis lists it again once it has been used.
      await inRedis.touch(former.id, Date.now(), former.expiresAt);
      assert.equal(
        (await store.listOfUser(userId)).some(({ id }) => id === former.id),
        false,
      );
      const next = createRecord({ userId, createdAt: Date.now() });
      await store.insert(next, []);
      assert.deepEqual([await lives(next), await lives(other)], [true, true]);
    });

  test('a login at a server whose clock is a second behind stays after the end of all sessions before', async () => {
    await using stores = await open();
    await stores.store.removeOfUser('user-1');
    const next = createRecord({ createdAt: Date.now() - 1_000 });
    await stores.store.insert(next, []);
    assert.deepEqual(await stores.store.find(next.id), next);
  });

  test('its end is kept as long as Redis may bring it back, and no longer', async () => {
    await using stores = await open();
    const { opened, store } = stores;
    const before = Date.now();
    await store.remove([createRecord().id]);
    await store.removeOfUser('user-1');
    for (const table of ['janua_ended_sessions', 'janua_not_before'] as const) {
      const clean = (time: number) => removeExpired(opened.database, table, time);
      assert.equal(await clean(before + idleMilliseconds + clockTolerance), 0);
      assert.equal(await clean(Date.now() + idleMilliseconds + clockTolerance + 1), 1);
    }
  });

  test('nothing is ended, and no session begins, while the database does not take ends', async () => {
    await using stores = await open();
    const { inRedis, opened, store } = stores;
    const [record, next] = [createRecord(), createRecord()];
    await inRedis.insert(record, []);
    await opened.database.schema.alterTable('janua_ended_sessions').renameTo('away').execute();
    await assert.rejects(store.remove([record.id]));
    await assert.rejects(store.removeOfUser(record.userId));
    await assert.rejects(store.insert(next, [record.id]));
    await opened.database.schema.alterTable('away').renameTo('janua_ended_sessions').execute();
    assert.deepEqual(await store.find(record.id), record);
    assert.equal(await store.find(next.id), undefined);
    await opened.database.schema.alterTable('janua_not_before').renameTo('away').execute();
    await assert.rejects(store.removeOfUser(record.userId), 'a list that is lost cannot be told from an empty one');
  });

  test('the ends of a user are bounded: the oldest go, and those of another user stay', async () => {
    await using stores = await open();
    const { opened, store } = stores;
    const { most } = boundOf('janua_ended_sessions');
    const end = async (userId: string) => {
      const record = createRecord({ userId });
      await store.insert(record, []);
      assert.equal(await store.removeWith(record.id, async () => {}), true);
      return record.id;
    };
    const other = await end('other');
    const expires_at = Date.now() + idleMilliseconds;
    const rows = Array.from({ length: most }, (_, index) => ({
      ...{ id: `${index}`.padStart(22, 'x'), user_id: 'ann', expires_at: expires_at + index - most },
    }));
    await insertAll(opened.database, 'janua_ended_sessions', rows);
    const left = async () =>
      (await opened.database.selectFrom('janua_ended_sessions').select('id').execute()).map(({ id }) => id);
    await store.remove([createRecord().id], 'ann');
    assert.equal((await left()).length, most + 1);
    const latest = await end('ann');
    const ids = await left();
    assert.equal(ids.length, most + 1);
    assert.ok(ids.includes(other) && ids.includes(latest));
    assert.ok(!ids.includes(rows[0]?.id ?? '') && !ids.includes(rows[1]?.id ?? ''));
  });

  test('only ids of sessions are kept', async () => {
    await using stores = await open();
    for (const id of ['', 'x'.repeat(500), "' or 1=1 --", `${'x'.repeat(22)}\n`])
      assert.equal(await stores.store.remove([id]), 0);
    const rows = await stores.opened.database.selectFrom('janua_ended_sessions').selectAll().execute();
    assert.deepEqual(rows, []);
  });
});
