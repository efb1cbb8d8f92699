import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { openConnection } from '../processes/connection.ts';
import { environment, type Runtime, type Settings } from '../processes/parent.ts';
import { getRequest } from '../requests.ts';

/** Milliseconds. A server is at rest after `rest`. */
const tryInterval = 10;
const startDeadline = 20_000;
const rest = 1500;

/** The command by which users start a server. */
export interface Command {
  /** Arguments of Node, after its flags. */
  readonly args: readonly string[];
  readonly runtime: Runtime;
  readonly settings: Settings;
  /** A path that answers 200 without a session. */
  readonly health: string;
}

export interface Start {
  /** From the start of the process to the first response. */
  readonly milliseconds: number;
  /** Resident memory after the start, without any load. */
  readonly megabytes: number;
}

/** Starts a server, measures it, and ends it. */
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

/** Finds a port that was free a moment ago. With `PORT=0`, only the server's log would name the port. */
export async function findFreePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no free port found');
  return address.port;
}

/** Tells whether a server on this port answers 200 at this path. */
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

/** NaN except on Linux, because only Linux has `/proc`. */
async function residentMegabytes(pid: number | undefined): Promise<number> {
  if (process.platform !== 'linux') return Number.NaN;
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(/^VmRSS:\s*(\d+) kB$/m.exec(status)?.[1]) * 1024) / 1e6;
}
