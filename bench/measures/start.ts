import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Effort } from '../options.ts';
import { openConnection } from '../processes/connection.ts';
import { environment, startChild } from '../processes/parent.ts';
import type { ServerTasks } from '../processes/server-tasks.ts';
import { getRequest } from '../requests.ts';
import { summarize } from '../statistics.ts';
import type { Row } from '../table.ts';
import type { Workspace } from '../workspace.ts';

const mostMilliseconds = 500;
const mostMegabytes = 110;

/** Milliseconds: between two tries, until a start is given up, and after which a server is at rest. */
const tryInterval = 10;
const startDeadline = 20_000;
const rest = 1500;

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));

/** From the start of the process to the first answer, and what it then holds in memory without having done anything else. */
export async function measureStart(workspace: Workspace, effort: Effort): Promise<Row[]> {
  const times: number[] = [];
  const memories: number[] = [];
  // The first start fills the caches of the disk.
  for (let start = -1; start < effort.starts; start += 1) {
    const { milliseconds, megabytes } = await startOnce(workspace);
    if (start < 0) continue;
    times.push(milliseconds);
    memories.push(megabytes);
  }
  const time = summarize(times);
  const memory = summarize(memories);
  return [
    {
      what: 'start to the first answer',
      unit: 'ms',
      summary: time,
      goal: { text: `below ${mostMilliseconds} ms`, met: time.median < mostMilliseconds },
    },
    {
      what: 'resident memory at rest',
      unit: 'MB',
      summary: memory,
      goal: { text: `below ${mostMegabytes} MB`, met: memory.median < mostMegabytes },
    },
  ];
}

async function startOnce(workspace: Workspace): Promise<{ milliseconds: number; megabytes: number }> {
  const port = await findFreePort();
  const start = performance.now();
  const child = spawn(process.execPath, [...process.execArgv, cli, 'serve'], {
    env: environment({ ...workspace.settings, PORT: String(port) }),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    while (!(await isAlive(port))) {
      if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
      if (performance.now() - start > startDeadline) throw new Error('the server did not start');
      await setTimeout(tryInterval);
    }
    const milliseconds = performance.now() - start;
    await setTimeout(rest);
    return { milliseconds, megabytes: (await residentBytes(workspace, child.pid)) / 1e6 };
  } finally {
    const ended = child.exitCode === null ? once(child, 'exit') : undefined;
    child.kill();
    const timer = globalThis.setTimeout(kill, 5000);
    await ended;
    clearTimeout(timer);
    process.off('exit', kill);
  }
}

/** The settings take no port that only the server knows, unless the log is read: one that was free a moment ago. */
async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

async function isAlive(port: number): Promise<boolean> {
  try {
    const connection = await openConnection(port);
    const { status } = await connection.exchange(Buffer.from(getRequest('/health/live')));
    connection.close();
    return status === 200;
  } catch {
    return false;
  }
}

/** Linux tells it of any process; elsewhere a server that was started for this says it of itself. */
async function residentBytes(workspace: Workspace, pid: number | undefined): Promise<number> {
  if (process.platform === 'linux') {
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024;
  }
  await using janua = startChild<ServerTasks>('./janua.ts', workspace.settings);
  await janua.ask('port');
  await setTimeout(rest);
  return (await janua.ask('usage')).resident;
}
