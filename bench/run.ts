// Measures Janua against the goals in docs/performance.md, and prints whether each was met. A missed goal is no failure, because a
// busy machine misses goals too.
import { loadavg } from 'node:os';
import { findPostgres } from '../test/servers/postgres.ts';
import { findRedis } from '../test/servers/redis.ts';
import { describeMachine, describeVersions } from './comparison/circumstances.ts';
import { compare } from './comparison/measure.ts';
import { writePage } from './comparison/page.ts';
import { installPeers } from './comparison/peers.ts';
import { describeMeasured } from './comparison/tables.ts';
import { measureAdmin } from './measures/admin.ts';
import { measureApplications } from './measures/applications.ts';
import { measureAuthorizations } from './measures/authorizations.ts';
import { measureLoad } from './measures/load.ts';
import { measureMany } from './measures/many.ts';
import { measureScale } from './measures/scale.ts';
import { measureSoak } from './measures/soak.ts';
import { measureAsked, measureRefused, measureThrottled } from './measures/timing.ts';
import { measureWorkers } from './measures/workers.ts';
import { type Effort, type Options, readOptions, usageText } from './options.ts';
import { createCrowd } from './population/stored-kinds.ts';
import { formatRows, formatTable } from './table.ts';

/** Minutes after which the bench ends in any case. */
const deadline = ({ table, effort, soakMinutes }: Options): number => {
  if (table === 'soak') return soakMinutes + 5;
  if (table === 'timing') return 5 + 15 * effort.rounds;
  if (table === 'many') return 120;
  return table === 'main' ? 10 + 3 * effort.rounds : 20;
};

/** A load average of the last minute above this distorts the figures. */
const busy = 0.5;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { table } = options;
  if (options.help) {
    console.log(usageText);
    return;
  }
  // process.exit runs the exit handlers, which remove folders and end processes.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  setTimeout(() => process.exit(1), deadline(options) * 60_000).unref();

  console.log(describeMachine());
  const [load = 0] = loadavg();
  if (load > busy)
    console.log(`Other work keeps the machine busy (load ${load.toFixed(1)}). Repeat this when it is idle.\n`);
  await prints[table](options);
  console.log(
    `\nLoad of the machine over the last minute: ${load.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`,
  );
}

const prints: Readonly<Record<Options['table'], (options: Options) => Promise<void>>> = {
  main: printMain,
  scale: ({ effort }) => printScale(effort),
  many: ({ effort }) => printMany(effort),
  timing: ({ effort }) => printTiming(effort),
  load: ({ effort }) => printLoad(effort),
  soak: ({ soakMinutes }) => printSoak(soakMinutes),
  workers: ({ effort }) => printWorkers(effort),
  admin: ({ effort }) => printAdmin(effort),
  applications: ({ effort }) => printApplications(effort),
  authorizations: () => printAuthorizations(),
};

async function printMain({ effort, withoutPeers, writes }: Options): Promise<void> {
  const hasPeers = !withoutPeers && (await installPeers());
  if (!withoutPeers && !hasPeers) console.log('The peers could not be installed. The bench skips them.');
  const isWhole = hasPeers && findRedis() !== undefined && findPostgres() !== undefined;
  if (writes && !isWhole) throw new Error('--write needs the peers, redis-server and postgresql');
  const [before = 0] = loadavg();
  const measured = await compare(effort, hasPeers);
  const tables = describeMeasured(measured);
  const versions = `${await describeVersions()}.`;
  const rounds = `Rounds: ${effort.rounds}, starts: ${effort.starts}. Medians, and ratios of medians.`;
  console.log(`${versions}\n${rounds}`);
  for (const { title, lines } of tables) console.log(`\n${title}\n${formatTable(lines)}`);
  if (!writes) return;
  const [date] = new Date().toISOString().split('T');
  const machine = `${describeMachine()}, with a load of ${before.toFixed(1)} before the run.`;
  const circumstances = [`By \`npm run bench -- --write\` on ${date}: ${machine}`, versions, rounds];
  await writePage(tables, circumstances);
}

async function printScale(effort: Effort): Promise<void> {
  const { filling, requests } = await measureScale(effort);
  console.log(`${formatTable(filling)}\n\nGET /api/me by cookie: CPU time per request\n${formatTable(requests)}`);
}

async function printMany(effort: Effort): Promise<void> {
  console.log(formatTable(await measureMany(effort)));
}

async function printTiming(effort: Effort): Promise<void> {
  console.log(`${effort.rounds} rounds of ${effort.tries} tries of each kind, compared with the two unknown users`);
  const crowd = await createCrowd();
  console.log(`\nRefused\n${formatTable(await measureRefused(crowd, effort))}`);
  console.log(`\nTold to wait (429)\n${formatTable(await measureThrottled(crowd, effort))}`);
  for (const action of ['forgot-password', 'sign-up'] as const)
    console.log(`\nAsked for a mail: ${action}\n${formatTable(await measureAsked(crowd, effort, action))}`);
}

async function printLoad(effort: Effort): Promise<void> {
  console.log(
    `${effort.rounds} rounds of ${effort.rushSeconds} s idle and ${effort.rushSeconds} s with 200 concurrent logins\n`,
  );
  console.log(formatRows(await measureLoad(effort)));
}

async function printWorkers(effort: Effort): Promise<void> {
  console.log(`GET /api/me by cookie: medians of ${effort.rounds} rounds\n`);
  console.log(formatTable(await measureWorkers(effort)));
}

async function printAdmin(effort: Effort): Promise<void> {
  console.log(`Milliseconds of the server's CPU for a page: medians of ${effort.rounds} rounds\n`);
  console.log(formatTable(await measureAdmin(effort)));
}

async function printApplications(effort: Effort): Promise<void> {
  console.log(`CPU time per request: medians of ${effort.rounds} rounds\n`);
  console.log(formatTable(await measureApplications(effort)));
}

async function printAuthorizations(): Promise<void> {
  const { memory, abandoned } = await measureAuthorizations(60);
  console.log(`${formatTable(memory)}\n\n${formatTable(abandoned)}`);
}

async function printSoak(minutes: number): Promise<void> {
  console.log(formatTable(await measureSoak(minutes)));
}

await main();
