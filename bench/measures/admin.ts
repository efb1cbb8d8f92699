import { compose } from '../../src/compose.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { loadSettings } from '../../src/ground/config/load.ts';
import type { Effort } from '../options.ts';
import { type Settings, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import { type Ask, sendRequests, startSenders } from './requests.ts';
import { choices, countServers, fill, settingsFor } from './scale.ts';
import { takeTurns } from './turns.ts';

/** Milliseconds of CPU that a page may cost. */
const most = 50;

/** Enough for a median, because a page costs milliseconds. */
const requestsPerRun = 64;

const pages: Readonly<Record<string, string>> = {
  'overview, 24 hours': '/admin',
  'overview, 30 days': '/admin?range=30d',
  users: '/admin/users',
  'users, 200 of them': '/admin/users?limit=200',
  'users, latest first': '/admin/users?sort=-created_at',
  'users, one found': '/admin/users?q=user299999@',
  'users, many found': '/admin/users?q=ann1',
  'users, all found': '/admin/users?q=user',
  'users, disabled': '/admin/users?state=disabled',
  'users, group': '/admin/users?group=admins',
  'users, second factor': '/admin/users?factor=yes',
  audit: '/admin/audit',
  'audit, 200 events': '/admin/audit?limit=200',
  'audit, kind': '/admin/audit?kind=login-throttled',
  'audit, rare kind': '/admin/audit?kind=key-replaced',
  'audit, user': '/admin/audit?user=user7@example.com',
  'audit, address': '/admin/audit?address=203.0.113.7',
  'own sessions': '/account/sessions',
};

/** Measures the pages of an administrator. Their first requests, which fill caches and count old events, are not measured. */
export async function measureAdmin(effort: Effort): Promise<string[][]> {
  await using stack = new AsyncDisposableStack();
  const { urls, cookies } = await fill(stack, effort.large);
  for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) await makeAdministrator(urls[users]);
  const measured = choices.filter(({ users, inRedis }) => !inRedis || users === 'SQLite');
  const senderFor = await startSenders(stack);
  const cookie = `Cookie: session=${cookies[0]}`;
  const runs = measured.flatMap((choice) => {
    const server = stack.use(startChild<ServerTasks>('./janua.ts', settingsFor(choice, urls)));
    return Object.values(pages).map((path) => {
      const ask: Ask = { requests: [getRequest(path, cookie)], expected: '<footer>' };
      const { seconds } = effort;
      return () => sendRequests(server, senderFor(countServers(choice)), ask, { requests: requestsPerRun, seconds });
    });
  });
  const figures = await takeTurns(runs, effort.rounds);
  const names = Object.keys(pages);
  const medians = figures.map((rounds) => summarize(rounds.map(({ cpu }) => cpu / 1000)).median);
  return [
    ['page', ...measured.map(({ users, inRedis }) => (inRedis ? `${users}, Redis` : users)), 'goal', 'met'],
    ...names.map((name, index) => {
      const costs = measured.map((_, store) => medians[store * names.length + index] ?? Number.NaN);
      return [
        name,
        ...costs.map((cost) => cost.toFixed(1)),
        `at most ${most} ms`,
        costs.every((cost) => cost <= most) ? 'yes' : 'NO',
      ];
    }),
  ];
}

/** The user of the first cookie. */
async function makeAdministrator(url: string): Promise<void> {
  const settings: Settings = { DATABASE_URL: url, LOG_LEVEL: 'warn' };
  const composition = await compose(loadSettings({}, settings), { takesLogins: false });
  const { administration } = await composition.prepare();
  await administration.changeGroups('user0@example.com', { add: [admins] });
  await composition.close();
}
