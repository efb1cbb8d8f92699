import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createRedisFailureStore } from '../../../src/core/throttle/redis-store.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { missing } from '../../servers/missing.ts';
import { connectOnce } from '../../servers/redis.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { policies } from './policies.ts';
import { type OpenStore, testFailureStore } from './store-contract.ts';

function openStore(url: string, clean: () => Promise<unknown> = async () => {}): OpenStore {
  const redis = openRedis(url, 3000, unwatched);
  return {
    store: createRedisFailureStore(redis),
    reopen: async () => openStore(url),
    async [Symbol.asyncDispose]() {
      await redis.close();
      await clean();
    },
  };
}

testFailureStore(
  'Redis',
  async () => {
    const { url, drop } = await createRedisDatabase();
    return openStore(url, drop);
  },
  { forgetsByItself: true, skip: missing('Redis') },
);

test('a key expires in Redis, unless it is stopped', { skip: missing('Redis') }, async () => {
  const { url, drop } = await createRedisDatabase();
  await using opened = openStore(url, drop);
  const redis = connectOnce(url);
  const key = { key: 'name:n', policy: { ...policies.unknownName, stopsAt: 2 } };
  const now = Date.now();
  try {
    await opened.store.count([key], now);
    const rest = await redis.pttl('janua:failures:name:n');
    assert.ok(Math.abs(rest - policies.unknownName.keepSeconds * 1000) < 60_000, `${rest} ms`);
    await opened.store.count([key], now);
    assert.equal(await redis.pttl('janua:failures:name:n'), -1);
  } finally {
    redis.disconnect();
  }
});

describe('a Redis Cluster', { skip: missing('Redis') }, () => {
  let cluster: RedisCluster;
  before(async () => {
    cluster = await startRedisCluster();
  });
  after(() => cluster?.[Symbol.asyncDispose]());

  testFailureStore('Redis Cluster', async () => openStore(cluster.url, cluster.flush), { forgetsByItself: true });
});

test('a place that is none has no records', { skip: missing('Redis') }, async () => {
  const { url, drop } = await createRedisDatabase();
  await using opened = openStore(url, drop);
  await opened.store.count([{ key: 'name:n', policy: policies.unknownName }], Date.now());
  for (const place of ['x', '0:x', '9:0', ':', '0:0 '])
    assert.deepEqual(await opened.store.listPage(place), { records: [], next: undefined }, place);
});

test('many who look for keys at once share a look at all keys', { skip: missing('Redis') }, async () => {
  const { url, drop } = await createRedisDatabase();
  const redis = openRedis(url, 3000, unwatched);
  try {
    let uses = 0;
    let slows = false;
    const times: number[] = [];
    const counted: typeof redis = {
      ...redis,
      useScripts(scripts) {
        const use = redis.useScripts(scripts);
        return async (work) => {
          uses += 1;
          if (slows) {
            times.push(performance.now());
            await setTimeout(40);
          }
          return use(work).finally(() => times.push(performance.now()));
        };
      },
    };
    const store = createRedisFailureStore(counted);
    await store.count([{ key: 'pair:3:x', policy: policies.pair }], Date.now());
    uses = 0;
    const found = await Promise.all(Array.from({ length: 20 }, (_, user) => store.find([{ start: `pair:${user}:` }])));
    assert.deepEqual(found.flat(), ['pair:3:x']);
    // Each look asks for the servers, and then scans them.
    assert.ok(uses <= 4, `${uses} uses`);
    assert.deepEqual(await store.find([{ start: 'pair:3:' }]), ['pair:3:x']);
    const keys = Array.from({ length: 1500 }, (_, user) => ({ key: `pair:${user}:y`, policy: policies.pair }));
    await store.count(keys, Date.now());
    slows = true;
    times.length = 0;
    assert.deepEqual(await store.find([{ start: 'pair:', end: ':x' }]), ['pair:3:x']);
    const [, , , end = 0, next = 0] = times;
    assert.ok(next - end >= 35, `the next step began after ${next - end} ms`);
  } finally {
    await redis.close();
    await drop();
  }
});
