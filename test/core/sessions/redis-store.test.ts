import { createRedisSessionStore } from '../../../src/core/sessions/redis-store.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { missing } from '../../servers/missing.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { testRestart, testSessionStore } from './store-contract.ts';

testSessionStore(
  'Redis',
  async () => {
    const { url, drop } = await createRedisDatabase();
    const redis = openRedis(url, 3000, unwatched);
    return {
      store: createRedisSessionStore(redis),
      async [Symbol.asyncDispose]() {
        await redis.close();
        await drop();
      },
    };
  },
  { forgetsByItself: true, skip: missing('Redis') },
);

testRestart(
  'Redis',
  async (url) => {
    const redis = openRedis(url, 3000, unwatched);
    return { store: createRedisSessionStore(redis), [Symbol.asyncDispose]: () => redis.close() };
  },
  createRedisDatabase,
  missing('Redis'),
);
