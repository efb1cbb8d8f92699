import type { Settings } from '../../ground/config/settings.ts';
import { type Database, type OpenDatabase, openDatabase, openWithin } from '../../ground/database/database.ts';
import { databasePart } from '../../ground/database/errors.ts';
import type { Log } from '../../ground/faults/log.ts';
import { createStoreWatch, type StoreWatch } from '../../ground/faults/store-watch.ts';
import type { OpenRedis } from '../../ground/redis/redis.ts';
import { withLastingEnds } from '../sessions/lasting-ends.ts';
import { createRedisSessionStore } from '../sessions/redis-store.ts';
import { createSqlSessionStore } from '../sessions/sql-store.ts';
import type { Measures } from '../telemetry/measures.ts';
import { createRedisFailureStore } from '../throttle/redis-store.ts';
import { createSqlFailureStore } from '../throttle/sql-store.ts';
import { refusedAccount } from './store-faults.ts';

/** The stores, for the one that opens and closes them. */
type Opened = Awaited<ReturnType<typeof openStores>>;

export type Stores = Omit<Opened, 'within' | 'close'>;

export interface StoreOptions {
  readonly log: Log;
  readonly measures: Measures;
  readonly mustExist: boolean;
  /** Milliseconds since 1970. */
  readonly now?: (() => number) | undefined;
}

/**
 * Opens the stores (the database, and Redis if it is set). Janua connects to their servers only when it first uses them.
 * @throws {Misconfiguration} when an address cannot be read, or a file cannot be opened
 */
export async function openStores(settings: Settings, { log, measures, mustExist, now }: StoreOptions) {
  const timeoutMilliseconds = settings.STORE_TIMEOUT_SECONDS * 1000;
  const opened = await openDatabase(settings.DATABASE_URL, {
    connections: settings.DATABASE_CONNECTIONS,
    timeoutMilliseconds,
    watch: watchFromStart(databasePart, log),
    mustExist,
  });
  const redis = await openRedisOf(settings, timeoutMilliseconds, log);
  const place = redis === undefined ? 'database' : 'redis';
  const idleMilliseconds = Math.max(settings.SESSION_IDLE_SECONDS, settings.REMEMBER_IDLE_SECONDS) * 1000;
  const inRedis = redis && measures.watchStore('redis', 'sessions', createRedisSessionStore(redis));
  const createFailures = (database: OpenDatabase) =>
    redis === undefined ? createSqlFailureStore(database) : createRedisFailureStore(redis);
  const storesOf = (database: OpenDatabase) => ({
    opened: database,
    sessions:
      inRedis === undefined
        ? measures.watchStore('database', 'sessions', createSqlSessionStore(database))
        : withLastingEnds(inRedis, database, idleMilliseconds, now),
    failures:
      settings.THROTTLE === 'off' ? undefined : measures.watchStore(place, 'failures', createFailures(database)),
    /** The sessions in Redis, without the ends that are stored in the database. Undefined if sessions are in the database. */
    inRedis,
    redis,
    sessionsPart: redis === undefined ? databasePart : 'Redis',
  });
  return {
    ...storesOf(opened),
    /** Returns the same stores, of which those in the database are in one transaction. */
    within: (transaction: Database) => storesOf(openWithin(opened, transaction)),
    async close(): Promise<void> {
      await Promise.all([opened.database.destroy(), redis?.close()]);
    },
  };
}

async function openRedisOf({ REDIS_URL }: Settings, timeout: number, log: Log): Promise<OpenRedis | undefined> {
  if (REDIS_URL === undefined) return undefined;
  const { openRedis, redisPart } = await import('../../ground/redis/redis.ts');
  return openRedis(REDIS_URL, timeout, watchFromStart(redisPart, log));
}

/**
 * Watches a store. If the store refuses the server at its start, the server ends with a message and a fix, so the log does not report it
 * again.
 */
function watchFromStart(part: string, log: Log): StoreWatch {
  const watch = createStoreWatch(part, log);
  let hasWorked = false;
  return {
    failed(kind, error) {
      if (hasWorked || refusedAccount(error) === undefined) watch.failed(kind, error);
    },
    succeeded(kind) {
      hasWorked = true;
      watch.succeeded(kind);
    },
  };
}
