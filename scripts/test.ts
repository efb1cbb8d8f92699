import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findChromium } from '../test/browser/chromium.ts';

/**
 * Everything that is checked, by one command: `npm test`. Arguments go to the test runner in place of all test files.
 * Ends with the test runner's own summary and a non-zero code when anything failed.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

/** Runs a program to its end and returns whether it succeeded. */
async function run(program: string, args: readonly string[]): Promise<boolean> {
  const child = spawn(program, args, { cwd: root, stdio: 'inherit' });
  const [code] = await once(child, 'exit');
  return code === 0;
}

const node = (...args: string[]) => run(process.execPath, args);

async function step(name: string, work: () => Promise<boolean>): Promise<void> {
  const start = performance.now();
  process.stdout.write(`\n▸ ${name}\n`);
  const succeeded = await work();
  process.stdout.write(`  ${succeeded ? 'done' : 'FAILED'} in ${((performance.now() - start) / 1000).toFixed(1)} s\n`);
  if (!succeeded) process.exit(1);
}

/** The browser tests need Chromium: installed where the distribution has it and we may, else left out with a word. */
async function ensureChromium(): Promise<boolean> {
  if (findChromium() !== undefined) return true;
  if (process.getuid?.() === 0 && (await isDebian())) {
    const installed =
      (await run('apt-get', ['update', '-qq'])) &&
      (await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'chromium']));
    if (installed && findChromium() !== undefined) return true;
  }
  process.stdout.write('  There is no Chromium: the browser tests are left out. Install it, or set CHROMIUM_PATH.\n');
  return process.env.CI !== 'true';
}

async function isDebian(): Promise<boolean> {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(await readFile('/etc/os-release', 'utf8'));
}

const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : ['test/**/*.test.ts'];

await step('Chromium', ensureChromium);
await step('Types', () => node(bin('typescript/bin/tsc')));
await step('Lint, format and import rules', () => node(bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings'));
await step('Dead code', () => node(bin('knip/bin/knip.js')));
await step('Tests', () =>
  node('--test', '--test-timeout=120000', `--test-concurrency=${availableParallelism()}`, ...files),
);
