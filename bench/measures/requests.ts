import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import type { Row } from '../table.ts';
import type { Workspace } from '../workspace.ts';
import { createSubject, measureInTurns } from './turns.ts';

const mostTimesBare = 4;

export async function measureRequests(workspace: Workspace, effort: Effort): Promise<Row[]> {
  await using load = startChild<LoadTasks>('./load.ts');
  await using bare = startChild<ServerTasks>('./bare.ts');
  await using janua = startChild<ServerTasks>('./janua.ts', workspace.settings);
  await using logging = startChild<ServerTasks>('./janua.ts', { ...workspace.settings, LOG_LEVEL: 'info' });

  const me = getRequest('/api/me', `Cookie: session=${workspace.cookie}`);
  const withToken = getRequest('/api/me', `Authorization: Bearer ${workspace.accessToken}`);
  const subject = (what: string, server: Child<ServerTasks>, request: string, goal = false) => {
    return { what, goal, ...createSubject(server, [request]) };
  };
  const base = subject('bare Fastify route, the same JSON', bare, getRequest('/'));
  const subjects = [
    base,
    subject('GET /api/me, session cookie', janua, me, true),
    subject('GET /api/me, Bearer token', janua, withToken),
    subject('GET /auth/login, the page', janua, getRequest('/auth/login')),
    subject('GET /api/me, cookie, LOG_LEVEL=info', logging, me),
  ];
  await measureInTurns(subjects, load, effort);

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
