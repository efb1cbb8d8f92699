import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  clockOfRedis,
  clocksOf,
  compareClock,
  createClockWatch,
  type StoreClock,
} from '../../../src/core/stores/clocks.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { openTestDatabase } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { connectOnce } from '../../servers/redis.ts';
import { createRedisDatabase } from '../../servers/shared.ts';
import { openUserDatabase } from '../../stores.ts';

const clock = (read: StoreClock['read']): StoreClock => ({ store: 'database', name: 'the database', read });

describe('the clock of this machine is compared', () => {
  for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
    test(`with that of ${engine}${engine === 'SQLite' ? ' not at all' : ''}`, { skip: missing(engine) }, async () => {
      const { url, drop } = await openUserDatabase(engine);
      await using stack = new AsyncDisposableStack();
      stack.defer(drop);
      const opened = stack.use(await openTestDatabase(url));
      const clocks = clocksOf({ opened, redis: undefined });
      const found = await Promise.all(clocks.map((each) => compareClock(each, () => Date.now() + 70_000)));
      assert.deepEqual(
        found.map((seconds) => Math.round(seconds ?? 0)),
        engine === 'SQLite' ? [] : [70],
      );
    });

  test('with that of Redis, unless the account may not ask', { skip: missing('Redis') }, async () => {
    const { url, drop } = await createRedisDatabase();
    const client = connectOnce(url);
    const account = url.replace(/^.*\D(\d+)$/, 'clock$1');
    await client.call('ACL', 'SETUSER', account, 'on', '>secret', '+@connection');
    const failures: string[] = [];
    const watch = { ...unwatched, failed: (kind: string) => failures.push(kind) };
    const found: unknown[] = [];
    for (const address of [url, url.replace('//', `//${account}:secret@`)]) {
      const redis = openRedis(address, 3000, watch);
      const seconds = await compareClock(clockOfRedis(redis), () => Date.now() - 70_000);
      found.push(seconds === undefined ? seconds : Math.round(seconds));
      await redis.close();
    }
    assert.deepEqual([found, failures], [[-70, undefined], []]);
    await client.call('ACL', 'DELUSER', account);
    client.disconnect();
    await drop();
  });

  test('less half of the fastest round trip, and with the server that differs most', async () => {
    const times = [0, 1000, 2000, 2100, 3000, 7000];
    const reads = [[9000], [2050 - 1500, 2050 - 2500, 2050 + 100], [-9000]];
    const read = async () => reads.shift();
    assert.equal(await compareClock(clock(read), () => times.shift() ?? 0), 2.5);
  });
});

test('a difference of two seconds or more is logged once, until it is gone', async () => {
  const logged: object[] = [];
  const figures: number[] = [];
  let ahead = 0;
  const clocks = [
    clock(async () => [-ahead * 1000]),
    { ...clock(() => Promise.reject(new Error('away'))), store: 'redis' as const },
  ];
  const compare = createClockWatch(clocks, {
    log: { warn: (details) => logged.push(details) },
    now: () => 0,
    onCompared: (store, seconds) => figures.push(seconds) && assert.equal(store, 'database'),
  });
  const differences = [1.9, -2, -3, 70, 0, 2.4];
  for (ahead of differences) await compare();
  assert.deepEqual(figures, differences);
  const line = { event: 'clock_differs', store: 'database' };
  assert.deepEqual(logged, [
    { ...line, seconds: -2 },
    { ...line, seconds: 2 },
  ]);
});
