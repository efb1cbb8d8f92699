import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { ask, connectOnce, findRedis, startRedis } from './redis.ts';
import { startServer, type ThrowAwayServer } from './throw-away-server.ts';

/** A master, its replica, and three sentinels, which promote the replica when a test asks for it. */
export interface SentinelRedis extends AsyncDisposable {
  /** For REDIS_URL. Names the sentinels. */
  readonly url: string;
  readonly first: ThrowAwayServer;
  readonly second: ThrowAwayServer;
  readonly sentinels: readonly ThrowAwayServer[];
  /** Has the replica promoted, and waits until every sentinel names it as the master. */
  failOver(): Promise<void>;
}

export const masterName = 'main';

/** Milliseconds without an answer after which the sentinels themselves take the master as lost. A busy machine pauses a server for shorter. */
const downAfter = 60_000;

/** Milliseconds after which the sentinels give up a promotion that the replica did not confirm. */
const promotionPatience = 60_000;

/** Milliseconds within which the servers have to agree, and between two checks. */
const patience = 60_000;
const pollInterval = 25;

export async function startSentinelRedis(): Promise<SentinelRedis> {
  const args = ['--repl-diskless-sync-delay', '0'];
  const starting = [startRedis({ args }), startRedis({ args })] as const;
  const startingSentinels = Array.from({ length: 3 }, startSentinel);
  const closing = new AsyncDisposableStack();
  try {
    const first = closing.use(await starting[0]);
    const second = closing.use(await starting[1]);
    const sentinels: ThrowAwayServer[] = [];
    for (const sentinel of startingSentinels) sentinels.push(closing.use(await sentinel));
    await ask(second, 'replicaof', '127.0.0.1', String(first.port));
    await until(second, ['info', 'replication'], /master_link_status:up/);
    // Sentinels look for replicas every ten seconds. One that finds the replica at its first look saves that wait.
    for (const sentinel of sentinels) {
      await ask(sentinel, 'sentinel', 'monitor', masterName, '127.0.0.1', String(first.port), '2');
      await ask(sentinel, 'sentinel', 'set', masterName, 'down-after-milliseconds', String(downAfter));
      await ask(sentinel, 'sentinel', 'set', masterName, 'failover-timeout', String(promotionPatience));
    }
    for (const sentinel of sentinels) await until(sentinel, ['info', 'sentinel'], /status=ok,.*slaves=1,sentinels=3/);
    return {
      url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${masterName}`,
      first,
      second,
      sentinels,
      async failOver() {
        // The first may have been frozen, and then does nothing for 30 seconds.
        const asked = sentinels.at(-1);
        if (asked === undefined) return;
        const place = ['sentinel', 'get-master-addr-by-name', masterName] as const;
        const isPromoted = new RegExp(`,${second.port}$`);
        // A sentinel gives up if it has not heard the replica for five seconds, as on a busy machine. So it is asked again. It needs no
        // agreement of the others, who may take long to reach it.
        for (let tries = 1; ; tries += 1)
          try {
            await ask(asked, 'sentinel', 'failover', masterName);
            await until(asked, [...place], isPromoted, 10_000);
            break;
          } catch (error) {
            if (tries === 5) throw error;
            await setTimeout(1000);
          }
        for (const sentinel of sentinels) await until(sentinel, [...place], isPromoted);
      },
      [Symbol.asyncDispose]: () => closing.disposeAsync(),
    };
  } catch (error) {
    await closing.disposeAsync();
    throw error;
  }
}

async function startSentinel(): Promise<ThrowAwayServer> {
  const program = findRedis();
  if (program === undefined) throw new Error('Redis is not installed');
  return startServer(
    {
      name: 'redis-sentinel',
      program,
      // A sentinel writes to its configuration file, and does not start without one.
      initialise: (folder) => writeFile(join(folder, 'sentinel.conf'), ''),
      args: ({ data, port }) => [
        ...[join(data, 'sentinel.conf'), '--sentinel', '--port', String(port)],
        ...['--bind', '127.0.0.1', '--dir', data],
      ],
      url: (port) => `redis://127.0.0.1:${port}/0`,
      async answers(url, _place, pid) {
        const redis = connectOnce(url);
        try {
          return new RegExp(`^process_id:${pid}\\r?$`, 'm').test(await redis.info('server'));
        } finally {
          redis.disconnect();
        }
      },
      stopSignal: 'SIGTERM',
      endSignal: 'SIGKILL',
    },
    {},
  );
}

async function until(
  server: ThrowAwayServer,
  words: [string, ...string[]],
  expected: RegExp,
  milliseconds = patience,
): Promise<void> {
  const deadline = performance.now() + milliseconds;
  let said = '';
  while (performance.now() < deadline) {
    said = String(await ask(server, ...words));
    if (expected.test(said)) return;
    await setTimeout(pollInterval);
  }
  throw new Error(`expected ${expected} within ${milliseconds} ms, got: ${said}`);
}
