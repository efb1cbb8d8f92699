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

/** As many as `turns.ts` has. */
const connections = 16;

/** Milliseconds: between two looks whether it is there, until a start is given up, and after which all workers are at rest. */
const lookInterval = 50;
const startDeadline = 20_000;
const rest = 2000;

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** `janua serve` with so many workers, and what each round gave. */
interface Trial {
  readonly count: number;
  readonly process: ChildProcess;
  readonly port: number;
  readonly perSecond: number[];
  /** Microseconds of a request, of all processes and of the primary alone. */
  readonly cpu: number[];
  readonly primary: number[];
  /** Of the worker that did the least, against the one that did the most. */
  readonly evenness: number[];
}

/** How `GET /api/me` by cookie grows with the workers. Gives the lines of a table. */
export async function measureWorkers(effort: Effort): Promise<string[][]> {
  if (process.platform !== 'linux') throw new Error('what other processes use is read from /proc, which Linux has');
  const cores = availableParallelism();
  const workspace = await createWorkspace(16);
  const request = getRequest('/api/me', `Cookie: session=${workspace.cookie}`);
  await using load = startChild<LoadTasks>('./load.ts');
  const trials: Trial[] = [];
  try {
    for (const count of new Set([1, 2, cores])) trials.push(await startTrial(workspace, count));
    for (const trial of trials) await run(trial, load, request, effort.warmUpRequests, effort.seconds);
    for (const { perSecond, cpu, primary, evenness } of trials)
      perSecond.length = cpu.length = primary.length = evenness.length = 0;
    for (let round = 0; round < effort.rounds; round += 1) {
      const first = round % trials.length;
      for (const trial of [...trials.slice(first), ...trials.slice(0, first)])
        await run(trial, load, request, effort.requests, effort.seconds);
    }
  } finally {
    await Promise.all(trials.map(end));
  }
  return describe(trials, cores);
}

function describe(trials: readonly Trial[], cores: number): string[][] {
  const [alone] = trials;
  const median = (values: readonly number[] = []) => summarize(values).median;
  return [
    ['WORKERS', 'requests/s', 'ratio', 'µs CPU', 'ratio', 'of it the primary', 'least against most', ''],
    ...trials.map(({ count, perSecond, cpu, primary, evenness }) => [
      String(count),
      median(perSecond).toFixed(0),
      (median(perSecond) / median(alone?.perSecond)).toFixed(2),
      median(cpu).toFixed(1),
      (median(cpu) / median(alone?.cpu)).toFixed(2),
      count === 1 ? '' : median(primary).toFixed(1),
      count === 1 ? '' : median(evenness).toFixed(2),
      // The load generator never sleeps.
      count + 1 > cores
        ? `too few cores for its requests/s: it and the load want ${count + 1}, and there are ${cores}`
        : '',
    ]),
  ];
}

async function startTrial({ settings }: Workspace, count: number): Promise<Trial> {
  const port = await findFreePort();
  const child = spawn(process.execPath, [...process.execArgv, cli, 'serve'], {
    env: environment({ ...settings, PORT: String(port), WORKERS: String(count), DRAIN_SECONDS: '0' }),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  process.once('exit', () => child.kill('SIGKILL'));
  const start = performance.now();
  while (!(await isAlive(port, '/health/live')) || (await workersOf(child, count)).length < (count === 1 ? 0 : count)) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    if (performance.now() - start > startDeadline) throw new Error('the server did not start');
    await setTimeout(lookInterval);
  }
  await setTimeout(rest);
  return { count, process: child, port, perSecond: [], cpu: [], primary: [], evenness: [] };
}

async function end({ process: child }: Trial): Promise<void> {
  if (child.exitCode !== null) return;
  const ended = once(child, 'exit');
  child.kill();
  await ended;
}

async function run(trial: Trial, load: Child<LoadTasks>, request: string, count: number, seconds: number) {
  const workers = await workersOf(trial.process, trial.count);
  const usage = () => Promise.all([trial.process.pid ?? 0, ...workers].map(cpuOf));
  const before = await usage();
  const { port } = trial;
  const result = await load.ask('send', { port, requests: [request], connections, count, seconds, awake: true });
  const [primary = 0, ...each] = (await usage()).map((cpu, index) => cpu - (before[index] ?? 0));
  trial.perSecond.push(result.perSecond);
  trial.primary.push(primary / result.answers);
  trial.cpu.push(each.reduce((sum, cpu) => sum + cpu, primary) / result.answers);
  trial.evenness.push(Math.min(...each) / Math.max(...each));
}

/** The ids of the workers: those that the primary has started. */
async function workersOf({ pid }: ChildProcess, count: number): Promise<number[]> {
  if (count === 1) return [];
  return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(/\s+/).filter(Boolean).map(Number);
}

/** Microseconds of CPU of a process, of all its threads. */
async function cpuOf(pid: number): Promise<number> {
  const threads = await readdir(`/proc/${pid}/task`);
  const texts = await Promise.all(threads.map((id) => readFile(`/proc/${pid}/task/${id}/schedstat`, 'utf8')));
  return texts.reduce((sum, text) => sum + Number(text.split(' ')[0]) / 1000, 0);
}
