import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createRedisSessionStore } from '../../../src/core/sessions/redis-store.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { openRedis } from '../../../src/ground/redis/redis.ts';
import { createMigratedWorkplace, type Finished, type Workplace } from '../../commands/janua-command.ts';
import { type OpenStore, testSessionStore } from '../../core/sessions/store-contract.ts';
import { type Certificate, createCertificate } from '../../servers/certificate.ts';
import { missing } from '../../servers/missing.ts';
import { connectOnce, startRedis } from '../../servers/redis.ts';
import { type RedisCluster, startRedisCluster } from '../../servers/redis-cluster.ts';
import type { ThrowAwayServer } from '../../servers/throw-away-server.ts';

const skip = missing('Redis');

let folder: string;
let right: Certificate;
let other: Certificate;
let elsewhere: Certificate;
let workplace: Workplace;
let server: ThrowAwayServer;
let cluster: RedisCluster;
/** The ports for TLS. */
let tlsPort: number;
let clusterPort: number | undefined;

before(async () => {
  if (skip) return;
  folder = await mkdtemp(join(tmpdir(), 'janua-certificates-'));
  right = await createCertificate(folder, 'right');
  [other, elsewhere, workplace, server, cluster] = await Promise.all([
    createCertificate(folder, 'other'),
    createCertificate(folder, 'elsewhere', 'DNS:elsewhere.example'),
    createMigratedWorkplace(),
    startRedis(),
    startRedisCluster(right),
  ]);
  tlsPort = await takeTls(server, right);
  [clusterPort] = cluster.tlsPorts;
});
after(async () => {
  if (skip) return;
  await cluster?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await workplace?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

/** Ports outside of the range that the system assigns. */
const ports = { first: 20_000, count: 10_000 };

/** Makes a running server accept TLS as well, with that certificate. Gives its port. */
async function takeTls({ url }: ThrowAwayServer, { certificate, key }: Certificate): Promise<number> {
  const redis = connectOnce(url);
  try {
    await redis.config('SET', 'tls-cert-file', certificate, 'tls-key-file', key, 'tls-auth-clients', 'no');
    for (let attempt = 1; ; attempt += 1) {
      const port = ports.first + Math.floor(Math.random() * ports.count);
      try {
        await redis.config('SET', 'tls-port', port);
        return port;
      } catch (error) {
        if (attempt === 10) throw error;
      }
    }
  } finally {
    redis.disconnect();
  }
}

/** Lists sessions, which needs only Redis. */
async function list(url: string, authority?: string): Promise<Finished> {
  const env = {
    REDIS_URL: url,
    STORE_TIMEOUT_SECONDS: '2',
    ...(authority === undefined ? {} : { NODE_EXTRA_CA_CERTS: authority }),
  };
  return await workplace.run(['sessions', 'list', '--user-id', 'somebody'], { env });
}

/** Expects one line with the reason, and no stack. */
function expectRefused({ code, stdout, stderr }: Finished, reason: RegExp): void {
  assert.match(stderr, /^Redis is unavailable: [^\n]+\n$/);
  assert.match(stderr, reason);
  assert.deepEqual({ code, stdout }, { code: 1, stdout: '' });
}

const listed = { code: 0, stdout: 'There are no sessions.\n', stderr: '' };

test('Redis is used if NODE_EXTRA_CA_CERTS trusts its certificate', { skip }, async () => {
  const urls = [
    `rediss://127.0.0.1:${tlsPort}`,
    `rediss://localhost:${tlsPort}`,
    `rediss+cluster://127.0.0.1:${clusterPort}`,
    `rediss+cluster://localhost:${clusterPort}`,
  ];
  const finished = await Promise.all(urls.map((url) => list(url, right.certificate)));
  for (const result of finished) assert.deepEqual(result, listed);
});

test('Redis is not used with an untrusted certificate, one for another host, or without TLS at a TLS port', {
  skip,
}, async () => {
  await using wrong = await startRedis();
  const wrongPort = await takeTls(wrong, elsewhere);
  const [untrusted, unknown, inCluster, misnamed, clear] = await Promise.all([
    list(`rediss://127.0.0.1:${tlsPort}`, other.certificate),
    list(`rediss://127.0.0.1:${tlsPort}`),
    list(`rediss+cluster://127.0.0.1:${clusterPort}`),
    list(`rediss://127.0.0.1:${wrongPort}`, elsewhere.certificate),
    list(`redis://127.0.0.1:${tlsPort}`),
  ]);
  for (const refused of [untrusted, unknown, inCluster]) expectRefused(refused, /self-signed certificate/);
  expectRefused(misnamed, /not in the cert/);
  expectRefused(clear, /ECONNRESET/);
});

test('`janua doctor` reports an untrusted certificate with a fix', { skip }, async () => {
  const { code, stdout } = await workplace.run(['doctor'], {
    env: { REDIS_URL: `rediss://127.0.0.1:${tlsPort}`, STORE_TIMEOUT_SECONDS: '2' },
  });
  assert.equal(code, 1);
  assert.match(stdout, /^wrong +sessions .*certificate that Node does not trust\.\n.*NODE_EXTRA_CA_CERTS/m);
});

test('a connection that closes during its handshake causes no uncaught error', { skip }, async () => {
  for (const url of [`rediss://127.0.0.1:${tlsPort}`, `rediss+cluster://127.0.0.1:${clusterPort}`]) {
    for (let milliseconds = 0; milliseconds < 12; milliseconds += 1) {
      const opened = Array.from({ length: 5 }, () => openRedis(url, 1000, unwatched));
      const asked = opened.map((redis) => redis.use((client) => client.get('a')));
      Promise.allSettled(asked);
      await setTimeout(milliseconds);
      for (const redis of opened) await redis.close();
    }
  }
  // An uncaught error arrives later, and fails this test.
  await setTimeout(100);
});

describe('with a trusted certificate', { skip }, () => {
  const trusted = getCACertificates('default');
  before(async () => setDefaultCACertificates([...trusted, await readFile(right.certificate, 'utf8')]));
  after(() => setDefaultCACertificates(trusted));

  function openStore(url: string, flush: () => Promise<unknown>): OpenStore {
    const redis = openRedis(url, 3000, unwatched);
    return {
      store: createRedisSessionStore(redis),
      async [Symbol.asyncDispose]() {
        await redis.close();
        await flush();
      },
    };
  }

  async function flushServer(): Promise<void> {
    const redis = connectOnce(server.url);
    await redis.flushall();
    redis.disconnect();
  }

  test('a sentinel is asked, and none without', async () => {
    async function reasonOf(): Promise<string> {
      const redis = openRedis(`rediss+sentinel://127.0.0.1:${tlsPort}/main`, 1000, unwatched);
      const unavailable: unknown = await redis.use((client) => client.get('a')).catch((error: unknown) => error);
      await redis.close();
      assert.ok(unavailable instanceof Unavailable);
      return String(unavailable.cause);
    }
    // The server is no sentinel, and refuses the question.
    assert.match(await reasonOf(), /unknown command/);
    const authorities = getCACertificates('default');
    setDefaultCACertificates(trusted);
    assert.match(await reasonOf().finally(() => setDefaultCACertificates(authorities)), /Connection is closed/);
  });

  const options = { forgetsByItself: true };
  testSessionStore('Redis over TLS', async () => openStore(`rediss://127.0.0.1:${tlsPort}`, flushServer), options);
  testSessionStore(
    'Redis Cluster over TLS',
    async () => openStore(`rediss+cluster://127.0.0.1:${clusterPort}`, cluster.flush),
    options,
  );
});
