import { fork } from 'node:child_process';
import { on, once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settingSchemas } from '../src/ground/config/settings.ts';
import { atProcessEnd } from '../test/servers/process-end.ts';
import { findFreePort } from '../test/servers/throw-away-server.ts';
import type { Question, Reply, Tasks } from './child.ts';
import type { ClientTasks } from './client.ts';
import { exchangeOnce, getRequest } from './http.ts';
import type { UsageTasks } from './usage.ts';

export type Settings = Readonly<Record<string, string>>;

/** A process of the bench. Servers and clients have separate processes, so that they do not share a thread. */
export interface Child<Offered extends Tasks> extends AsyncDisposable {
  ask<Name extends keyof Offered & string>(
    name: Name,
    ...input: Parameters<Offered[Name]>
  ): Promise<Awaited<ReturnType<Offered[Name]>>>;
}

export interface Command {
  /** Relative to this folder. */
  readonly file: string;
  readonly args?: readonly string[];
  readonly settings?: Settings;
  /** Runs with Node's default flags. They share the compile cache, which makes every server start faster. */
  readonly isForeign?: boolean;
}

export interface ServerCommand extends Command {
  /** A path that answers 200 without a session. */
  readonly health: string;
}

export interface Server<Offered extends Tasks = UsageTasks> extends Child<Offered> {
  readonly port: number;
  readonly pid: number;
  /** From the start of the process to the first response. */
  readonly milliseconds: number;
}

/** Milliseconds. */
const taskDeadline = 120_000;
const startDeadline = 20_000;
const endDeadline = 5_000;
const tryInterval = 10;

const observer = new URL('./usage.ts', import.meta.url).href;

/** Starts a process. It ends with the scope that uses it. */
function start({ file, args = [], settings = {}, isForeign = false }: Command, isObserved: boolean) {
  // Node's flags as Janua sets them (bin/own-node.mjs). This process has them too.
  const flags = isForeign ? [] : process.execArgv;
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), args, {
    execArgv: isObserved ? [...flags, '--import', observer] : flags,
    env: environment(settings, isForeign),
    // Output is ignored, because reading a server's log here would affect the measurement.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  const kill = () => child.kill('SIGKILL');
  const forget = atProcessEnd(kill);
  let asked = 0;

  async function ask(name: string, ...input: readonly unknown[]): Promise<never> {
    asked += 1;
    const id = asked;
    const replies = on(child, 'message', { close: ['exit'], signal: AbortSignal.timeout(taskDeadline) });
    child.send({ id, name, input } satisfies Question);
    for await (const [reply] of replies as AsyncIterable<[Reply]>) {
      if (reply.id !== id) continue;
      if ('error' in reply) throw new Error(`${name}: ${reply.error}`);
      return reply.value as never;
    }
    throw new Error(`the process ended before it answered "${name}"`);
  }

  /** Lets the process exit by itself, so that Node writes the profile of NODE_OPTIONS=--cpu-prof. */
  async function end(): Promise<void> {
    forget();
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    if (isObserved) child.disconnect();
    else child.kill();
    await Promise.race([ended, setTimeout(endDeadline, undefined, { ref: false })]);
    kill();
  }

  return { child, ask, [Symbol.asyncDispose]: end };
}

export const startClient = (): Child<ClientTasks & UsageTasks> => start({ file: './client.ts' }, true);

/** @param isObserved whether it offers its usage. Without it, the server starts as users start it */
export async function startServer<Offered extends Tasks = UsageTasks>(
  command: ServerCommand,
  isObserved = true,
): Promise<Server<Offered>> {
  const port = await findFreePort();
  const from = performance.now();
  const { child, ...rest } = start({ ...command, settings: { ...command.settings, PORT: String(port) } }, isObserved);
  while (!(await isAlive(port, command.health))) {
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}`);
    if (performance.now() - from > startDeadline) throw new Error('the server did not start');
    await setTimeout(tryInterval);
  }
  return { ...rest, port, pid: child.pid ?? 0, milliseconds: performance.now() - from };
}

/** `janua serve` with these settings. */
export const januaWith = (settings: Settings): ServerCommand => ({
  file: '../src/cli.ts',
  args: ['serve'],
  settings,
  health: '/health/live',
});

const isAlive = (port: number, health: string) =>
  exchangeOnce(port, getRequest(health)).then(
    ({ status }) => status === 200,
    () => false,
  );

/** Gives this process's environment with only these settings. A PUBLIC_URL of the shell, for example, would change the results. */
function environment(settings: Settings, isForeign: boolean): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !(name in settingSchemas || (isForeign && name === 'MALLOC_ARENA_MAX')),
  );
  return { ...Object.fromEntries(inherited), ...settings };
}
