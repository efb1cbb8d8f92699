// Measures Janua against the goals in docs/performance.md, and prints whether each was met. A missed goal is no failure, because a
// busy machine misses goals too.
import { loadavg } from 'node:os';
import { findPostgres } from '../test/servers/postgres.ts';
import { findRedis } from '../test/servers/redis.ts';
import { compare } from './comparison/compare.ts';
import { describeMachine, describeVersions, installPeers, writePage } from './comparison/page.ts';
import { describeMeasured } from './comparison/tables.ts';
import { measureApplications } from './measures/applications.ts';
import { measureRush } from './measures/rush.ts';
import { measureScale } from './measures/scale.ts';
import { measureSoak } from './measures/soak.ts';
import { measureTiming } from './measures/timing.ts';
import { measureWorkers } from './measures/workers.ts';
import { type Options, readOptions, usageText } from './options.ts';
import { formatTable, type Table } from './table.ts';

const measures: Readonly<Record<Options['table'], (options: Options) => Promise<readonly Table[]>>> = {
  main: measureMain,
  scale: ({ effort }) => measureScale('scale', effort),
  many: ({ effort }) => measureScale('many', effort),
  timing: ({ effort }) => measureTiming(effort),
  load: ({ effort }) => measureRush(effort),
  soak: ({ soakMinutes }) => measureSoak(soakMinutes),
  workers: ({ effort }) => measureWorkers(effort),
  applications: ({ effort }) => measureApplications(effort),
};

/** A load average of the last minute above this distorts the figures. */
const busy = 0.5;

const loadOfLastMinute = () => (loadavg()[0] ?? 0).toFixed(1);

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options.help) return console.log(usageText);
  // process.exit runs the exit handlers, which remove folders and end processes.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  console.log(describeMachine());
  const load = loadOfLastMinute();
  if (Number(load) > busy)
    console.log(`Other work keeps the machine busy (load ${load}). Repeat this when it is idle.`);
  for (const { title, lines } of await measures[options.table](options))
    console.log(`\n${title}\n${formatTable(lines)}`);
  console.log(`\nLoad of the machine over the last minute: ${load} before, ${loadOfLastMinute()} after`);
}

async function measureMain({ effort, withoutPeers, writes }: Options): Promise<readonly Table[]> {
  const hasPeers = !withoutPeers && (await installPeers());
  if (!withoutPeers && !hasPeers) console.log('The peers could not be installed. The bench skips them.');
  const isWhole = hasPeers && findRedis() !== undefined && findPostgres() !== undefined;
  if (writes && !isWhole) throw new Error('--write needs the peers, redis-server and postgresql');
  const [date] = new Date().toISOString().split('T');
  const machine = `${describeMachine()}, with a load of ${loadOfLastMinute()} before the run.`;
  const measured = await compare(effort, hasPeers);
  const tables = describeMeasured(measured);
  const versions = `${await describeVersions()}.`;
  const rounds = `Rounds: ${effort.rounds}. Medians, and ratios of medians.`;
  console.log(`${versions}\n${rounds}`);
  if (writes) await writePage(tables, [`By \`npm run bench -- --write\` on ${date}: ${machine}`, versions, rounds]);
  return tables;
}

await main();
