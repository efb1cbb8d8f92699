import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { connections, type Runs, takeTurns } from '../measure.ts';
import type { Effort } from '../options.ts';
import { januaWith, type Server, startClient, startServer } from '../processes.ts';
import { medianOf } from '../statistics.ts';
import type { Table } from '../table.ts';
import { createWorkspace } from '../workspace.ts';

/** Milliseconds until all workers are at rest. */
const rest = 2000;

interface Figures {
  readonly perSecond: number;
  /** Microseconds of CPU per request, of all processes. */
  readonly cpu: number;
}

/**
 * Measures how `GET /api/me` by cookie scales with the number of workers, beside as many independent servers, each on its own port. Those
 * show the limits of the machine.
 */
export async function measureWorkers({ requests, seconds, rounds }: Effort): Promise<Table[]> {
  if (process.platform !== 'linux') throw new Error('this needs Linux: it reads the CPU time of processes from /proc');
  const cores = availableParallelism();
  const { settings, me } = await createWorkspace(16);
  await using stack = new AsyncDisposableStack();
  const clients = Array.from({ length: Math.max(2, cores) }, () => stack.use(startClient()));
  const open = async (workers: number) =>
    stack.use(await startServer(januaWith({ ...settings, WORKERS: String(workers), DRAIN_SECONDS: '0' }), false));

  const runs: Runs<string, Figures> = {};
  function add(what: string, count: number, servers: readonly Server[]): void {
    // One client for each process that answers.
    runs[what] = async () => {
      const before = await cpuOf(servers);
      const results = await Promise.all(
        clients.slice(0, count).map((client, index) => {
          const { port = 0 } = servers[index % servers.length] ?? {};
          return client.ask('send', { port, ...me, connections, count: requests / count, seconds });
        }),
      );
      const used = (await cpuOf(servers)) - before;
      return {
        perSecond: sum(results.map(({ perSecond }) => perSecond)),
        cpu: used / sum(results.map(({ answers }) => answers)),
      };
    };
  }
  for (const count of new Set([1, 2, cores])) {
    add(`WORKERS=${count}`, count, [await open(count)]);
    if (count > 1) add(`${count} independent`, count, await Promise.all(Array.from({ length: count }, () => open(1))));
  }
  await setTimeout(rest);
  const figures = Object.entries(await takeTurns('workers', runs, rounds));
  const perSecond = (round: Figures) => round.perSecond;
  const lines = figures.map(([what, results]) => {
    const speed = medianOf(results, perSecond);
    const ratio = speed / medianOf(figures[0]?.[1], perSecond);
    return [what, speed.toFixed(0), ratio.toFixed(2), medianOf(results, ({ cpu }) => cpu).toFixed(1)];
  });
  return [{ title: 'GET /api/me by cookie', lines: [['', 'requests/s', 'ratio', 'µs CPU'], ...lines] }];
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Gives the microseconds of CPU that all threads of the servers and of their workers have used. */
async function cpuOf(servers: readonly Server[]): Promise<number> {
  const read = async (path: string) => (await readFile(`/proc/${path}`, 'utf8')).split(' ').filter(Boolean);
  const ids = await Promise.all(servers.map(async ({ pid }) => [pid, ...(await read(`${pid}/task/${pid}/children`))]));
  const ofProcess = ids.flat().map(async (pid) => {
    const threads = (await readdir(`/proc/${pid}/task`)).map((id) => read(`${pid}/task/${id}/schedstat`));
    return sum((await Promise.all(threads)).map(([nanoseconds]) => Number(nanoseconds) / 1000));
  });
  return sum(await Promise.all(ofProcess));
}
