import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settingSchemas } from '../../src/ground/config/settings.ts';
import type { Answer, Question, Tasks } from './child.ts';

/** A process of the bench. Servers and clients have separate processes, so that they do not share a thread. */
export interface Child<Offered extends Tasks> extends AsyncDisposable {
  ask<Name extends keyof Offered & string>(
    name: Name,
    ...input: Parameters<Offered[Name]>
  ): Promise<Awaited<ReturnType<Offered[Name]>>>;
}

/** Longest duration of a task, and of the end of a process, in milliseconds. */
const taskDeadline = 120_000;
const endDeadline = 5_000;

/** How Node runs a process. */
export interface Runtime {
  readonly flags: readonly string[];
  /** Variables of this process's environment that the child does not get. */
  readonly withoutVariables: readonly string[];
}

/** Node's flags as Janua sets them (bin/own-node.mjs). This process has them too. */
export const ownRuntime: Runtime = { flags: process.execArgv, withoutVariables: [] };

/** Node's default flags, for servers other than Janua. They share the compile cache, which makes every server start faster. */
export const plainRuntime: Runtime = { flags: [], withoutVariables: ['MALLOC_ARENA_MAX'] };

/** Starts a file of this folder as a process. It ends with the scope that uses it. */
export function startChild<Offered extends Tasks>(
  file: string,
  settings: Settings = {},
  runtime = ownRuntime,
): Child<Offered> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: [...runtime.flags],
    env: environment(settings, runtime),
    // Output is ignored, because reading a server's log here would affect the measurement.
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
  });
  let asked = 0;
  return {
    async ask(name, ...input) {
      asked += 1;
      child.send({ id: asked, name, input } satisfies Question);
      return (await answerTo(child, asked, name)) as never;
    },
    [Symbol.asyncDispose]: () => end(child),
  };
}

async function answerTo(child: ChildProcess, id: number, name: string): Promise<unknown> {
  const over = new AbortController();
  const signal = AbortSignal.any([over.signal, AbortSignal.timeout(taskDeadline)]);
  const ended = once(child, 'exit', { signal }).then(() => {
    throw new Error(`the process ended before it answered "${name}"`);
  });
  const answered = new Promise<unknown>((resolve, reject) => {
    function hear(answer: Answer): void {
      if (answer.id !== id) return;
      child.off('message', hear);
      if ('error' in answer) reject(new Error(`${name}: ${answer.error}`));
      else resolve(answer.value);
    }
    child.on('message', hear);
  });
  try {
    return await Promise.race([answered, ended]);
  } finally {
    ended.catch(() => {});
    over.abort();
  }
}

/** Closes the channel instead of killing the process, so that Node writes the profile of NODE_OPTIONS=--cpu-prof. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await Promise.race([ended, setTimeout(endDeadline, undefined, { ref: false })]);
  if (child.exitCode === null) child.kill('SIGKILL');
}

export type Settings = Readonly<Record<string, string>>;

/** Gives this process's environment with only these settings. A PUBLIC_URL of the shell, for example, would change the results. */
export function environment(settings: Settings, { withoutVariables } = ownRuntime): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !(name in settingSchemas || withoutVariables.includes(name)),
  );
  return { ...Object.fromEntries(inherited), ...settings };
}
