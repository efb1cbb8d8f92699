import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { parseRedisUrl } from '../../../src/ground/redis/redis-url.ts';
import { missing } from '../../servers/missing.ts';
import { connectOnce, startRedis } from '../../servers/redis.ts';
import { sharedServers } from '../../servers/shared.ts';

const node = { host: 'cache', port: 6379 };

for (const [url, expected] of [
  ['redis://cache', { kind: 'single', options: { ...node, db: 0 } }],
  ['redis://cache:7000/3', { kind: 'single', options: { host: 'cache', port: 7000, db: 3 } }],
  ['redis://:p%40ss@cache', { kind: 'single', options: { ...node, password: 'p@ss', db: 0 } }],
  ['redis://me:a:b@cache', { kind: 'single', options: { ...node, username: 'me', password: 'a:b', db: 0 } }],
  ['rediss://[::1]:1/', { kind: 'single', options: { host: '::1', port: 1, tls: {}, db: 0 } }],
  [
    'redis+cluster://a:1,b',
    {
      kind: 'cluster',
      nodes: [
        { host: 'a', port: 1 },
        { host: 'b', port: 6379 },
      ],
      options: {},
    },
  ],
  [
    'rediss+cluster://u:p@a',
    { kind: 'cluster', nodes: [{ host: 'a', port: 6379 }], options: { username: 'u', password: 'p', tls: {} } },
  ],
  [
    'redis+sentinel://a,b:2/main',
    {
      kind: 'single',
      options: {
        sentinels: [
          { host: 'a', port: 26379 },
          { host: 'b', port: 2 },
        ],
        name: 'main',
        db: 0,
      },
    },
  ],
  [
    'rediss+sentinel://a/main/4',
    {
      kind: 'single',
      options: {
        sentinels: [{ host: 'a', port: 26379 }],
        name: 'main',
        enableTLSForSentinelMode: true,
        tls: {},
        db: 4,
      },
    },
  ],
] as const) {
  test(`${url} is a valid REDIS_URL`, () => assert.deepEqual(parseRedisUrl(url), expected));
}

for (const url of [
  '',
  'cache',
  'http://cache',
  'redis://',
  'redis://a,b',
  'redis://cache/x',
  'redis://cache/1/2',
  'redis://cache:99999',
  'redis+cluster://a/1',
  'redis+sentinel://a',
  'redis+sentinel://a/main/x',
  'redis://%zz@cache',
  'redis://cache?db=1',
]) {
  test(`"${url}" is refused without being repeated`, () => {
    assert.throws(
      () => parseRedisUrl(url),
      (error) => error instanceof Misconfiguration && (url.length < 10 || !error.message.includes(url)),
    );
  });
}

test('a database number beyond the server is refused, and never replaced by another', {
  skip: missing('Redis'),
}, async () => {
  const redis = openRedis(`${new URL('/99999', await sharedServers.redis())}`, 1000, unwatched);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await assert.rejects(
      redis.use((client) => client.set('a', 'b')),
      (error) => error instanceof Unavailable && /out of range/.test(String(error.cause)),
    );
  }
  await redis.close();
});

test('a wrong password is reported', { skip: missing('Redis') }, async () => {
  await using server = await startRedis();
  const admin = connectOnce(server.url);
  await admin.config('SET', 'requirepass', 'right');
  admin.disconnect();
  const url = (password: string) => `redis://:${password}@127.0.0.1:${server.port}`;
  for (const [password, expected] of [
    ['wrong', /WRONGPASS/],
    ['right', undefined],
  ] as const) {
    const redis = openRedis(url(password), 1000, unwatched);
    const asked = redis.use((client) => client.get('a'));
    if (expected === undefined) assert.equal(await asked, null);
    else await assert.rejects(asked, (error) => error instanceof Unavailable && expected.test(String(error.cause)));
    await redis.close();
  }
});

test('a Redis that closes each connection is tried again and again', async (t) => {
  let tries = { alone: 0, cluster: 0, sentinel: 0 };
  const opened: { close(): unknown }[] = [];
  t.after(() => Promise.all(opened.map((one) => one.close())));
  async function listen(kind: keyof typeof tries): Promise<string> {
    const server = createServer((socket) => {
      tries = { ...tries, [kind]: tries[kind] + 1 };
      socket.destroy();
    }).listen(0, '127.0.0.1');
    opened.push(server);
    await once(server, 'listening');
    return `127.0.0.1:${(server.address() as AddressInfo).port}`;
  }
  const urls = [
    `redis://${await listen('alone')}`,
    `redis+cluster://${await listen('cluster')}`,
    `redis+sentinel://${await listen('sentinel')}/main`,
  ];
  t.mock.timers.enable({ apis: ['setTimeout'] });
  for (const url of urls) {
    const redis = openRedis(url, 1000, unwatched);
    opened.push(redis);
    redis.use((client) => client.get('a')).catch(() => {});
  }
  const fewest = () => Math.min(...Object.values(tries));
  // A connection breaks within few turns, and no pause is longer than a second.
  for (let turn = 1; fewest() < 60 && turn < 20_000; turn += 1) {
    if (turn % 50 === 0) t.mock.timers.tick(1000);
    await setImmediate();
  }
  assert.ok(fewest() >= 60, JSON.stringify(tries));
});
