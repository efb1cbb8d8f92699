import { availableParallelism } from 'node:os';
import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import type { Workspace } from '../workspace.ts';
import { loginConnections } from './logins.ts';

/** Logins at the same time while others read: more than are hashed, so that some always wait. */
const stormConnections = 8;

/** Milliseconds between two requests of the reader: it samples the event loop and does not load it. */
const readingPause = 5;

interface Trial {
  readonly concurrency: number;
  readonly server: Child<ServerTasks>;
  readonly logins: number[];
  readonly busyCores: number[];
  readonly idleP99: number[];
  readonly stormMedian: number[];
  readonly stormP99: number[];
}

/** Which HASHING_CONCURRENCY keeps the cores busy while the event loop still answers others. Gives the lines of a table. */
export async function measureHashing(workspace: Workspace, effort: Effort): Promise<string[][]> {
  await using storm = startChild<LoadTasks>('./load.ts');
  await using reader = startChild<LoadTasks>('./load.ts');
  await using servers = new AsyncDisposableStack();
  const most = availableParallelism() + 2;
  const trials: Trial[] = Array.from({ length: most }, (_, index) => {
    const HASHING_CONCURRENCY = String(index + 1);
    const server = servers.use(startChild<ServerTasks>('./janua.ts', { ...workspace.settings, HASHING_CONCURRENCY }));
    return { concurrency: index + 1, server, logins: [], busyCores: [], idleP99: [], stormMedian: [], stormP99: [] };
  });
  for (let round = -1; round < effort.rounds; round += 1) {
    for (const trial of trials) {
      await runTrial(trial, storm, reader, workspace, effort);
      if (round < 0) for (const values of Object.values(trial)) if (Array.isArray(values)) values.length = 0;
    }
  }
  return [
    ['HASHING_CONCURRENCY', 'logins/s', 'cores busy', '/api/me p99 idle', 'median in a storm', 'p99 in a storm'],
    ...trials.map(({ concurrency, logins, busyCores, idleP99, stormMedian, stormP99 }) => [
      String(concurrency),
      summarize(logins).median.toFixed(1),
      summarize(busyCores).median.toFixed(2),
      `${summarize(idleP99).median.toFixed(1)} ms`,
      `${summarize(stormMedian).median.toFixed(1)} ms`,
      `${summarize(stormP99).median.toFixed(1)} ms`,
    ]),
  ];
}

async function runTrial(
  trial: Trial,
  storm: Child<LoadTasks>,
  reader: Child<LoadTasks>,
  { loginRequests: requests, cookie }: Workspace,
  { logins: count, seconds, stormSeconds }: Effort,
): Promise<void> {
  const { server } = trial;
  const port = await server.ask('port');

  const before = await server.ask('usage');
  const start = performance.now();
  const { perSecond } = await storm.ask('send', { port, requests, connections: loginConnections, count, seconds });
  const after = await server.ask('usage');
  trial.logins.push(perSecond);
  trial.busyCores.push((after.cpu - before.cpu) / 1000 / (performance.now() - start));

  const reading = {
    port,
    requests: [getRequest('/api/me', `Cookie: session=${cookie}`)],
    connections: 1,
    count: 10_000,
    seconds: stormSeconds,
    pause: readingPause,
  };
  trial.idleP99.push((await reader.ask('send', reading)).p99);
  const [, read] = await Promise.all([
    storm.ask('send', { port, requests, connections: stormConnections, count: 10_000, seconds: stormSeconds }),
    reader.ask('send', reading),
  ]);
  trial.stormMedian.push(read.median);
  trial.stormP99.push(read.p99);
}
