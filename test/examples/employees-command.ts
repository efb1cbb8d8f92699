import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Finished, ownEnvironment, runInHost } from '../commands/janua-command.ts';

const make = fileURLToPath(new URL('../../examples/employees/make.ts', import.meta.url));

/** Milliseconds after which a hanging command is killed and its test fails. */
const patience = 60_000;

/** Runs `npm run employees` to its end, in a folder. */
export async function makeEmployees(
  folder: string,
  env: Readonly<Record<string, string>>,
  ...args: string[]
): Promise<Finished> {
  return runInHost({ program: make, folder, args, env: { ...ownEnvironment(), ...env }, input: '' });
}

/** Interrupts `npm run employees` after the first rows. Returns its last line. */
export async function interruptEmployees(folder: string, env: Readonly<Record<string, string>>) {
  const environment = { ...ownEnvironment(), ...env };
  const child = spawn(process.execPath, [make], { cwd: folder, env: environment, timeout: patience });
  const closed = once(child, 'close');
  let last = '';
  for await (const line of createInterface({ input: child.stderr })) {
    if (last === '') child.kill('SIGINT');
    last = line;
  }
  const [code] = await closed;
  return { code, last };
}
