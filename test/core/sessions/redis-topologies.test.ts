import assert from 'node:assert/strict';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { createRedisSessionStore } from '../../../src/core/sessions/redis-store.ts';
import type { SessionRecord, SessionStore } from '../../../src/core/sessions/store.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { missing } from '../../servers/missing.ts';
import { connectOnce, findRedis, startRedis } from '../../servers/redis.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import { type SentinelRedis, startSentinelRedis } from '../../servers/redis-sentinel.ts';
import type { ThrowAwayServer } from '../../servers/throw-away-server.ts';
import { type OpenStore, testSessionStore } from './store-contract.ts';

/** The timeout of a command, in milliseconds. A busy machine answers later than it does otherwise. */
const timeout = 3000;

function openStore(url: string, clean: () => Promise<unknown> = async () => {}): OpenStore {
  const redis = openRedis(url, timeout, unwatched);
  return {
    store: createRedisSessionStore(redis),
    async [Symbol.asyncDispose]() {
      await redis.close();
      await clean();
    },
  };
}

function createRecord(number: number): SessionRecord {
  const now = Date.now();
  return {
    id: `session-${number}`.padEnd(22, '-'),
    userId: `user-${number % 3}`,
    stamp: 'f'.repeat(43),
    cookieHash: 'c'.repeat(43),
    tokenHash: 't'.repeat(43),
    createdAt: now,
    lastSeenAt: now,
    expiresAt: now + 600_000,
    authenticatedAt: now,
    methods: ['pwd'],
    userAgent: undefined,
    address: undefined,
    remembered: false,
    tokenScope: undefined,
  };
}

/** Enough records for each master of a cluster to hold some. */
const records = Array.from({ length: 30 }, (_, index) => createRecord(index));

const insertAll = (store: SessionStore) => Promise.all(records.map((record) => store.insert(record, [])));

async function expectAll(store: SessionStore): Promise<void> {
  assert.deepEqual(await Promise.all(records.map(({ id }) => store.find(id))), records);
}

/** Expects that all requests end, that failures are `Unavailable`, and that one of them has the reason. */
async function expectUnavailable(store: SessionStore, reason = /./): Promise<void> {
  const asked = await Promise.allSettled([...records.map(({ id }) => store.find(id)), store.listOfUser('user-1')]);
  const errors = asked.filter((result) => result.status === 'rejected').map((result): unknown => result.reason);
  for (const error of errors) assert.ok(error instanceof Unavailable, String(error));
  const reasons = errors.map((error) => String((error as Unavailable).cause));
  assert.ok(
    reasons.some((text) => reason.test(text)),
    `no reason matches ${reason}: ${[...new Set(reasons)].join(', ')}`,
  );
}

/** Repeats requests until all of them succeed again. */
async function expectRecovery(store: SessionStore): Promise<void> {
  for (;;) {
    try {
      await store.check();
      return await expectAll(store);
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      await setTimeout(50);
    }
  }
}

describe('a Redis Cluster', { skip: missing('Redis') }, () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startRedisCluster();
  });
  after(() => cluster?.[Symbol.asyncDispose]());
  // On a busy machine, the masters may take each other as lost.
  beforeEach(() => cluster.reach('ok'));

  testSessionStore('Redis Cluster', async () => openStore(cluster.url, cluster.flush), { forgetsByItself: true });

  test('serves many requests at once from the start, from every master', async () => {
    await using opened = openStore(cluster.url, cluster.flush);
    await insertAll(opened.store);
    await expectAll(opened.store);
    for (const master of cluster.masters) {
      const redis = connectOnce(master.url);
      assert.ok((await redis.dbsize()) > 0);
      redis.disconnect();
    }
  });

  test('is found through any one of its hosts', async () => {
    await using opened = openStore(`redis+cluster://127.0.0.1:1,127.0.0.1:${cluster.masters[2]?.port}`, cluster.flush);
    await insertAll(opened.store);
    await expectAll(opened.store);
  });

  for (const { how, noAnswer, lose, giveBack } of [
    {
      how: 'killed',
      // The error depends on whether the client knows that the connection is closed.
      noAnswer: /ECONNREFUSED|ECONNRESET|EPIPE|closed/,
      lose: (master: ThrowAwayServer) => master.kill(),
      giveBack: (master: ThrowAwayServer) => master.start(),
    },
    {
      how: 'frozen',
      noAnswer: /no answer within/,
      lose: async (master: ThrowAwayServer) => master.freeze(),
      giveBack: async (master: ThrowAwayServer) => master.resume(),
    },
  ]) {
    test(`fails in time while a master is ${how}, and recovers when it is back`, async () => {
      await using opened = openStore(cluster.url, cluster.flush);
      const { store } = opened;
      await insertAll(store);
      const [lost, ...others] = cluster.masters;
      assert.ok(lost !== undefined);
      await using late = openStore(cluster.url);
      await lose(lost);
      try {
        await expectUnavailable(store, noAnswer);
        await cluster.reach('fail', others);
        await expectUnavailable(store, /CLUSTERDOWN/);
        await expectUnavailable(late.store, /CLUSTERDOWN/);
      } finally {
        await giveBack(lost);
      }
      await expectRecovery(store);
      await expectRecovery(late.store);
      await cluster.reach('ok');
    });
  }

  test('recovers after the loss of all masters', async () => {
    await using opened = openStore(cluster.url, cluster.flush);
    await insertAll(opened.store);
    for (const master of cluster.masters) await master.kill();
    try {
      await expectUnavailable(opened.store);
      await setTimeout(100);
      await expectUnavailable(opened.store, /ECONNREFUSED|closed|no connection/);
    } finally {
      for (const master of cluster.masters) await master.start();
    }
    await expectRecovery(opened.store);
  });
});

describe('Redis with sentinels', { skip: missing('Redis') }, () => {
  let redis: SentinelRedis;
  before(async () => {
    redis = await startSentinelRedis();
  });
  after(() => redis?.[Symbol.asyncDispose]());

  testSessionStore('Redis with sentinels', async () => openStore(redis.url, () => flush(redis.first)), {
    forgetsByItself: true,
  });

  test('asks another sentinel when one is frozen', async () => {
    const [sentinel] = redis.sentinels;
    sentinel?.freeze();
    await using opened = openStore(redis.url, () => flush(redis.first));
    await insertAll(opened.store);
    sentinel?.resume();
    await expectAll(opened.store);
  });

  test('reports a master name that the sentinels do not know', async () => {
    await using opened = openStore(`${redis.url}-other`);
    await expectUnavailable(opened.store, /No such master/);
  });

  test('connects again if a sentinel tells of a failover while it connects', async () => {
    const client = openRedis(redis.url, timeout, unwatched);
    const store = createRedisSessionStore(client);
    await insertAll(store);
    const ended = Promise.withResolvers<void>();
    await client.use(async (connection) => {
      const { connector } = connection as unknown as { readonly connector: { disconnect(): void } };
      connection.once('end', ended.resolve);
      // As the client's `FailoverDetector` does.
      connection.once('connecting', () => connector.disconnect());
      (connection as Redis).disconnect(true);
    });
    await ended.promise;
    await expectRecovery(store);
    await client.close();
    await flush(redis.first);
  });

  test('uses the replica after the master is killed, and keeps its sessions', async () => {
    await using opened = openStore(redis.url);
    const { store } = opened;
    await insertAll(store);
    const master = connectOnce(redis.first.url);
    assert.equal(await master.wait(1, 5000), 1);
    master.disconnect();
    await redis.first.kill();
    await expectUnavailable(store);
    await redis.failOver();
    await expectRecovery(store);
    const promoted = connectOnce(redis.second.url);
    assert.match(await promoted.info('replication'), /role:master/);
    promoted.disconnect();
  });

  test('leaves a frozen master that was replaced before it goes on, with a connection that nothing used', async () => {
    await using others = await startSentinelRedis();
    await using idle = openStore(others.url);
    await idle.store.check();
    await using busy = openStore(others.url);
    others.first.freeze();
    await others.failOver();
    await insertAll(busy.store);
    others.first.resume();
    await expectRecovery(idle.store);
  });
});

async function flush({ url }: ThrowAwayServer): Promise<void> {
  const redis = connectOnce(url);
  await redis.flushall();
  redis.disconnect();
}

const noValkey = findRedis('valkey-server') === undefined && 'valkey-server is not installed';

describe('Valkey', { skip: noValkey }, () => {
  let server: ThrowAwayServer;
  before(async () => {
    server = await startRedis({ program: 'valkey-server' });
  });
  after(() => server?.[Symbol.asyncDispose]());

  testSessionStore('Valkey', async () => openStore(server.url, () => flush(server)), { forgetsByItself: true });
});
