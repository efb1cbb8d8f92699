import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { summarize } from '../statistics.ts';
import type { Row } from '../table.ts';
import { getRequest, type Workspace } from '../workspace.ts';

const mostTimesBare = 4;

/** Enough to keep a server busy without end, so that it never waits and its CPU time is that of the requests. */
const connections = 16;

interface Subject {
  readonly what: string;
  readonly server: Child<ServerTasks>;
  readonly request: string;
  readonly goal?: boolean;
  readonly cpu: number[];
  readonly perSecond: number[];
}

/**
 * What a request costs the server, in CPU time of its process: unlike requests per second it does not change with what
 * else the machine does.
 */
export async function measureRequests(workspace: Workspace, effort: Effort): Promise<Row[]> {
  await using load = startChild<LoadTasks>('./load.ts');
  await using bare = startChild<ServerTasks>('./bare.ts');
  await using janua = startChild<ServerTasks>('./janua.ts', workspace.settings);
  await using logging = startChild<ServerTasks>('./janua.ts', { ...workspace.settings, LOG_LEVEL: 'info' });

  const me = getRequest('/api/me', `Cookie: session=${workspace.cookie}`);
  const withToken = getRequest('/api/me', `Authorization: Bearer ${workspace.accessToken}`);
  const subject = (what: string, server: Child<ServerTasks>, request: string, goal = false): Subject => {
    return { what, server, request, goal, cpu: [], perSecond: [] };
  };
  const base = subject('bare Fastify route, the same JSON', bare, getRequest('/'));
  const subjects = [
    base,
    subject('GET /api/me, session cookie', janua, me, true),
    subject('GET /api/me, Bearer token', janua, withToken),
    subject('GET /auth/login, the page', janua, getRequest('/auth/login')),
    subject('GET /api/me, cookie, LOG_LEVEL=info', logging, me),
  ];

  for (const each of subjects) await run(each, load, effort.warmUpRequests, effort.seconds);
  for (const { cpu, perSecond } of subjects) cpu.length = perSecond.length = 0;
  for (let round = 0; round < effort.rounds; round += 1) {
    // Another one is first each time: what a server left behind in the caches is not always the same one's luck.
    const first = round % subjects.length;
    const order = [...subjects.slice(first), ...subjects.slice(0, first)];
    for (const each of order) await run(each, load, effort.requests, effort.seconds);
  }

  const bareMedian = summarize(base.cpu).median;
  return subjects.map(({ what, cpu, perSecond, goal }) => {
    const summary = summarize(cpu);
    const ratio = summary.median / bareMedian;
    return {
      what,
      unit: 'µs CPU',
      summary,
      ratio,
      ...(goal ? { goal: { text: `at most ${mostTimesBare.toFixed(1)}`, met: ratio <= mostTimesBare } } : {}),
      note: `${summarize(perSecond).median.toFixed(0)} requests/s`,
    };
  });
}

async function run(
  { server, request, cpu, perSecond }: Subject,
  load: Child<LoadTasks>,
  count: number,
  seconds: number,
) {
  const port = await server.ask('port');
  const before = await server.ask('usage');
  const result = await load.ask('send', { port, requests: [request], connections, count, seconds, awake: true });
  const after = await server.ask('usage');
  cpu.push((after.cpu - before.cpu) / result.answers);
  perSecond.push(result.perSecond);
}
