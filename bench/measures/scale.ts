import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { startMariadb } from '../../test/servers/mariadb.ts';
import { startPostgres } from '../../test/servers/postgres.ts';
import { startRedis } from '../../test/servers/redis.ts';
import type { Effort } from '../options.ts';
import { fillDatabase } from '../population/fill-database.ts';
import { fillRedis } from '../population/fill-redis.ts';
import { type Size, writePopulation } from '../population/population.ts';
import { type Settings, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { createFolder } from '../workspace.ts';
import { type Ask, type Figures, sendRequests, startSenders, summarizeFigure } from './requests.ts';
import { takeTurns } from './turns.ts';

const small: Size = { users: 1_000, sessions: 1_000 };

/** Number of different sessions that send requests, for both sizes. The small size has no more. */
const cookieCount = 1_000;

const mostTimesSmall = 1.15;
const mostTimesBare = 6.5;

/** Enough memory for the large size, because the disk is not measured here. */
const serverArguments = {
  postgres: ['-c', 'shared_buffers=1GB'],
  mariadb: ['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=256M'],
};

const number = new Intl.NumberFormat('en');

/** All stores, filled with one size. */
interface Filled {
  readonly size: Size;
  readonly cookies: readonly string[];
  /** The URL of each store. */
  readonly urls: Readonly<Record<Store, string>>;
  /** Seconds. */
  readonly took: Readonly<Record<Store | 'files', number>>;
}

type Store = 'SQLite' | 'PostgreSQL' | 'MariaDB' | 'Redis';

interface Choice {
  readonly users: Exclude<Store, 'Redis'>;
  readonly inRedis: boolean;
}

export const choices: readonly Choice[] = (['SQLite', 'PostgreSQL', 'MariaDB'] as const).flatMap((users) => [
  { users, inRedis: false },
  { users, inRedis: true },
]);

/** The cost of `GET /api/me` with many users and sessions and with few, on each store. */
export interface Scale {
  /** The lines of a table with the seconds that filling the stores took. */
  readonly filling: string[][];
  readonly requests: string[][];
}

export async function measureScale(effort: Effort): Promise<Scale> {
  await using stack = new AsyncDisposableStack();
  const { users, sessions } = effort.large;
  const sizes = [await fill(stack, small), await fill(stack, { users, sessions })] as const;
  const senderFor = await startSenders(stack);
  const subject = (storeServers: number, file: string, requests: readonly string[], settings?: Settings) => {
    const server = stack.use(startChild<ServerTasks>(file, settings));
    const ask: Ask = { requests, expected: '"username":"' };
    return () => sendRequests(server, senderFor(storeServers), ask, effort);
  };

  const [bare = [], ...figures] = await takeTurns(
    [
      subject(0, './bare.ts', [getRequest('/')]),
      ...choices.flatMap((choice) =>
        sizes.map(({ urls, cookies }) => {
          const requests = cookies.map((cookie) => getRequest('/api/me', `Cookie: session=${cookie}`));
          return subject(countServers(choice), './janua.ts', requests, settingsFor(choice, urls));
        }),
      ),
    ],
    effort.rounds,
  );

  const bareMedian = summarizeFigure(bare, 'cpu').median;
  return {
    filling: describeFilling(sizes),
    requests: [
      [
        ...['users and sessions in', ...sizes.map(({ size }) => describeSize(size))],
        ...['ratio', 'goal', 'met', 'vs. bare', 'goal', 'met', 'requests/s'],
      ],
      ['bare Fastify route', describeCpu(bare), '', '', '', '', '1.00', '', '', describeSpeed(bare)],
      ...choices.map((choice, index) => {
        const [few = [], many = []] = figures.slice(2 * index);
        const median = summarizeFigure(many, 'cpu').median;
        const ratio = median / summarizeFigure(few, 'cpu').median;
        const timesBare = median / bareMedian;
        const bareGoal = choice.users === 'SQLite' && choice.inRedis;
        return [
          choice.inRedis ? `${choice.users}, Redis` : choice.users,
          ...[describeCpu(few), describeCpu(many)],
          ...[ratio.toFixed(2), `at most ${mostTimesSmall}`, yesOrNo(ratio <= mostTimesSmall)],
          timesBare.toFixed(2),
          ...(bareGoal ? [`at most ${mostTimesBare}`, yesOrNo(timesBare <= mostTimesBare)] : ['', '']),
          `${describeSpeed(few)}, ${describeSpeed(many)}`,
        ];
      }),
    ],
  };
}

export const countServers = ({ users, inRedis }: Choice) => (users === 'SQLite' ? 0 : 1) + (inRedis ? 1 : 0);

/** Starts the store servers for one size, then fills a SQLite file and the servers, one after the other. */
export async function fill(stack: AsyncDisposableStack, size: Size): Promise<Filled> {
  const folder = createFolder();
  // The database servers may run as other accounts, and have to read the files.
  chmodSync(folder, 0o755);
  const [postgres, mariadb, redis] = await Promise.all([
    startPostgres({ args: serverArguments.postgres }),
    startMariadb({ args: serverArguments.mariadb }),
    startRedis(),
  ]);
  for (const server of [postgres, mariadb, redis]) stack.use(server);
  const urls = {
    SQLite: `sqlite:${join(folder, 'janua.db')}`,
    PostgreSQL: postgres.url,
    MariaDB: mariadb.url,
    Redis: redis.url,
  };

  const written = await time(() => writePopulation(folder, size, cookieCount));
  const { sessions, cookies } = written.result;
  const fillOne = async (store: keyof typeof urls) =>
    (await time(() => fillDatabase(urls[store], written.result))).seconds;
  const took = {
    files: written.seconds,
    SQLite: await fillOne('SQLite'),
    PostgreSQL: await fillOne('PostgreSQL'),
    MariaDB: await fillOne('MariaDB'),
    Redis: (await time(() => fillRedis(urls.Redis, sessions))).seconds,
  };
  return { size, cookies, urls, took };
}

export function settingsFor({ users, inRedis }: Choice, urls: Filled['urls']): Settings {
  const common = { DATABASE_URL: urls[users], LOG_LEVEL: 'warn', PORT: '0' };
  return inRedis ? { ...common, REDIS_URL: urls.Redis } : common;
}

async function time<T>(work: () => Promise<T>): Promise<{ readonly result: T; readonly seconds: number }> {
  const start = performance.now();
  const result = await work();
  return { result, seconds: (performance.now() - start) / 1000 };
}

function describeFilling(sizes: readonly Filled[]): string[][] {
  const stores = ['files', 'SQLite', 'PostgreSQL', 'MariaDB', 'Redis'] as const;
  return [
    ['seconds to fill', ...sizes.map(({ size }) => describeSize(size))],
    ...stores.map((store) => [store, ...sizes.map(({ took }) => took[store].toFixed(1))]),
  ];
}

const describeSize = ({ users, sessions }: Size) => `${number.format(users)} and ${number.format(sessions)}`;

function describeCpu(rounds: readonly Figures[]): string {
  const { median, lowest, highest } = summarizeFigure(rounds, 'cpu');
  return `${median.toFixed(0)} µs (${lowest.toFixed(0)} to ${highest.toFixed(0)})`;
}

const describeSpeed = (rounds: readonly Figures[]) => summarizeFigure(rounds, 'perSecond').median.toFixed(0);

const yesOrNo = (met: boolean) => (met ? 'yes' : 'NO');
