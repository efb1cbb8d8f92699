import { setTimeout } from 'node:timers/promises';
import type { Certificate } from './certificate.ts';
import { ask, startRedis } from './redis.ts';
import { findFreePort, type ThrowAwayServer } from './throw-away-server.ts';

/** Masters that share all slots. None has a replica, so that the keys of a lost master are unavailable. */
export interface RedisCluster extends AsyncDisposable {
  /** For REDIS_URL. Names every master. */
  readonly url: string;
  readonly masters: readonly ThrowAwayServer[];
  /** The port for TLS of each master, if the cluster has a certificate. */
  readonly tlsPorts: readonly number[];
  /** Waits until every master, or each of these, reports the cluster as working, or as failed. */
  reach(state: 'ok' | 'fail', by?: readonly ThrowAwayServer[]): Promise<void>;
  /** Removes all keys from all masters. */
  flush(): Promise<void>;
}

/** The number of masters, and of slots. */
const size = 3;
const slotCount = 16_384;

/** Milliseconds without an answer after which the cluster takes a master as lost. A busy machine pauses a server for shorter. */
const nodeTimeout = 1500;

/** Milliseconds within which the masters have to agree, and between two checks. */
const patience = 60_000;
const pollInterval = 25;

/** @param certificate to take TLS as well */
export async function startRedisCluster(certificate?: Certificate): Promise<RedisCluster> {
  const tlsPorts = certificate ? await Promise.all(Array.from({ length: size }, findFreePort)) : [];
  // Redis itself would take its port and 10,000, which the system may have given to a connection.
  const busPorts = await Promise.all(Array.from({ length: size }, findFreePort));
  const starting = busPorts.map((busPort, index) => {
    const tlsPort = tlsPorts[index];
    const args = [
      ...['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeout), '--cluster-port', String(busPort)],
      ...(certificate && tlsPort ? tlsArgs(certificate, tlsPort) : []),
    ];
    return startRedis({ durable: true, args });
  });
  const closing = new AsyncDisposableStack();
  try {
    const masters: ThrowAwayServer[] = [];
    for (const server of starting) masters.push(closing.use(await server));
    for (const [index, master] of masters.entries()) {
      const first = Math.ceil((slotCount * index) / size);
      const last = Math.ceil((slotCount * (index + 1)) / size) - 1;
      await ask(master, 'cluster', 'addslotsrange', String(first), String(last));
      // Two masters with the same epoch would first have to agree on the owner of each slot.
      await ask(master, 'cluster', 'set-config-epoch', String(index + 1));
      const meeting = [tlsPorts[0] ?? masters[0]?.port, busPorts[0]].map(String);
      if (index > 0) await ask(master, 'cluster', 'meet', '127.0.0.1', ...meeting);
    }
    const cluster: RedisCluster = {
      url: `redis+cluster://${masters.map(({ port }) => `127.0.0.1:${port}`).join(',')}`,
      masters,
      tlsPorts,
      async reach(state, by = masters) {
        await Promise.all(by.map((master) => untilInformed(master, state)));
      },
      async flush() {
        await Promise.all(masters.map((master) => ask(master, 'flushall')));
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
    await cluster.reach('ok');
    return cluster;
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

/** Before Redis 7.2, a cluster tells its clients the ports for TLS only if the masters use TLS among themselves. */
const tlsArgs = ({ certificate, key }: Certificate, port: number) => [
  ...['--tls-port', String(port), '--tls-cluster', 'yes', '--tls-auth-clients', 'no'],
  ...['--tls-cert-file', certificate, '--tls-key-file', key, '--tls-ca-cert-file', certificate],
];

async function untilInformed(master: ThrowAwayServer, state: string): Promise<void> {
  const expected = [`cluster_state:${state}`, ...(state === 'ok' ? [`cluster_known_nodes:${size}`] : [])];
  const deadline = performance.now() + patience;
  let said: string | undefined;
  while (performance.now() < deadline) {
    said = await ask(master, 'cluster', 'info').then(String, () => undefined);
    if (expected.every((line) => said?.includes(line))) return;
    await setTimeout(pollInterval);
  }
  throw new Error(`the cluster is not ${state} after ${patience} ms: ${said}`);
}
