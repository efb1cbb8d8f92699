import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { inTime } from '../faults/in-time.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import { TlsConnector } from './tls-connector.ts';

export const redisPart = 'Redis';

/** Seconds after which another try makes sense. */
const retryAfter = 5;

/** Longest pause between two tries to connect again, in milliseconds. */
const longestPause = 1000;

/** The client's events for broken connections: to Redis, to a sentinel, to a node of a cluster. */
const faultEvents = ['error', 'sentinelError', 'node error'] as const;

/** Errors that follow those, without the reason. */
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
  // `use` throws it, so these events need no other listener.
  let lastFault: Error | undefined;
  for (const event of faultEvents) {
    client.on(event, (error: Error) => {
      if (!summary.test(error.message)) lastFault = error;
    });
  }

  /** Waits for the first connection only. While Redis is known to be down, uses fail at once. */
  async function connect(): Promise<void> {
    if (client.status !== 'ready') {
      const { promise, resolve } = Promise.withResolvers<void>();
      client.once('ready', resolve);
      client.connect().catch(() => {});
      await inTime(promise, timeout).catch((error: Error) => {
        lastFault ??= error;
      });
      client.off('ready', resolve);
    }
    // If the database doesn't exist, the client goes on with number 0, which another program may use.
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
    // Gives up a connection on which an answer is overdue: the network may have lost it silently.
    socketTimeout: timeout,
    connectionName: 'janua',
    // A command that was under way when the connection broke may have run. It fails, and is never sent twice.
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
      // If one sentinel doesn't answer, there is time to ask two others.
      sentinelCommandTimeout: timeout / 3,
      ...withTls(address.options),
      ...address.options,
    });
  }
  const cluster = new Cluster(address.nodes, {
    lazyConnect: true,
    // Without it a node refuses all but the first command while it is connecting.
    enableOfflineQueue: true,
    // The nodes answer whether the cluster works. The client would only report that it isn't ready.
    enableReadyCheck: false,
    // Any other value sends a failed command again, even if it may have run.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: timeout / 3,
    // Certificates are for names, not for addresses.
    dnsLookup: (name, answer) => answer(null, name),
    redisOptions: { ...common, ...withTls(address.options), ...address.options },
  });
  // At once: the client reports why it cannot connect only for connections that carry commands.
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
