import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { openConnection } from '../processes/connection.ts';
import { environment, type Runtime, type Settings } from '../processes/parent.ts';
import { getRequest } from '../requests.ts';

/** Milliseconds: between two tries, until a start is given up, and after which a server is at rest. */
const tryInterval = 10;
const startDeadline = 20_000;
const rest = 1500;

/** How a server is started by those who use it. */
export interface Command {
  /** Of Node, after its flags. */
  readonly args: readonly string[];
  readonly runtime: Runtime;
  readonly settings: Settings;
  /** A path that answers anybody 200. */
  readonly health: string;
}

export interface Start {
  /** From the start of the process to the first answer. */
  readonly milliseconds: number;
  /** What it then holds in memory, without having done anything else. */
  readonly megabytes: number;
}

/** Starts a server and ends it again. */
export async function measureStart({ args, runtime, settings, health }: Command): Promise<Start> {
  const port = await findFreePort();
  const start = performance.now();
  const child = spawn(process.execPath, [...runtime.flags, ...args], {
    env: environment({ ...settings, PORT: String(port) }, runtime),
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const kill = () => child.kill('SIGKILL');
  process.once('exit', kill);
  try {
    while (!(await isAlive(port, health))) {
      if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
      if (performance.now() - start > startDeadline) throw new Error('the server did not start');
      await setTimeout(tryInterval);
    }
    const milliseconds = performance.now() - start;
    await setTimeout(rest);
    return { milliseconds, megabytes: await residentMegabytes(child.pid) };
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
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('there is no free port');
  return address.port;
}

/** Whether somebody answers 200 at that path there. */
export async function isAlive(port: number, health: string): Promise<boolean> {
  try {
    const connection = await openConnection(port);
    const { status } = await connection.exchange(Buffer.from(getRequest(health)));
    connection.close();
    return status === 200;
  } catch {
    return false;
  }
}

/** Linux tells it of any process; elsewhere it is not known. */
async function residentMegabytes(pid: number | undefined): Promise<number> {
  if (process.platform !== 'linux') return Number.NaN;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}
