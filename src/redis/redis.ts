import { Cluster, Redis } from 'ioredis';
import type { StoreWatch } from '../store-watch.ts';
import { Unavailable } from '../unavailable.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';

export const redisPart = 'Redis';

/** Seconds after which another try makes sense. */
const retryAfter = 5;

/** Longest pause between two tries to connect again, in milliseconds. */
const longestPause = 1000;

export type RedisClient = Redis | Cluster;

/** Redis or Valkey; every use of it goes through `use`, which ends in time and turns its faults into `Unavailable`. */
export interface OpenRedis {
  use<T>(work: (client: RedisClient) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * Opens Redis or Valkey. It is connected to on the first use, and again whenever the connection was lost.
 * @param timeout longest that a command may take, in milliseconds
 * @throws {Misconfiguration} for a URL that cannot be read
 */
export function openRedis(url: string, timeout: number, watch: StoreWatch): OpenRedis {
  const address = parseRedisUrl(url);
  const client = createClient(address, timeout);
  // Whoever uses it is told; nobody needs telling twice.
  let lastFault: Error | undefined;
  client.on('error', (error: Error) => {
    lastFault = error;
  });

  /** Waits for the first connection only: while Redis is known to be away, nobody waits for it. */
  async function connect(): Promise<void> {
    if (client.status !== 'ready') {
      const { promise, resolve } = Promise.withResolvers<void>();
      client.once('ready', resolve);
      const timer = setTimeout(resolve, timeout);
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
        const result = await work(client);
        watch.succeeded('write');
        return result;
      } catch (error) {
        // "Stream isn't writeable" says less than why it is so.
        const cause = client.status === 'ready' ? error : (lastFault ?? error);
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
      ...address.options,
    });
  }
  return new Cluster(address.nodes, {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: timeout,
    redisOptions: { ...common, ...address.options },
  });
}
