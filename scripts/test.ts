import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { glob, readFile, rm, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BrowserServer, chromium } from 'playwright-core';
import { findChromium } from '../test/browser/chromium.ts';
import { launchOptions, sharedBrowserVariable } from '../test/browser/launch.ts';
import { longVariable } from '../test/long.ts';
import { findMariadb, startMariadb } from '../test/servers/mariadb.ts';
import { createTemplate } from '../test/servers/migrated.ts';
import { noServersVariable } from '../test/servers/missing.ts';
import { findOpenSmtpd, servesTls } from '../test/servers/opensmtpd.ts';
import { findPostgres, startPostgres } from '../test/servers/postgres.ts';
import { findRedis, startRedis } from '../test/servers/redis.ts';
import { sharedServerVariables } from '../test/servers/shared.ts';
import { templateFolder } from '../test/servers/throw-away-server.ts';
import { dispensable, longTestPrograms, newOpenSmtpd, testPrograms } from './debian-packages.ts';
import { readAdvisories } from './dependencies.ts';
import { limitFiles } from './file-limit.ts';
import { formatTime } from './progress-reporter.ts';

/**
 * `npm test` runs every check. It shows its progress, and names at the end the tests that it left out. It exits with a non-zero code
 * if anything failed.
 * - Arguments replace the list of test files.
 * - `--no-install` installs nothing.
 * - `--long` (`npm run test:long`) also runs what shows no further rule (`test/long.ts`).
 * - `--quick` (`npm run test:quick`) starts no servers, and runs only `quickFiles`.
 */
const { values: options, positionals: chosen } = parseArgs({
  options: {
    install: { type: 'boolean', default: true },
    long: { type: 'boolean', default: false },
    quick: { type: 'boolean', default: false },
  },
  allowNegative: true,
  allowPositionals: true,
});
/** Logins, accounts, factors and rights over SQLite, and the tables of the hooks, formats and pages. */
const quickFiles = ['test/web/**/*.test.ts', 'test/flow/sqlite-sql.test.ts', 'test/security/authorization.test.ts'];

const isWhole = chosen.length === 0 && !options.quick;

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

/** Environment variables for the test files, added to our own. */
const forTests: Record<string, string> = options.long ? { [longVariable]: 'true' } : {};

/** The programs that run. Each ends with this process. */
const children = new Set<ChildProcess>();
let browser: BrowserServer | undefined;

/** Starts a program of ours, or another. */
function start(program: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  const child = spawn(program, args, { cwd: root, ...options });
  children.add(child);
  child.once('close', () => children.delete(child));
  return child;
}

const succeeds = async (child: ChildProcess) => (await once(child, 'close'))[0] === 0;

/** Runs a program to its end, and returns whether it succeeded. */
const run = (program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) =>
  succeeds(start(program, args, { stdio: 'inherit', env: { ...process.env, ...env } }));

async function step(name: string, work: () => Promise<boolean>): Promise<void> {
  const begin = performance.now();
  process.stdout.write(`\n▸ ${name}\n`);
  const succeeded = await work();
  process.stdout.write(`  ${succeeded ? 'done' : 'FAILED'} in ${((performance.now() - begin) / 1000).toFixed(1)} s\n`);
  if (!succeeded) await end(1);
}

/** Ends the programs that run, and then this process. */
async function end(code: number): Promise<never> {
  const ended = [...children].map((child) => once(child, 'close'));
  // `node --test` does not handle SIGHUP.
  for (const child of children) child.kill('SIGTERM');
  await Promise.all([...ended, browser?.close()]);
  process.exit(code);
}

const programs = { ...testPrograms, ...(options.long && longTestPrograms) };

const findMissing = () =>
  Object.entries(programs)
    .filter(([, find]) => find() === undefined)
    .map(([name]) => name);

/** What tests lack for which there may be no package to install. */
const findTooOld = () => (findOpenSmtpd() !== undefined && !servesTls() ? [newOpenSmtpd] : []);

/** The packages without which tests are left out. */
let leftOut: readonly string[] = [];

/**
 * Names the missing programs and, as root on Debian, installs them. Then names the programs that are still missing.
 * With `CI=true`, a missing program is a failure.
 */
async function ensurePrograms(): Promise<boolean> {
  const missing = findMissing();
  if (missing.length > 0) {
    process.stdout.write(`  Not installed, and needed by some tests: ${missing.join(', ')}.\n`);
    if (await isDebian()) {
      if (options.install && process.getuid?.() === 0) await install(missing);
      else process.stdout.write(`  To install them: apt-get install ${missing.join(' ')}\n`);
    }
  }
  leftOut = [...findMissing(), ...findTooOld()];
  if (leftOut.length === 0) return true;
  const passes = process.env.CI !== 'true' || isDispensable();
  const rest = passes ? 'All other tests run.' : 'With CI=true that is a failure.';
  process.stdout.write(`  The tests that need ${leftOut.join(', ')} are skipped. ${rest}\n`);
  return passes;
}

function isDispensable(): boolean {
  return leftOut.every((name) => dispensable.includes(name));
}

/** The services that these packages would start with the system. */
const services: Readonly<Record<string, string>> = {
  'redis-server': 'redis-server',
  'mariadb-server': 'mariadb',
  postgresql: 'postgresql',
  pgbouncer: 'pgbouncer',
  nginx: 'nginx',
  caddy: 'caddy',
  opensmtpd: 'opensmtpd',
  'valkey-server': 'valkey-server',
  patroni: 'patroni',
  'etcd-server': 'etcd',
};

/** Installs packages. Their services neither start nor will start with the system. */
async function install(packages: readonly string[]): Promise<void> {
  const list = packages.join(' ');
  process.stdout.write(`  Running as root: apt-get install ${list} (npm test -- --no-install skips this)\n`);
  const unattended = { DEBIAN_FRONTEND: 'noninteractive' };
  const add = (...names: string[]) =>
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], unattended);
  // The scripts of packages ask it whether they may start a service. 101 forbids it.
  const policy = '/usr/sbin/policy-rc.d';
  const isOurs = !existsSync(policy);
  if (isOurs) await writeFile(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
  try {
    // If the distribution lacks one package, apt installs none of them.
    if ((await run('apt-get', ['update', '-qq'], unattended)) && !(await add(...packages)))
      for (const name of packages) await add(name);
  } finally {
    if (isOurs) await rm(policy);
  }
  const units = packages.flatMap((name) => (services[name] === undefined ? [] : [`${services[name]}.service`]));
  if (units.length > 0) await run('deb-systemd-helper', ['disable', ...units]);
}

async function isDebian(): Promise<boolean> {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(await readFile('/etc/os-release', 'utf8'));
}

/** Starts a browser, and one server of each installed kind, on a free port and in a temporary folder. They end with this process. */
async function startServers(): Promise<boolean> {
  const [postgres, mariadb, redis, templates] = await Promise.all([
    findPostgres() && startPostgres(),
    findMariadb() && startMariadb(),
    findRedis() && startRedis(),
    templateFolder(),
  ]);
  const endings = { handleSIGINT: false, handleSIGTERM: false, handleSIGHUP: false };
  if (findChromium()) browser = await chromium.launchServer({ ...launchOptions(), ...endings, host: '127.0.0.1' });
  if (browser) forTests[sharedBrowserVariable] = browser.wsEndpoint();
  await Promise.all([
    postgres && createTemplate('postgres', postgres.url),
    mariadb && createTemplate('mariadb', mariadb.url),
  ]);
  if (postgres) forTests[sharedServerVariables.postgres] = postgres.url;
  if (mariadb) forTests[sharedServerVariables.mariadb] = mariadb.url;
  if (redis) forTests[sharedServerVariables.redis] = redis.url;
  forTests.JANUA_TEST_TEMPLATES = templates;
  return true;
}

const read = async (stream: Readable | null) => (stream === null ? '' : text(stream));

/** Fails for a known fault (ASVS 15.2.1). If the registry does not answer, the tests go on, and the last line says so. */
async function askForAdvisories(): Promise<{ succeeded: boolean; output: string }> {
  const audit = start('npm', ['audit', '--json'], { timeout: 60_000, stdio: ['ignore', 'pipe', 'ignore'] });
  const [printed] = await Promise.all([read(audit.stdout), once(audit, 'close')]);
  const faults = readAdvisories(printed);
  if (faults === undefined) unchecked.push('the known faults of packages, because the registry did not answer');
  return { succeeded: (faults ?? []).length === 0, output: (faults ?? []).map((fault) => `  ${fault}\n`).join('') };
}

/** Checks that did not run. */
const unchecked: string[] = [];

async function runQuietly(...args: readonly string[]): Promise<{ succeeded: boolean; output: string }> {
  const child = start(process.execPath, args, { stdio: 'pipe', env: { ...process.env, ...forTests } });
  const [stdout, stderr, succeeded] = await Promise.all([read(child.stdout), read(child.stderr), succeeds(child)]);
  return { succeeded, output: stdout + stderr };
}

const checks: Readonly<Record<string, () => Promise<{ succeeded: boolean; output: string }>>> = {
  Types: () => runQuietly(bin('typescript/bin/tsc')),
  'Lint, format and import rules': () => runQuietly(bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings'),
  'Dead code': () => runQuietly(bin('knip/bin/knip.js')),
  ...(!options.quick && { 'Known faults of packages': askForAdvisories }),
  ...(isWhole && { 'Breaks of rules': () => runQuietly('scripts/breaks.ts', '--sample') }),
};

/** Checks the source while the tests run, one check after the other. The first that fails ends the tests. */
async function checkSource(): Promise<void> {
  for (const [name, check] of Object.entries(checks)) {
    const { succeeded, output } = await check();
    process.stdout.write(`▸ ${name}: ${succeeded ? 'done' : `FAILED\n${output}`}\n`);
    if (!succeeded) await end(1);
  }
}

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => end(128 + constants.signals[signal]));

const begin = performance.now();
if (isWhole) process.stdout.write('Runs everything that CI runs. In less than a minute: npm run test:quick\n');

if (options.quick) forTests[noServersVariable] = 'true';
else {
  await step('Programs', ensurePrograms);
  await step('Servers', startServers);
}
const checking = checkSource();
await step('Tests', testFiles);
await checking;
await browser?.close();
sumUp();

async function testFiles(): Promise<boolean> {
  const wanted = options.quick ? quickFiles : ['test/**/*.test.ts'];
  const files = chosen.length > 0 ? chosen : await Array.fromAsync(glob(wanted, { cwd: root }));
  const list = chosen.length > 0 ? ['--list'] : [];
  const runner = start(process.execPath, ['scripts/run-test-files.ts', ...list, ...files], {
    stdio: 'inherit',
    env: { ...process.env, ...forTests },
  });
  limitFiles(runner);
  return succeeds(runner);
}

function sumUp(): void {
  const without = leftOut.length > 0 ? `, WITHOUT the tests that need ${leftOut.join(', ')}` : '';
  const not = unchecked.length > 0 ? `, WITHOUT ${unchecked.join(' and ')}` : '';
  process.stdout.write(`\nPassed in ${formatTime((performance.now() - begin) / 1000)} minutes${without}${not}.\n`);
}
