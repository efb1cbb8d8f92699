import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { settingsSchema } from '../../src/config/settings.ts';
import type { Answer, Question, Tasks } from './child.ts';

/** A process of the benchmark's own: what is measured and what measures must not share a thread. */
export interface Child<Offered extends Tasks> extends AsyncDisposable {
  ask<Name extends keyof Offered & string>(
    name: Name,
    ...input: Parameters<Offered[Name]>
  ): Promise<Awaited<ReturnType<Offered[Name]>>>;
}

/** Longest that a task may take, and a process its end, in milliseconds. */
const taskDeadline = 120_000;
const endDeadline = 5_000;

/** How Node runs a process. */
export interface Runtime {
  readonly flags: readonly string[];
  /** Variables of this process's environment that the other does not get. */
  readonly withoutVariables: readonly string[];
}

/** As Janua does it (bin/own-node.mjs), and so this process. */
export const ownRuntime: Runtime = { flags: process.execArgv, withoutVariables: [] };

/** As it is, for what is not ours; with the compile cache, which is good for everybody. */
export const plainRuntime: Runtime = { flags: [], withoutVariables: ['MALLOC_ARENA_MAX'] };

/** Starts a file of this folder as a process, ended with the scope that it is used in. */
export function startChild<Offered extends Tasks>(
  file: string,
  settings: Settings = {},
  runtime = ownRuntime,
): Child<Offered> {
  const child = fork(fileURLToPath(new URL(file, import.meta.url)), {
    execArgv: [...runtime.flags],
    env: environment(settings, runtime),
    // A server's log has to go somewhere, and reading it here would cost the time that is measured.
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

/** Ends by closing the channel, so that a profile asked for by NODE_OPTIONS=--cpu-prof is written. */
async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  if (child.connected) child.disconnect();
  await Promise.race([ended, setTimeout(endDeadline, undefined, { ref: false })]);
  if (child.exitCode === null) child.kill('SIGKILL');
}

export type Settings = Readonly<Record<string, string>>;

/** This process's environment with these settings and no others: a PUBLIC_URL of the shell would change what is measured. */
export function environment(settings: Settings, { withoutVariables } = ownRuntime): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !(name in settingsSchema.properties || withoutVariables.includes(name)),
  );
  return { ...Object.fromEntries(inherited), ...settings };
}
