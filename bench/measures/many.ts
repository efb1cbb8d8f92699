import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { compose } from '../../src/compose.ts';
import { exportLines } from '../../src/core/users/import-users.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import { startPostgres } from '../../test/servers/postgres.ts';
import type { Effort } from '../options.ts';
import { administrator, cookieOf, expiring, fillMany, password, soon } from '../population/fill-many.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Settings, startChild } from '../processes/parent.ts';
import { type ServerTasks, usage, usageAtRest } from '../processes/server-tasks.ts';
import { getRequest, loginRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import { createFolder } from '../workspace.ts';
import { takeTurns } from './turns.ts';

/** As on a server of a size for many users. */
const serverArguments = [
  ...['-c', 'shared_buffers=4GB', '-c', 'maintenance_work_mem=1GB', '-c', 'max_wal_size=8GB'],
  ...['-c', 'wal_level=minimal', '-c', 'max_wal_senders=0'],
];

/** Different users, who are far from each other in every index. */
const visitors = 1_000;

/** Enough for a median. */
const removals = 20;

/** The most that an action may take, relative to few users. */
const most = 1.5;

/** Milliseconds. */
const hour = 60 * 60 * 1000;

const pages: Readonly<Record<string, string>> = {
  'page: users': '/admin/users',
  'page: users, latest first': '/admin/users?sort=-created_at',
  'page: users, one found': '/admin/users?q=user9999@',
  'page: users, many found': '/admin/users?q=ann1',
  'page: users, a group': '/admin/users?group=staff',
  'page: groups': '/admin/groups',
  'page: overview': '/admin',
};

/** A database of PostgreSQL, and a server on it. */
async function open(stack: AsyncDisposableStack, count: number) {
  const folder = createFolder();
  chmodSync(folder, 0o755);
  const data = join(folder, 'postgres');
  const { url } = stack.use(await startPostgres({ args: serverArguments, folder: data }));
  const settings: Settings = { DATABASE_URL: url, LOG_LEVEL: 'warn', PORT: '0', THROTTLE: 'off' };
  const start = performance.now();
  await fillMany(settings, count);
  console.log(`${count} users: filled in ${((performance.now() - start) / 1000).toFixed(0)} s`);
  const server = stack.use(startChild<ServerTasks>('./janua.ts', settings));
  const load = stack.use(startChild<LoadTasks>('./load.ts'));
  return { count, settings, server, load };
}

type Opened = Awaited<ReturnType<typeof open>>;

/** PostgreSQL with few users, and with many. Gives the lines of a table. */
export async function measureMany({ rounds, logins, seconds, crowds }: Effort): Promise<string[][]> {
  await using stack = new AsyncDisposableStack();
  // The longer work comes first, so that both are as old when they are measured.
  const larger = await open(stack, crowds.many);
  const both = [await open(stack, crowds.few), larger] as const;

  async function ask({ server, load }: Opened, requests: readonly string[], expected: string, count: number) {
    const port = await server.ask('port');
    const connections = 1;
    return (await load.ask('send', { port, requests, expected, connections, count, seconds: 10 * seconds })).median;
  }
  const spread = ({ count }: Opened) =>
    Array.from({ length: visitors }, (_, index) => 1 + Math.floor((index * (count - 2)) / visitors));
  const cookies = await Promise.all(both.map(logInAdministrator));

  const actions: Readonly<Record<string, (opened: Opened) => Promise<number>>> = {
    'who am I': (opened) => {
      const requests = spread(opened).map((n) => getRequest('/api/me', `Cookie: session=${cookieOf(n)}`));
      return ask(opened, requests, '"username":"', 2 * visitors);
    },
    'sign in': (opened) => {
      const requests = spread(opened).map((n) => loginRequest(`user${n}@example.com`, password));
      return ask(opened, requests, '', logins);
    },
    ...Object.fromEntries(
      Object.entries(pages).map(([name, path]) => [
        name,
        (opened: Opened) => ask(opened, [getRequest(path, cookies[both.indexOf(opened)] ?? '')], '<footer>', 20),
      ]),
    ),
  };
  const names = Object.keys(actions);
  const turns = names.flatMap((name) => both.map((opened) => () => actions[name]?.(opened) ?? Promise.resolve(0)));
  const medians = (await takeTurns(turns, rounds)).map((values) => summarize(values).median);
  const measured = names.map((name, index) => [name, medians[2 * index] ?? 0, medians[2 * index + 1] ?? 0] as const);
  const [few, many] = [await measureOnce(both[0]), await measureOnce(both[1])];
  const rows = [...measured, ...Object.keys(few).map((name) => [name, few[name] ?? 0, many[name] ?? 0] as const)];
  return [
    ['milliseconds', ...both.map(({ count }) => `${count} users`), 'ratio', 'goal', 'met'],
    ...rows.map(([name, one, other]) => {
      const ratio = other / one;
      return [
        ...[name, one.toFixed(2), other.toFixed(2), ratio.toFixed(2)],
        ...[`at most ${most}`, ratio <= most ? 'yes' : 'NO'],
      ];
    }),
  ];
}

async function logInAdministrator({ server }: Opened): Promise<string> {
  const answer = await fetch(`http://127.0.0.1:${await server.ask('port')}/api/login`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ username: administrator, password }),
  });
  return `Cookie: ${answer.headers.get('set-cookie')?.split(';')[0] ?? ''}`;
}

/** What cannot be repeated. */
async function measureOnce({ settings, count }: Opened): Promise<Readonly<Record<string, number>>> {
  const composition = await compose(loadSettings({}, settings), { now: () => Date.now() + soon + hour });
  const { clean, administration, ...services } = await composition.prepare();
  const { users } = services;
  const timed = async (work: () => Promise<unknown>) => {
    const start = performance.now();
    await work();
    return performance.now() - start;
  };
  const sweep = await timed(clean);
  const removal: number[] = [];
  for (let n = 1; n <= removals; n += 1)
    removal.push(await timed(() => administration.remove(`user${n * Math.floor(count / (removals + 1))}@example.com`)));
  const before = usageAtRest().resident;
  let [lines, peak] = [0, before];
  const exported = await timed(async () => {
    for await (const line of exportLines(users.listWithHashes(), { withHashes: true })) {
      lines += line.length > 0 ? 1 : 0;
      if (lines % 10_000 === 0) peak = Math.max(peak, usage().resident);
    }
  });
  await composition.close();
  console.log(`${count} users: the export grew the process by ${((peak - before) / 1e6).toFixed(0)} MB`);
  return {
    [`sweep of ${expiring} sessions`]: sweep,
    'removal of a user': summarize(removal).median,
    'export, 10,000 users': (exported / lines) * 10_000,
  };
}
