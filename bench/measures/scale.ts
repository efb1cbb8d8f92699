import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { exportLines } from '../../src/core/users/import-columns.ts';
import { startMariadb } from '../../test/servers/mariadb.ts';
import { startPostgres } from '../../test/servers/postgres.ts';
import { startRedis } from '../../test/servers/redis.ts';
import type { Ask } from '../client.ts';
import { cookieField, exchangeOnce, getRequest, loginRequest } from '../http.ts';
import { type Figures, observe, type Runs, startSenders, takeTurns } from '../measure.ts';
import type { Effort } from '../options.ts';
import {
  administrator,
  cookieOf,
  expiring,
  fillDatabase,
  fillRedis,
  invent,
  prepare,
  type Size,
  soon,
} from '../population.ts';
import { januaWith, type Server, type Settings, startServer } from '../processes.ts';
import { medianOf } from '../statistics.ts';
import { type Table, yesOrNo } from '../table.ts';
import { createFolder, password, withServices } from '../workspace.ts';

/** Different users, who are far from each other in every index. */
const visitors = 1_000;

/** Enough for a median. */
const removals = 20;
const pageRequests = 40;

/** Milliseconds. */
const hour = 60 * 60 * 1000;

const pages: Readonly<Record<string, string>> = {
  overview: '/admin',
  'overview, 30 days': '/admin?range=30d',
  users: '/admin/users',
  'users, 200 of them': '/admin/users?limit=200',
  'users, latest first': '/admin/users?sort=-created_at',
  'users, one found': '/admin/users?q=user999@',
  'users, many found': '/admin/users?q=ann1',
  'users, a group': '/admin/users?group=staff',
  'users, second factor': '/admin/users?factor=yes',
  groups: '/admin/groups',
  'audit, 200 events': '/admin/audit?limit=200',
  'audit, rare kind': '/admin/audit?kind=key-replaced',
  'audit, user': '/admin/audit?user=user7@example.com',
  'audit, address': '/admin/audit?address=203.0.113.7',
};

type Sql = 'SQLite' | 'PostgreSQL' | 'MariaDB';

interface Kind {
  readonly databases: readonly Sql[];
  readonly withRedis: boolean;
  readonly connections: number;
  /** The goal for an action, and whether it is met. The figures are of few users, then of many. */
  goalOf(what: string, cpu: Pair, milliseconds: Pair): readonly [goal: string, met: string];
}

type Pair = readonly [few: number, many: number];

/** The two tables. Many users take one store, and one request at a time, because the time of the database server counts there. */
const kinds: Readonly<Record<'scale' | 'many', Kind>> = {
  scale: {
    databases: ['SQLite', 'PostgreSQL', 'MariaDB'],
    withRedis: true,
    connections: 16,
    goalOf(what, cpu) {
      if (what === 'who am I') return ['CPU: ratio at most 1.15', yesOrNo(ratioOf(cpu) <= 1.15)];
      return what in pages ? ['CPU: at most 50 ms', yesOrNo(cpu[1] <= 50_000)] : ['', ''];
    },
  },
  many: {
    databases: ['PostgreSQL'],
    withRedis: false,
    connections: 1,
    goalOf: (_what, _cpu, milliseconds) => ['p50: ratio at most 1.5', yesOrNo(ratioOf(milliseconds) <= 1.5)],
  },
};

const ratioOf = ([few, many]: Pair) => many / few;

/** Enough memory for many users. PostgreSQL fills its tables faster without a log that others could follow. */
const postgresArguments = [
  ...['-c', 'shared_buffers=4GB', '-c', 'maintenance_work_mem=1GB', '-c', 'max_wal_size=8GB'],
  ...['-c', 'wal_level=minimal', '-c', 'max_wal_senders=0'],
];
const mariadbArguments = ['--innodb-buffer-pool-size=1G', '--innodb-log-file-size=256M'];

/** A server on filled stores. */
interface Opened {
  readonly name: string;
  readonly size: Size;
  readonly settings: Settings;
  readonly inRedis: boolean;
  readonly server: Server;
  readonly storeServers: number;
  /** The cookie of an administrator. */
  readonly cookie: string;
}

/** Starts the store servers for one size, fills them one after the other, and starts a server on each. */
async function open(stack: AsyncDisposableStack, { databases, withRedis }: Kind, size: Size): Promise<Opened[]> {
  const folder = createFolder();
  // The database servers may run as other accounts, and have to read the files.
  chmodSync(folder, 0o755);
  const urlOf: Readonly<Record<Sql, () => Promise<string>>> = {
    SQLite: async () => `sqlite:${join(folder, 'janua.db')}`,
    PostgreSQL: async () =>
      stack.use(await startPostgres({ args: postgresArguments, folder: join(folder, 'postgres') })).url,
    MariaDB: async () => stack.use(await startMariadb({ args: mariadbArguments })).url,
  };
  const redisUrl = withRedis ? stack.use(await startRedis()).url : undefined;
  const opened: Opened[] = [];
  for (const [index, database] of databases.entries()) {
    const settings = { DATABASE_URL: await urlOf[database](), LOG_LEVEL: 'warn', THROTTLE: 'off' };
    const start = performance.now();
    const invented = invent(size, await prepare(settings));
    await fillDatabase(settings.DATABASE_URL, invented, folder);
    if (redisUrl !== undefined && index === 0) await fillRedis(redisUrl, invented);
    console.log(`${size.users} users in ${database}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
    const stores = redisUrl === undefined ? [{}] : [{}, { REDIS_URL: redisUrl }];
    for (const [more, store] of stores.entries()) {
      const all = { ...settings, ...store };
      const server = stack.use(await startServer(januaWith(all)));
      const cookie = cookieField(await exchangeOnce(server.port, loginRequest(administrator, password)));
      const storeServers = (database === 'SQLite' ? 0 : 1) + more;
      const name = more === 0 ? database : `${database}, Redis`;
      opened.push({ name, size, settings: all, inRedis: more === 1, server, storeServers, cookie });
    }
  }
  return opened;
}

type Action = Ask & { readonly count: number };

function actionsOn({ size, inRedis, cookie }: Opened, { requests: count, logins }: Effort) {
  const spread = Array.from({ length: visitors }, (_, index) => 1 + Math.floor((index * (size.users - 2)) / visitors));
  const asked = spread.map((n) => getRequest('/api/me', cookieOf(n)));
  const signIns = spread.map((n) => loginRequest(`user${n}@example.com`, password));
  // The pages do not depend on where the sessions are.
  const seen = Object.entries(inRedis ? {} : pages).map(([what, path]): [string, Action] => {
    return [what, { requests: [getRequest(path, cookie)], expected: '<footer>', count: pageRequests }];
  });
  return new Map<string, Action>([
    ['who am I', { requests: asked, expected: '"username":"', count }],
    ['sign in', { requests: signIns, expected: '', count: logins }],
    ...seen,
  ]);
}

/** Measures many users and sessions beside few. */
export async function measureScale(kindName: 'scale' | 'many', effort: Effort): Promise<Table[]> {
  await using stack = new AsyncDisposableStack();
  const kind = kinds[kindName];
  const [few, many] = effort.sizes[kindName];
  // The longer work comes first, so that both are as old when they are measured.
  const larger = await open(stack, kind, many);
  const smaller = await open(stack, kind, few);
  const senderFor = await startSenders(stack);

  const runs: Runs<string, Figures> = {};
  for (const opened of [...smaller, ...larger]) {
    const { client, awake } = senderFor(opened.storeServers);
    const { port } = opened.server;
    for (const [what, action] of actionsOn(opened, effort)) {
      const load = { port, ...action, connections: kind.connections, seconds: 2 * effort.seconds, awake };
      runs[keyOf(opened, what)] = () => observe(opened.server, () => client.ask('send', load));
    }
  }
  const figures = await takeTurns(kindName, runs, effort.rounds);

  const lines: string[][] = [];
  for (const [index, opened] of larger.entries()) {
    const other = smaller[index] ?? opened;
    const medians = (what: string, read: (round: Figures) => number) =>
      [other, opened].map((one) => medianOf(figures[keyOf(one, what)], read)) as [number, number];
    for (const what of actionsOn(opened, effort).keys()) {
      const cpu = medians(what, (round) => round.cpu);
      const milliseconds = medians(what, (round) => round.median);
      const cells = [...cpu.map((value) => value.toFixed(0)), ratioOf(cpu).toFixed(2)];
      lines.push([`${opened.name}: ${what}`, ...cells, ...show(milliseconds), ...kind.goalOf(what, cpu, milliseconds)]);
    }
    if (opened.inRedis) continue;
    const [before, after] = [await measureOnce(other), await measureOnce(opened)];
    for (const what of Object.keys(after)) {
      const milliseconds = [before[what] ?? Number.NaN, after[what] ?? Number.NaN] as const;
      const goal = kind.goalOf(what, [Number.NaN, Number.NaN], milliseconds);
      lines.push([`${opened.name}: ${what}`, '', '', '', ...show(milliseconds), ...goal]);
    }
  }
  const heading = (unit: string) => [`${few.users} users: ${unit}`, `${many.users} users: ${unit}`, 'ratio'];
  const title = 'CPU of the server, and median time of a response';
  return [{ title, lines: [['', ...heading('µs CPU'), ...heading('ms'), 'goal', 'met'], ...lines] }];
}

const keyOf = ({ name, size }: Opened, what: string) => `${size.users} users in ${name}: ${what}`;

const show = (pair: Pair) => [...pair.map((value) => value.toFixed(2)), ratioOf(pair).toFixed(2)];

/** The milliseconds of what cannot be repeated. */
function measureOnce({ settings, size }: Opened): Promise<Readonly<Record<string, number>>> {
  const later = () => Date.now() + soon + hour;
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  return withServices(
    settings,
    async ({ clean, administration, users }) => {
      const sweep = await timed(clean);
      const removal: number[] = [];
      for (let n = 1; n <= removals; n += 1) {
        const username = `user${n * Math.floor(size.users / (removals + 1))}@example.com`;
        removal.push(await timed(() => administration.remove(username)));
      }
      let lines = 0;
      const exported = await timed(async () => {
        for await (const page of exportLines(users.listWithHashes(), { withHashes: true }))
          lines += page.split('\n').length - 1;
      });
      return {
        [`sweep of ${expiring} sessions`]: sweep,
        'removal of a user': medianOf(removal, (value) => value),
        'export, 10,000 users': (exported / lines) * 10_000,
      };
    },
    later,
  );
}
