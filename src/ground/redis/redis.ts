import { Cluster, Redis, type RedisOptions } from 'ioredis';
import { inTime } from '../faults/in-time.ts';
import type { StoreWatch } from '../faults/store-watch.ts';
import { Unavailable } from '../faults/unavailable.ts';
import { parseRedisUrl, type RedisAddress } from './redis-url.ts';
import { TlsConnector } from './tls-connector.ts';

export const redisPart = 'Redis';

/** Seconds after which another attempt makes sense. */
const retryAfter = 5;

/** The longest pause between two attempts to reconnect, in milliseconds. */
const longestPause = 1000;

/** Milliseconds without a failure after which a cluster counts as available again. */
const calmMilliseconds = 1000;

const faultEvents = ['error', 'sentinelError', 'node error'] as const;

/** Matches errors that only report the consequence of an earlier error, and not the cause. */
const summary =
  /^(All sentinels are unreachable|Failed to refresh slots cache|Connection is closed|there is no connection)/;

export type RedisClient = Redis | Cluster;

export type ScriptedClient<Name extends string> = RedisClient &
  Record<Name, (key: string, ...values: (string | number)[]) => Promise<unknown>>;

export type OpenRedis = ReturnType<typeof openRedis>;

/**
 * Opens Redis. The client connects on the first use, and reconnects whenever the connection is lost.
 * @param timeout milliseconds that a call of `use` may take
 */
export function openRedis(url: string, timeout: number, watch: StoreWatch) {
  const address = parseRedisUrl(url);
  const client = createClient(address, timeout);
  /** The last fault that the client has reported by an event. `use` throws it as the cause. */
  let lastFault: Error | undefined;
  let calm: NodeJS.Timeout | undefined;
  let answered = true;

  /**
   * Reports a cluster as available only after some time without a failure, because the other masters of the cluster answer while one is
   * lost.
   */
  function waitForCalm(): void {
    answered = false;
    clearTimeout(calm);
    calm = setTimeout(() => {
      calm = undefined;
      if (answered) watch.succeeded('write');
    }, calmMilliseconds).unref();
  }

  for (const event of faultEvents) {
    client.on(event, (error: Error) => {
      if (!summary.test(error.message)) lastFault = error;
    });
  }

  /** Only the first call of `use` waits for the connection. Later calls fail at once while Redis is known to be down. */
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
    // If the database number does not exist, the client silently uses number 0, which may belong to another program.
    if (address.kind === 'single' && client.status === 'ready') await client.call('select', String(address.options.db));
  }

  // The client gives up for good when a sentinel reports a failover while the client connects. So it must be told to connect again.
  let isClosed = false;
  client.on('end', () => {
    if (!isClosed) setTimeout(() => isClosed || client.connect().catch(() => {}), longestPause).unref();
  });

  let first: Promise<void> | undefined;

  /** Runs a command with a time limit, and turns faults into `Unavailable`. All commands must use this. */
  async function use<T>(work: (client: RedisClient) => Promise<T>): Promise<T> {
    try {
      first ??= connect().catch((error: unknown) => {
        first = undefined;
        throw error;
      });
      await first;
      if (client.status !== 'ready') throw new Error('there is no connection');
      // The client's own `commandTimeout` would be a second limit, and in a cluster it starts too late: once the node is known.
      const result = await inTime(work(client), timeout);
      lastFault = undefined;
      answered = true;
      if (calm === undefined) watch.succeeded('write');
      return result;
    } catch (error) {
      if (address.kind === 'cluster') waitForCalm();
      const saysWhy = client.status === 'ready' && error instanceof Error && !summary.test(error.message);
      const cause = saysWhy ? error : (lastFault ?? error);
      const unavailable = new Unavailable(redisPart, retryAfter, cause);
      watch.failed('write', unavailable);
      throw unavailable;
    }
  }

  return {
    use,

    /**
     * Adds Lua scripts to the client as methods. Each script uses only one key, so it also works in a cluster. Returns `use` for these
     * methods.
     */
    useScripts<Name extends string>(scripts: Readonly<Record<Name, string>>) {
      for (const [name, lua] of Object.entries<string>(scripts)) client.defineCommand(name, { lua, numberOfKeys: 1 });
      return <T>(work: (client: ScriptedClient<Name>) => Promise<T>): Promise<T> =>
        use((client) => work(client as ScriptedClient<Name>));
    },

    async close(): Promise<void> {
      isClosed = true;
      client.disconnect();
    },
  };
}

function createClient(address: RedisAddress, timeout: number): RedisClient {
  const pause = (times: number) => Math.min(50 * times, longestPause);
  const common = {
    connectTimeout: timeout,
    // Drops a connection with an overdue reply, because the network may have lost the connection silently.
    socketTimeout: timeout,
    connectionName: 'janua',
    // A command that was running when the connection broke may have been executed. So it fails, and is never sent twice.
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
      // Listens to the sentinels, because a connection to a frozen master does not end by itself.
      failoverDetector: true,
      // If one sentinel does not answer, this limit leaves time to ask two more.
      sentinelCommandTimeout: timeout / 3,
      ...withTls(address.options),
      ...address.options,
    });
  }
  const cluster = new Cluster(address.nodes, {
    lazyConnect: true,
    // Without the queue, a connecting node refuses all but the first command.
    enableOfflineQueue: true,
    // The errors of the nodes say why a cluster does not work. The client's own check would only report that it is not ready.
    enableReadyCheck: false,
    // Any other value resends a failed command, even if it may have run.
    retryDelayOnFailover: 0,
    retryDelayOnClusterDown: 0,
    clusterRetryStrategy: pause,
    slotsRefreshTimeout: timeout / 3,
    // Keeps host names, because certificates are for names and not for addresses.
    dnsLookup: (name, answer) => answer(null, name),
    redisOptions: { ...common, ...withTls(address.options), ...address.options },
  });
  // Connects to each node at once. Otherwise the client would connect, and report errors, only when it sends a command to the node.
  cluster.on('+node', (node: Redis) => {
    if (!node.options.readOnly) node.connect().catch(() => {});
  });
  return cluster;
}

/**
 * Adds the options of TLS. Sentinels have their own connector. Without `sentinelTLS`, TLS would cover only Redis, and the sentinels'
 * traffic would be plain.
 */
function withTls({ tls, sentinels }: RedisOptions): Pick<RedisOptions, 'sentinelTLS' | 'Connector'> {
  if (tls === undefined) return {};
  return sentinels ? { sentinelTLS: tls } : { Connector: TlsConnector };
}
