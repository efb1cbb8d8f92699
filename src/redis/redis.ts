import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { inTime, noAnswer } from '../faults/in-time.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import { TlsConnector } from './tls-connector.ts';

export const redisPart = 'Redis';

/** Seconds after which another try makes sense. */
const retryAfter = 5;

/** Longest pause between two tries to connect again, in milliseconds. */
const longestPause = 1000;

/** What the client says of connections: to Redis, to a sentinel, to a node of a cluster. */
const faultEvents = ['error', 'sentinelError', 'node error'] as const;

/** What it says after that, and leaves out why. */
const summary =
  /^(All sentinels are unreachable|Failed to refresh slots cache|Connection is closed|there is no connection)/;

export type RedisClient = Redis | Cluster;

/** Redis or Valkey; every use of it goes through `use`, which ends in time and turns its faults into `Unavailable`. */
export interface OpenRedis {
  use<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens Redis or Valkey. It is connected to on the first use, and again whenever the connection was lost.
 * @param timeout longest that a use of it may take, in milliseconds
 * @throws {Misconfiguration} for a URL that cannot be read
 */
export function openRedis(url: string, timeout: number, watch: StoreWatch): OpenRedis {
  const address = parseRedisUrl(url);
  const client = createClient(address, timeout);
  // Whoever uses it is told; nobody needs telling twice.
  let lastFault: Error | undefined;
  for (const event of faultEvents) {
    client.on(event, (error: Error) => {
      if (!summary.test(error.message)) lastFault = error;
    });
  }

  /** Waits for the first connection only: while Redis is known to be away, nobody waits for it. */
  async function connect(): Promise<void> {
    if (client.status !== 'ready') {
      const { promise, resolve } = Promise.withResolvers<void>();
      client.once('ready', resolve);
      const timer = setTimeout(() => {
        lastFault ??= noAnswer(timeout);
        resolve();
      }, timeout);
      client.connect().catch(() => {});
      await promise;
      clearTimeout(timer);
      client.off('ready', resolve);
    }
    // The client goes on with number 0 when there is no such database, among keys that may be somebody else's.
    if (address.kind === 'single' && client.status === 'ready') await client.call('select', String(address.options.db));
  }

  let first: Promise<void> | undefined;

  return {
    async use(work) {
      try {
        first ??= connect().catch((error: unknown) => {
          first = undefined;
          throw error;
        });
        await first;
        if (client.status !== 'ready') throw new Error('there is no connection');
        // A cluster's commands have a time of their own only when it is known which node they are for.
        const result = await inTime(work(client), timeout);
        lastFault = undefined;
        watch.succeeded('write');
        return result;
      } catch (error) {
        const saysWhy = client.status === 'ready' && error instanceof Error && !summary.test(error.message);
        const cause = saysWhy ? error : (lastFault ?? error);
        const unavailable = new Unavailable(redisPart, retryAfter, cause);
        watch.failed('write', unavailable);
        throw unavailable;
      }
    },

    async close() {
      client.disconnect();
    },
  };
}

function createClient(address: RedisAddress, timeout: number): RedisClient {
  const pause = (times: number) => Math.min(50 * times, longestPause);
  const common = {
    commandTimeout: timeout,
    connectTimeout: timeout,
    // A connection on which an answer is overdue is given up: the network may have lost it without a word.
    socketTimeout: timeout,
    connectionName: 'janua',
    // What was under way when the connection broke may have been done: it fails, and is never sent a second time.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
  };
  if (address.kind === 'single') {
    return new Redis({
      ...common,
      lazyConnect: true,
      enableOfflineQueue: false,
      retryStrategy: pause,
      sentinelRetryStrategy: pause,
      // One that does not answer leaves time to ask two others.
      sentinelCommandTimeout: timeout / 3,
      ...withTls(address.options),
      ...address.options,
    });
  }
  const cluster = new Cluster(address.nodes, {
    lazyConnect: true,
    // Without it a node refuses all but the first of those that come while it is being connected to.
    enableOfflineQueue: true,
    // Whether the cluster works is what its nodes answer; the client would say only that it is not ready.
    enableReadyCheck: false,
    // Anything else means that a command which failed is sent again, also when it may have been done.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: timeout / 3,
    // Certificates are for names, and not for what these stand for.
    dnsLookup: (name, answer) => answer(null, name),
    redisOptions: { ...common, ...withTls(address.options), ...address.options },
  });
  // At once, since why a node cannot be connected to is said only of the connections that commands are for.
  cluster.on('+node', (node: Redis) => {
    if (!node.options.readOnly) node.connect().catch(() => {});
  });
  return cluster;
}

/** Sentinels come with a connector of their own, and would be asked in the clear, with TLS to Redis alone. */
function withTls({ tls, sentinels }: RedisOptions): Pick<RedisOptions, 'sentinelTLS' | 'Connector'> {
  if (tls === undefined) return {};
  return sentinels ? { sentinelTLS: tls } : { Connector: TlsConnector };
}
