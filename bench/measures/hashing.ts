import { availableParallelism } from 'node:os';
import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import type { Workspace } from '../workspace.ts';
import { sendLogins } from './logins.ts';
import type { Ask, Figures } from './requests.ts';
import { measureStorm, type Storm, type StormClients, startStormClients } from './storm.ts';
import { takeTurns } from './turns.ts';

type Trial = Figures & { readonly storm: Storm };

/** Shows which HASHING_CONCURRENCY keeps the cores busy without delaying other requests. Gives the lines of a table. */
export async function measureHashing(workspace: Workspace, effort: Effort): Promise<string[][]> {
  await using load = startChild<LoadTasks>('./load.ts');
  await using clients = startStormClients();
  await using servers = new AsyncDisposableStack();
  const concurrencies = Array.from({ length: availableParallelism() + 2 }, (_, index) => String(index + 1));
  const trials = await takeTurns(
    concurrencies.map((HASHING_CONCURRENCY) => {
      const settings = { ...workspace.settings, HASHING_CONCURRENCY };
      const server = servers.use(startChild<ServerTasks>('./janua.ts', settings));
      return () => runTrial(server, load, clients, workspace, effort);
    }),
    effort.rounds,
  );
  const median = (rounds: readonly Trial[], read: (trial: Trial) => number) => summarize(rounds.map(read)).median;
  return [
    ['HASHING_CONCURRENCY', 'logins/s', 'cores busy', '/api/me p99 idle', 'median during logins', 'p99 during logins'],
    ...trials.map((rounds, index) => [
      concurrencies[index] ?? '',
      median(rounds, ({ perSecond }) => perSecond).toFixed(1),
      median(rounds, ({ busyCores }) => busyCores).toFixed(2),
      `${median(rounds, ({ storm }) => storm.idleP99).toFixed(1)} ms`,
      `${median(rounds, ({ storm }) => storm.median).toFixed(1)} ms`,
      `${median(rounds, ({ storm }) => storm.p99).toFixed(1)} ms`,
    ]),
  ];
}

async function runTrial(
  server: Child<ServerTasks>,
  load: Child<LoadTasks>,
  clients: StormClients,
  { loginRequests, cookie }: Workspace,
  effort: Effort,
): Promise<Trial> {
  const me: Ask = { requests: [getRequest('/api/me', `Cookie: session=${cookie}`)], expected: '"username":"' };
  const login: Ask = { requests: loginRequests, expected: '"access_token":"' };
  const figures = await sendLogins(server, load, login, effort);
  return { ...figures, storm: await measureStorm(server, clients, me, login, effort.stormSeconds) };
}
