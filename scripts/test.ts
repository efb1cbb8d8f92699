import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import { availableParallelism, constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import { findChromium } from '../test/browser/chromium.ts';
import { findWebServer } from '../test/deploy/web-server.ts';
import { findProgram } from '../test/servers/find-program.ts';
import { findMariadb, startMariadb } from '../test/servers/mariadb.ts';
import { findPostgres, startPostgres } from '../test/servers/postgres.ts';
import { findRedis, startRedis } from '../test/servers/redis.ts';
import { sharedServerVariables } from '../test/servers/shared.ts';
import { templateFolder } from '../test/servers/throw-away-server.ts';
import { readAdvisories } from './dependencies.ts';
import { checkPages, evidenceFile } from './evidence.ts';

/**
 * Everything that is checked, by one command: `npm test`. Arguments go to the test runner in place of all test files.
 * Ends with the test runner's own summary, then, after all test files, with whether `docs/security/` says what they show; and with a
 * non-zero code when anything failed.
 */
const root = fileURLToPath(new URL('..', import.meta.url));
const bin = (name: string) => fileURLToPath(new URL(`../node_modules/${name}`, import.meta.url));

/** What the test files find in their environment beside ours. */
const forTests: Record<string, string> = {};

let current: ChildProcess | undefined;

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

/** The servers that the tests need, by the name of the distribution's package. */
const servers = { 'redis-server': findRedis, 'mariadb-server': findMariadb, postgresql: findPostgres };

/** What only some tests need, which are left out without it; not so where `CI` is set, but for what not every distribution has. */
const optional = {
  chromium: findChromium,
  nginx: () => findWebServer('nginx'),
  caddy: () => findWebServer('caddy'),
  systemd: () => findProgram('systemd-analyze'),
  'valkey-server': () => findRedis('valkey-server'),
};
const dispensable = 'valkey-server';

const missingOf = (programs: Readonly<Record<string, () => string | undefined>>) =>
  Object.entries(programs)
    .filter(([, find]) => find() === undefined)
    .map(([name]) => name);

/** Installs what is missing where the distribution has it and we may. Only what is optional can be left out. */
async function ensurePrograms(): Promise<boolean> {
  await install([...missingOf(servers), ...missingOf(optional)]);
  // One package that the distribution does not have keeps apt from installing any.
  await install(missingOf(servers));
  for (const name of missingOf(optional)) await install([name]);
  const missing = missingOf(servers);
  if (missing.length > 0) {
    process.stdout.write(`  The tests need ${missing.join(', ')}: install what is missing and start again.\n`);
    return false;
  }
  const leftOut = missingOf(optional);
  for (const name of leftOut)
    process.stdout.write(
      `  There is no ${name}: its tests are left out. Install it${name === 'chromium' ? ', or set CHROMIUM_PATH' : ''}.\n`,
    );
  return process.env.CI !== 'true' || leftOut.every((name) => name === dispensable);
}

async function install(packages: readonly string[]): Promise<void> {
  if (packages.length === 0 || process.getuid?.() !== 0 || !(await isDebian())) return;
  const unattended = { DEBIAN_FRONTEND: 'noninteractive' };
  if (!(await run('apt-get', ['update', '-qq'], unattended))) return;
  await run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...packages], unattended);
}

async function isDebian(): Promise<boolean> {
  if (!existsSync('/etc/os-release')) return false;
  return /^ID(_LIKE)?=.*(debian|ubuntu)/m.test(await readFile('/etc/os-release', 'utf8'));
}

/** One server of each kind for the whole run, on free ports and in temporary folders. They end with this process. */
async function startServers(): Promise<boolean> {
  const [postgres, mariadb, redis, templates] = await Promise.all([
    startPostgres(),
    startMariadb(),
    startRedis(),
    templateFolder(),
  ]);
  forTests[sharedServerVariables.postgres] = postgres.url;
  forTests[sharedServerVariables.mariadb] = mariadb.url;
  forTests[sharedServerVariables.redis] = redis.url;
  forTests.JANUA_TEST_TEMPLATES = templates;
  return true;
}

/** Fails for a known fault (ASVS 15.2.1). Where the registry cannot be asked, it says so and lets the tests go on. */
async function askForAdvisories(): Promise<boolean> {
  const printed = await new Promise<string>((resolve) => {
    execFile('npm', ['audit', '--json'], { cwd: root, timeout: 60_000, maxBuffer: 2 ** 26 }, (_error, stdout) =>
      resolve(stdout),
    );
  });
  const faults = readAdvisories(printed);
  if (faults === undefined) process.stdout.write('  The registry gave no answer to `npm audit`: not checked.\n');
  for (const fault of faults ?? []) process.stdout.write(`  ${fault}\n`);
  return (faults ?? []).length === 0;
}

// What runs is told to end, and this process ends after it, with the servers. The test runner knows no SIGHUP.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    const end = () => process.exit(128 + constants.signals[signal]);
    if (current === undefined) end();
    current?.once('exit', end).kill('SIGTERM');
  });
}

const chosen = process.argv.slice(2);
const files = chosen.length > 0 ? chosen : ['test/**/*.test.ts'];

await step('Programs', ensurePrograms);
await step('Types', () => node(bin('typescript/bin/tsc')));
await step('Lint, format and import rules', () => node(bin('@biomejs/biome/bin/biome'), 'ci', '--error-on-warnings'));
await step('Dead code', () => node(bin('knip/bin/knip.js')));
await step('Known faults of packages', askForAdvisories);
await step('Servers', startServers);
await step('Tests', async () => {
  await mkdir(new URL('.', evidenceFile), { recursive: true });
  return run(
    process.execPath,
    ['--test', '--test-timeout=120000', `--test-concurrency=${availableParallelism()}`, ...reporters(), ...files],
    forTests,
  );
});
if (chosen.length === 0) await step('Evidence', checkPages);

/** The summary for people; of a whole run also what the titles carried. */
function reporters(): string[] {
  const evidence: [string, string][] = [['./scripts/evidence-reporter.ts', fileURLToPath(evidenceFile)]];
  return [['spec', 'stdout'] as const, ...(chosen.length === 0 ? evidence : [])].flatMap(([reporter, to]) => [
    `--test-reporter=${reporter}`,
    `--test-reporter-destination=${to}`,
  ]);
}
