import type { OpenDatabase } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { clockTolerance } from '../../ground/faults/clock.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { OpenRedis } from '../../ground/redis/redis.ts';
import { serversOf } from '../../ground/redis/servers.ts';

/**
 * Differences between clocks, in seconds. From `noticed` on, they are reported. From `harmful` on, sessions may end, because two servers
 * may then differ from each other by `clockTolerance`.
 */
export const clockLimits = { noticed: 2, harmful: clockTolerance / 2000 };

/** The clock of a store. All servers that share the store can compare their clocks with it. */
export interface StoreClock {
  readonly store: 'database' | 'redis';
  readonly name: string;
  /** Reads the time of each server of the store, in milliseconds since 1970. Undefined if the account has no right to read it. */
  read(): Promise<readonly number[] | undefined>;
}

const databaseTimes = {
  postgres: sql<{ time: unknown }>`select extract(epoch from clock_timestamp()) * 1000 as time`,
  // UTC, because at the end of summer time, the same local time occurs twice.
  mysql: sql<{ time: unknown }>`select timestampdiff(microsecond, '1970-01-01', utc_timestamp(6)) / 1000 as time`,
};

/** Undefined for SQLite, which uses the clock of this machine. */
export function clockOfDatabase({ database, engine }: Pick<OpenDatabase, 'database' | 'engine'>) {
  if (engine === 'sqlite') return undefined;
  const read = async () => (await databaseTimes[engine].execute(database)).rows.map(({ time }) => Number(time));
  return { store: 'database', name: engine === 'postgres' ? 'PostgreSQL' : 'MySQL', read } satisfies StoreClock;
}

export function clockOfRedis({ use }: Pick<OpenRedis, 'use'>): StoreClock {
  const read = () =>
    use(async (client) => {
      try {
        const times = await Promise.all(serversOf(client).map((server) => server.time()));
        return times.map(([seconds, microseconds]) => Number(seconds) * 1000 + Number(microseconds) / 1000);
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('NOPERM')) return undefined;
        throw error;
      }
    });
  return { store: 'redis', name: 'Redis', read };
}

export const clocksOf = ({ opened, redis }: { opened: OpenDatabase; redis: OpenRedis | undefined }): StoreClock[] =>
  [clockOfDatabase(opened), redis && clockOfRedis(redis)].filter((clock) => clock !== undefined);

/**
 * Measures by how many seconds our clock is ahead of a store's, corrected by half of the round trip. The fastest of three tries counts. Of
 * several servers, the one with the largest difference counts.
 */
export async function compareClock({ read }: StoreClock, now: () => number): Promise<number | undefined> {
  let fastest = { roundTrip: Number.POSITIVE_INFINITY, seconds: 0 };
  for (let tries = 0; tries < 3; tries += 1) {
    const asked = now();
    const times = await read();
    const answered = now();
    if (times === undefined) return undefined;
    const differences = times.map((time) => ((asked + answered) / 2 - time) / 1000);
    const [seconds = 0] = differences.toSorted((one, other) => Math.abs(other) - Math.abs(one));
    if (answered - asked < fastest.roundTrip) fastest = { roundTrip: answered - asked, seconds };
  }
  return fastest.seconds;
}

interface ClockWatchOptions {
  readonly log: Pick<Log, 'warn'>;
  readonly now: () => number;
  readonly onCompared?: ((store: string, seconds: number) => void) | undefined;
}

/** Returns a function that compares our clock with each store's. It logs a difference once, and again only if it had disappeared. */
export function createClockWatch(clocks: readonly StoreClock[], { log, now, onCompared }: ClockWatchOptions) {
  const noticed = new Set<string>();

  async function compare(clock: StoreClock): Promise<void> {
    const { store, name } = clock;
    const seconds = await compareClock(clock, now);
    if (seconds === undefined) return;
    onCompared?.(store, seconds);
    const isNew = !noticed.delete(store);
    if (Math.abs(seconds) < clockLimits.noticed) return;
    noticed.add(store);
    if (isNew)
      log.warn(
        { event: 'clock_differs', store, seconds: Math.round(seconds) },
        `the clocks of this machine and of ${name} differ; see janua doctor`,
      );
  }

  /** A store that does not answer is reported elsewhere. */
  return async (): Promise<void> => void (await Promise.allSettled(clocks.map(compare)));
}
