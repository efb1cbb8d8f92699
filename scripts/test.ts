import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type BrowserServer, chromium } from 'playwright-core';
import { findChromium } from '../test/browser/chromium.ts';
import { launchOptions, sharedBrowserVariable } from '../test/browser/launch.ts';
import { findWebServer } from '../test/deploy/web-server.ts';
import { longVariable } from '../test/long.ts';
import { findApache } from '../test/servers/apache.ts';
import { findAuthlib } from '../test/servers/authlib.ts';
import { findProgram } from '../test/servers/find-program.ts';
import { findMariadb, startMariadb } from '../test/servers/mariadb.ts';
import { createTemplate } from '../test/servers/migrated.ts';
import { noServersVariable } from '../test/servers/missing.ts';
import { findOidcAgent } from '../test/servers/oidc-agent.ts';
import { findOpenSmtpd, servesTls } from '../test/servers/opensmtpd.ts';
import { findPostgres, startPostgres } from '../test/servers/postgres.ts';
import { findRedis, startRedis } from '../test/servers/redis.ts';
import { sharedServerVariables } from '../test/servers/shared.ts';
import { templateFolder } from '../test/servers/throw-away-server.ts';
import { readAdvisories } from './dependencies.ts';
import { limitFiles } from './file-limit.ts';
import { filesAtOnce, formatTime } from './progress-reporter.ts';

/**
 * `npm test` runs every check. It shows its progress, and names at the end the tests that it left out. It exits with a non-zero code
 * if anything failed.
 * - Arguments replace the list of test files.
 * - `--no-install` installs nothing.
 * - `--long` (`npm run test:long`) also runs what shows no further rule (`test/long.ts`).
 * - `--quick` (`npm run test:quick`) starts no servers and runs only the tests in `test/web`.
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
const isWhole = chosen.length === 0 && !options.quick;

const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

/** Environment variables for the test files, added to our own. */
const forTests: Record<string, string> = options.long ? { [longVariable]: 'true' } : {};

let current: ChildProcess | undefined;
let browser: BrowserServer | undefined;

/** Runs a program to its end and returns whether it succeeded. */
async function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  current = spawn(program, args, { cwd: root, stdio: 'inherit', env: { ...process.env, ...env } });
  const [code] = await once(current, 'exit');
  current = undefined;
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

/** Programs that only some tests need, by the name of the distribution's package. */
const programs = {
  'redis-server': findRedis,
  'mariadb-server': findMariadb,
  postgresql: findPostgres,
  chromium: findChromium,
  nginx: () => findWebServer('nginx'),
  caddy: () => findWebServer('caddy'),
  systemd: () => findProgram('systemd-analyze'),
  opensmtpd: findOpenSmtpd,
  // It brings the program of Apache, but not the package that starts one on port 80.
  'libapache2-mod-auth-openidc': findApache,
  'python3-authlib': findAuthlib,
  'python3-requests': findAuthlib,
  'oidc-agent-cli': findOidcAgent,
  'valkey-server': () => findRedis('valkey-server'),
};

/** Not every distribution has these packages. */
const newOpenSmtpd = 'opensmtpd 7';
const dispensable = ['valkey-server', newOpenSmtpd];

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

async function install(packages: readonly string[]): Promise<void> {
  const list = packages.join(' ');
  process.stdout.write(`  Running as root: apt-get install ${list} (npm test -- --no-install skips this)\n`);
  const unattended = { DEBIAN_FRONTEND: 'noninteractive' };
  const add = (...names: string[]) =>
    run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], unattended);
  if (!(await run('apt-get', ['update', '-qq'], unattended)) || (await add(...packages))) return;
  // If the distribution lacks one package, apt installs none of them.
  for (const name of packages) await add(name);
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

/** Fails for a known fault (ASVS 15.2.1). If the registry does not answer, it prints a notice and the tests go on. */
async function askForAdvisories(): Promise<boolean> {
  const printed = await new Promise<string>((resolve) => {
    execFile('npm', ['audit', '--json'], { cwd: root, timeout: 60_000, maxBuffer: 2 ** 26 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  const faults = readAdvisories(printed);
  if (faults === undefined)
    process.stdout.write('  The registry did not answer `npm audit`, so this is not checked.\n');
  for (const fault of faults ?? []) process.stdout.write(`  ${fault}\n`);
  return (faults ?? []).length === 0;
}

// The current program gets SIGTERM, because the test runner does not handle SIGHUP. This process and its servers end after it.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const end = () => process.exit(128 + constants.signals[signal]);
    if (current === undefined) end();
    current?.once('exit', end).kill('SIGTERM');
  });
}

const start = performance.now();
if (isWhole)
  process.stdout.write(
    'Runs everything that CI runs, which takes a while. In less than a minute: npm run test:quick\n',
  );

if (!options.quick) await step('Programs', ensurePrograms);
await step('Types', () => node(bin('typescript/bin/tsc')));
await step('Lint, format and import rules', () => node(bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings'));
await step('Dead code', () => node(bin('knip/bin/knip.js')));
if (options.quick) forTests[noServersVariable] = 'true';
else {
  await step('Known faults of packages', askForAdvisories);
  await step('Servers', startServers);
}
await step('Tests', testFiles);
await browser?.close();
sumUp();

async function testFiles(): Promise<boolean> {
  const reporters: [name: string, destination: string][] = [
    // For chosen files, every test is listed.
    [chosen.length > 0 ? 'spec' : './scripts/progress-reporter.ts', 'stdout'],
  ];
  const files = options.quick ? ['test/web/**/*.test.ts'] : ['test/**/*.test.ts'];
  const succeeded = run(
    process.execPath,
    [
      ...['--test', '--test-timeout=120000', `--test-concurrency=${filesAtOnce}`],
      ...reporters.flatMap(([name, to]) => [`--test-reporter=${name}`, `--test-reporter-destination=${to}`]),
      ...(chosen.length > 0 ? chosen : files),
    ],
    forTests,
  );
  if (current) limitFiles(current);
  return succeeded;
}

function sumUp(): void {
  const without = leftOut.length > 0 ? `, WITHOUT the tests that need ${leftOut.join(', ')}` : '';
  process.stdout.write(`\nPassed in ${formatTime((performance.now() - start) / 1000)} minutes${without}.\n`);
}
