import { type Check, type Finding, ok, warning, wrong } from '../../selftest/finding.ts';
import { createSqlSessionStore } from '../core/sessions/sql-store.ts';
import { clockOfRedis } from '../core/stores/clocks.ts';
import { shownUrl } from '../ground/config/shown-url.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { unwatched } from '../ground/faults/store-watch.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import type { OpenRedis } from '../ground/redis/redis.ts';
import { serversOf } from '../ground/redis/servers.ts';

import { checkClock } from './clocks.ts';

/** The oldest major version of Redis that we test. Valkey begins at 7. */
const leastVersion = 6;

export async function* checkSqlSessions(opened: OpenDatabase): Check {
  await createSqlSessionStore(opened).check();
  yield ok('Sessions are in the database, and can be written.');
}

/** Opens Redis or Valkey. `closing` closes it. @param timeout milliseconds that a command may take */
export async function* checkRedis(url: string, timeout: number, closing: AsyncDisposableStack): Check {
  const { openRedis } = await import('../ground/redis/redis.ts');
  const { createRedisSessionStore } = await import('../core/sessions/redis-store.ts');
  const redis = openRedis(url, timeout, unwatched);
  closing.defer(() => redis.close());
  const replies = await readInformation(redis);
  if (replies === undefined)
    yield warning(
      'Janua could not see version, eviction, persistence and role: the account may not use INFO.',
      'Allow INFO: ACL SETUSER NAME +info',
    );
  const findings = (replies ?? []).flatMap((reply) => [...judgeInformation(reply)]);
  // Servers of a cluster may report the same faults, so each fault is shown once.
  yield* new Map(findings.map((finding) => [finding.message, finding])).values();
  yield* checkClock(clockOfRedis(redis));
  if (findings.every(({ state }) => state !== 'wrong')) {
    await createRedisSessionStore(redis).check();
    yield ok(`Sessions are in ${shownUrl(url)}, and can be written.`);
  }
}

/** Returns the reply of each server to INFO. Undefined if the account may not use INFO. */
async function readInformation(redis: OpenRedis): Promise<string[] | undefined> {
  try {
    return await redis.use((client) => Promise.all(serversOf(client).map((server) => server.info())));
  } catch (error) {
    const refused = error instanceof Unavailable && error.cause instanceof Error && /^NOPERM/.test(error.cause.message);
    if (refused) return undefined;
    throw error;
  }
}

export function* judgeInformation(reply: string): Generator<Finding> {
  const information = new Map([...reply.matchAll(/^(\w+):(.*?)\r?$/gm)].map(([, name, value = '']) => [name, value]));
  const valkey = information.get('valkey_version');
  const version = valkey ?? information.get('redis_version') ?? 'unknown';
  const name = `${valkey === undefined ? 'Redis' : 'Valkey'} ${version}`;
  yield Number.parseInt(version, 10) < leastVersion
    ? wrong(`${name} is too old.`, `Use Redis ${leastVersion} or newer, or Valkey.`)
    : ok(`The server is ${name}.`);

  if (information.get('role') === 'slave')
    yield wrong(
      'REDIS_URL names a replica, which cannot store sessions.',
      'Name the primary in REDIS_URL, or the sentinels: redis+sentinel://HOST:PORT,HOST:PORT/NAME',
    );

  const policy = information.get('maxmemory_policy');
  if (policy !== undefined)
    yield policy === 'noeviction'
      ? ok('The server evicts no sessions: maxmemory-policy is noeviction.')
      : // All remaining policies evict keys that expire, and sessions expire.
        warning(
          `When its memory is full, the server evicts active sessions: maxmemory-policy is ${policy}.`,
          'CONFIG SET maxmemory-policy noeviction, and the same in the configuration file',
        );

  const appends = information.get('aof_enabled');
  if (appends !== undefined)
    yield appends === '1'
      ? ok('Sessions survive a restart of the server: appendonly is yes.')
      : warning(
          'A restart of the server signs users out, or brings ended sessions back: appendonly is no.',
          'CONFIG SET appendonly yes, and the same in the configuration file',
        );
}
