import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Effort } from '../options.ts';
import type { LoadTasks } from '../processes/load.ts';
import { type Child, environment, startChild } from '../processes/parent.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import { createWorkspace, type Workspace } from '../workspace.ts';
import { findFreePort, isAlive } from './start.ts';

/** Connections to each process: as many as in `requests.ts`. */
const connections = 16;

/** Milliseconds. All workers are at rest after `rest`. */
const lookInterval = 50;
const startDeadline = 20_000;
const rest = 2000;

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** A running `janua serve`. */
interface Server {
  readonly process: ChildProcess;
  readonly port: number;
  readonly workers: number;
}

/** One server with several workers, or several servers with one worker each, and the results of each round. */
interface Trial {
  readonly what: string;
  /** Number of processes that answer requests. */
  readonly count: number;
  readonly servers: readonly Server[];
  readonly perSecond: number[];
  /** Microseconds of CPU per request, of all processes and of the primary alone. */
  readonly cpu: number[];
  readonly primary: number[];
  /** CPU time of the least busy process divided by that of the busiest. */
  readonly evenness: number[];
}

type Load = Child<LoadTasks>;

/**
 * Measures how `GET /api/me` by cookie scales with the number of workers. For comparison, it measures the same number of independent
 * servers, each on its own port. Their results show the limits of the machine. Gives the lines of a table.
 */
export async function measureWorkers(effort: Effort): Promise<string[][]> {
  if (process.platform !== 'linux') throw new Error('this needs Linux: it reads the CPU time of processes from /proc');
  const cores = availableParallelism();
  const workspace = await createWorkspace(16);
  const request = getRequest('/api/me', `Cookie: session=${workspace.cookie}`);
  await using closing = new AsyncDisposableStack();
  const loads = Array.from({ length: Math.max(2, cores) }, () => closing.use(startChild<LoadTasks>('./load.ts')));
  const trials: Trial[] = [];
  for (const count of new Set([1, 2, cores])) {
    for (const apart of count === 1 ? [false] : [false, true]) {
      const sizes = apart ? Array.from({ length: count }, () => 1) : [count];
      const servers = await Promise.all(sizes.map((workers) => startServer(workspace, workers)));
      for (const server of servers) closing.defer(() => end(server));
      const what = apart ? `${count} independent` : `WORKERS=${count}`;
      trials.push({ what, count, servers, perSecond: [], cpu: [], primary: [], evenness: [] });
    }
  }
  for (const trial of trials) await run(trial, loads, request, effort.requests, effort.seconds);
  for (const { perSecond, cpu, primary, evenness } of trials)
    perSecond.length = cpu.length = primary.length = evenness.length = 0;
  for (let round = 0; round < effort.rounds; round += 1) {
    const first = round % trials.length;
    for (const trial of [...trials.slice(first), ...trials.slice(0, first)])
      await run(trial, loads, request, effort.requests, effort.seconds);
  }
  return describe(trials, cores);
}

function describe(trials: readonly Trial[], cores: number): string[][] {
  const [alone] = trials;
  const median = (values: readonly number[] = []) => summarize(values).median;
  return [
    ['', 'requests/s', 'ratio', 'µs CPU', 'ratio', 'of which primary', 'least busy / busiest', ''],
    ...trials.map(({ what, count, perSecond, cpu, primary, evenness }) => [
      what,
      median(perSecond).toFixed(0),
      (median(perSecond) / median(alone?.perSecond)).toFixed(2),
      median(cpu).toFixed(1),
      (median(cpu) / median(alone?.cpu)).toFixed(2),
      median(primary) === 0 ? '' : median(primary).toFixed(1),
      count === 1 ? '' : median(evenness).toFixed(2),
      2 * count > cores
        ? `too few cores for this requests/s: servers and clients need ${2 * count}, and the machine has ${cores}`
        : '',
    ]),
  ];
}

async function startServer({ settings }: Workspace, workers: number): Promise<Server> {
  const port = await findFreePort();
  const child = spawn(process.execPath, [...process.execArgv, cli, 'serve'], {
    env: environment({ ...settings, PORT: String(port), WORKERS: String(workers), DRAIN_SECONDS: '0' }),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const server = { process: child, port, workers };
  const start = performance.now();
  while (!(await isAlive(port, '/health/live')) || (await answering(server)).length < workers) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    if (performance.now() - start > startDeadline) throw new Error('the server did not start');
    await setTimeout(lookInterval);
  }
  await setTimeout(rest);
  return server;
}

async function end({ process: child }: Server): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}

/** Starts one client for each process that answers. */
async function run(trial: Trial, loads: readonly Load[], request: string, count: number, seconds: number) {
  const primaries = trial.servers.filter(({ workers }) => workers > 1).map(({ process: { pid = 0 } }) => pid);
  const pids = (await Promise.all(trial.servers.map(answering))).flat();
  const usage = () => Promise.all([...primaries, ...pids].map(cpuOf));
  const before = await usage();
  const results = await Promise.all(
    loads.slice(0, trial.count).map((load, index) => {
      const { port = 0 } = trial.servers[index % trial.servers.length] ?? {};
      return load.ask('send', { port, requests: [request], connections, count: count / trial.count, seconds });
    }),
  );
  const used = (await usage()).map((cpu, index) => cpu - (before[index] ?? 0));
  const answers = sum(results.map((result) => result.answers));
  const each = used.slice(primaries.length);
  trial.perSecond.push(sum(results.map((result) => result.perSecond)));
  trial.cpu.push(sum(used) / answers);
  trial.primary.push(sum(used.slice(0, primaries.length)) / answers);
  trial.evenness.push(Math.min(...each) / Math.max(...each));
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

/** Gives the ids of the processes that answer: the server itself, or its workers. */
async function answering({ process: { pid = 0 }, workers }: Server): Promise<number[]> {
  if (workers === 1) return [pid];
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).split(' ').filter(Boolean).map(Number);
}

/** Gives the microseconds of CPU that all threads of a process have used. */
async function cpuOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const texts = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/schedstat`, 'utf8')));
  return sum(texts.map((text) => Number(text.split(' ')[0]) / 1000));
}
