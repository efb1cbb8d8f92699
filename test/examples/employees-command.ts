import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { Finished } from '../commands/janua-command.ts';

const make = fileURLToPath(new URL('../../examples/employees/make.ts', import.meta.url));

/** Milliseconds after which a hanging command is killed and its test fails. */
const patience = 30_000;

function launch(folder: string, env: Readonly<Record<string, string>>, args: readonly string[]) {
  const { PATH = '' } = process.env;
  return spawn(process.execPath, [make, ...args], { cwd: folder, env: { PATH, ...env }, timeout: patience });
}

/** Runs `npm run employees` to its end, in a folder. */
export async function makeEmployees(
  folder: string,
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<Finished> {
  const child = launch(folder, env, args);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')]);
  return { code, stdout, stderr };
}

/** Interrupts `npm run employees` after the first rows. Returns its last line. */
export async function interruptEmployees(folder: string, env: Readonly<Record<string, string>>) {
  const child = launch(folder, env, []);
  const closed = once(child, 'close');
  let last = '';
  for await (const line of createInterface({ input: child.stderr })) {
    if (last === '') child.kill('SIGINT');
    last = line;
  }
  const [code] = await closed;
  return { code, last };
}
