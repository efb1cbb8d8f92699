import { loadSettings } from '../../src/ground/config/load.ts';
import type { Effort } from '../options.ts';
import type { ClientTasks, Exchange } from '../processes/client.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest, loginRequest } from '../requests.ts';
import { percentile, summarize } from '../statistics.ts';
import type { Row } from '../table.ts';
import { createWorkspace, type Workspace } from '../workspace.ts';

/** Number of clients that log in at the same time. Each uses a new connection for each login. */
const senders = 200;

/** Milliseconds between two requests of the readers. They are far enough apart to add little load. */
const intervals = { me: 10, live: 50 } as const;

const mostTimesIdle = 5;
const mostLiveMilliseconds = 100;

/** Megabytes that a server may use: at rest, for each concurrent hash, and for connections with their responses. */
const budget = { rest: 110, hash: 20, connections: 60 } as const;

/** Allowed statuses of a login: success, refused, throttled, and hashing queue full. */
const expected = [200, 400, 429, 503];

/** A server with one value of THROTTLE, and the results of each round. */
interface Trial {
  readonly throttle: string;
  readonly server: Child<ServerTasks>;
  readonly idle: number[];
  readonly storm: number[];
  readonly live: number[];
  readonly logins: Exchange[];
}

interface Clients {
  readonly storm: Child<ClientTasks>;
  readonly me: Child<ClientTasks>;
  readonly live: Child<ClientTasks>;
}

/** Measures how 200 concurrent logins, with right and wrong passwords, affect a signed-in user's requests and the server's memory. */
export async function measureLoad(effort: Effort): Promise<Row[]> {
  const workspace = await createWorkspace(64);
  await using storm = startChild<ClientTasks>('./client.ts');
  await using me = startChild<ClientTasks>('./client.ts');
  await using live = startChild<ClientTasks>('./client.ts');
  await storm.ask('yieldToOthers');
  const rows: Row[] = [];
  for (const throttle of ['off', 'on']) {
    await using server = startChild<ServerTasks>('./janua.ts', { ...workspace.settings, THROTTLE: throttle });
    const trial: Trial = { throttle, server, idle: [], storm: [], live: [], logins: [] };
    await runRound(trial, { storm, me, live }, workspace, effort);
    const { resident: before } = await server.ask('usageAtRest');
    for (const values of [trial.idle, trial.storm, trial.live, trial.logins]) values.length = 0;
    for (let round = 0; round < effort.rounds; round += 1) {
      await runRound(trial, { storm, me, live }, workspace, effort);
    }
    const { mostResident: peak, resident: after } = await server.ask('usageAtRest');
    rows.push(...describeTimes(trial), ...describeMemory({ before, peak, after }), describeAnswers(trial));
  }
  return rows;
}

async function runRound(trial: Trial, clients: Clients, workspace: Workspace, effort: Effort): Promise<void> {
  const port = await trial.server.ask('port');
  const seconds = effort.rushSeconds;
  const readMe = async () => {
    const request = getRequest('/api/me', `Cookie: session=${workspace.cookie}`);
    return timesOf(await clients.me.ask('read', { port, request, interval: intervals.me, seconds }));
  };
  const readLive = async () => {
    const request = getRequest('/health/live');
    return timesOf(await clients.live.ask('read', { port, request, interval: intervals.live, seconds }));
  };
  const [idle] = await Promise.all([readMe(), readLive()]);
  const [logins, storm, live] = await Promise.all([
    clients.storm.ask('storm', { port, requests: loginsOf(workspace), senders, seconds }),
    readMe(),
    readLive(),
  ]);
  trial.idle.push(percentile(idle, 0.99));
  trial.storm.push(percentile(storm, 0.99));
  trial.live.push(Math.max(...live));
  trial.logins.push(...logins);
}

/** Every other login has a wrong password. */
function loginsOf({ loginRequests, password }: Workspace): string[] {
  return loginRequests.map((right, index) =>
    index % 2 === 0 ? right : loginRequest(`user${index}@example.com`, `not ${password}`),
  );
}

function timesOf(exchanges: readonly Exchange[]): number[] {
  const odd = exchanges.find(({ status }) => status !== 200);
  if (odd !== undefined) throw new Error(`the server answered a reader with ${odd.status}`);
  return exchanges.map(({ milliseconds }) => milliseconds);
}

function describeTimes({ throttle, idle, storm, live }: Trial): Row[] {
  const ratio = summarize(storm).median / summarize(idle).median;
  const longest = summarize(live);
  const unit = 'ms';
  return [
    { what: `THROTTLE=${throttle}: GET /api/me p99, idle`, unit, digits: 1, summary: summarize(idle), ratio: 1 },
    {
      what: 'GET /api/me p99 while 200 clients log in',
      unit,
      digits: 1,
      summary: summarize(storm),
      ratio,
      goal: { text: `at most ${mostTimesIdle.toFixed(1)}`, met: ratio <= mostTimesIdle },
    },
    {
      what: 'GET /health/live, slowest response during logins',
      unit,
      digits: 1,
      summary: longest,
      goal: { text: `below ${mostLiveMilliseconds} ms`, met: longest.highest < mostLiveMilliseconds },
    },
  ];
}

function describeMemory(memory: { before: number; peak: number; after: number }): Row[] {
  const most = budget.rest + budget.hash * loadSettings({}, {}).HASHING_CONCURRENCY + budget.connections;
  const row = (what: string, bytes: number) => ({ what, unit: 'MB', summary: summarize([bytes / 1e6]) });
  return [
    row('resident memory after the first round', memory.before),
    {
      ...row('resident memory, peak', memory.peak),
      goal: { text: `below ${most} MB`, met: memory.peak / 1e6 < most },
    },
    row('resident memory after all rounds', memory.after),
  ];
}

function describeAnswers({ logins }: Trial): Row {
  const statuses = [...new Set(logins.map(({ status }) => status))].sort();
  const isWell = logins.every(
    ({ status, hasRetryAfter }) => expected.includes(status) && (status < 429 || hasRetryAfter),
  );
  return {
    what: 'login responses',
    unit: '',
    summary: summarize([logins.length]),
    goal: { text: 'Retry-After on 429, 503', met: isWell },
    note: statuses.map((status) => `${status}: ${logins.filter((login) => login.status === status).length}`).join(', '),
  };
}
