// Measures Janua against the goals in docs/performance.md. Says whether each was met and asserts nothing: on a busy
// machine a goal is missed, and a test that fails with the load of the machine says nothing.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { measureHashing } from './measures/hashing.ts';
import { measureLoad } from './measures/load.ts';
import { measureLogins } from './measures/logins.ts';
import { measureRequests } from './measures/requests.ts';
import { measureScale } from './measures/scale.ts';
import { measureSoak } from './measures/soak.ts';
import { measureStart } from './measures/start.ts';
import { measureRefused, measureThrottled } from './measures/timing.ts';
import { type Effort, type Options, readOptions, usageText } from './options.ts';
import { createCrowd } from './population/stored-kinds.ts';
import { formatRows, formatTable } from './table.ts';
import { createWorkspace } from './workspace.ts';

/** Whatever happens, it ends: minutes, of what is asked for by itself and of what more rounds or minutes add. */
const deadline = ({ table, effort, soakMinutes }: Options): number => {
  if (table === 'soak') return soakMinutes + 5;
  return table === 'timing' ? 5 + 15 * effort.rounds : 20;
};

/** Load of the last minute above which other work takes part in the figures. */
const busy = 0.5;

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  const { table } = options;
  if (options.help) {
    console.log(usageText);
    return;
  }
  // By process.exit, so that what the exit handlers do (folders, processes) is done.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  setTimeout(() => process.exit(1), deadline(options) * 60_000).unref();

  console.log(`${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`);
  const [load = 0] = loadavg();
  if (load > busy)
    console.log(`Other work keeps the machine busy (load ${load.toFixed(1)}): repeat this when it is idle.\n`);
  await prints[table](options);
  console.log(
    `\nLoad of the machine over the last minute: ${load.toFixed(1)} before, ${(loadavg()[0] ?? 0).toFixed(1)} after`,
  );
}

const prints: Readonly<Record<Options['table'], (options: Options) => Promise<void>>> = {
  main: ({ effort }) => printMain(effort),
  hashing: ({ effort }) => printHashing(effort),
  scale: ({ effort }) => printScale(effort),
  timing: ({ effort }) => printTiming(effort),
  load: ({ effort }) => printLoad(effort),
  soak: ({ soakMinutes }) => printSoak(soakMinutes),
};

async function printMain(effort: Effort): Promise<void> {
  console.log(`${effort.rounds} rounds, ${effort.starts} starts; a ratio compares the medians\n`);
  const workspace = await createWorkspace(16);
  const rows = [
    ...(await measureRequests(workspace, effort)),
    ...(await measureLogins(workspace, effort)),
    ...(await measureStart(workspace, effort)),
  ];
  console.log(formatRows(rows));
}

async function printHashing(effort: Effort): Promise<void> {
  console.log(formatTable(await measureHashing(await createWorkspace(16), effort)));
}

async function printScale(effort: Effort): Promise<void> {
  const { filling, requests } = await measureScale(effort);
  console.log(`${formatTable(filling)}\n\nGET /api/me by cookie, CPU time of a request\n${formatTable(requests)}`);
}

async function printTiming(effort: Effort): Promise<void> {
  console.log(`${effort.rounds} rounds of ${effort.tries} tries, compared with those of the two unknown users`);
  const crowd = await createCrowd();
  console.log(`\nRefused\n${formatTable(await measureRefused(crowd, effort))}`);
  console.log(`\nTold to wait (429)\n${formatTable(await measureThrottled(crowd, effort))}`);
}

async function printLoad(effort: Effort): Promise<void> {
  console.log(
    `${effort.rounds} rounds of ${effort.rushSeconds} s idle and ${effort.rushSeconds} s with 200 who log in\n`,
  );
  console.log(formatRows(await measureLoad(effort)));
}

async function printSoak(minutes: number): Promise<void> {
  console.log(formatTable(await measureSoak(minutes)));
}

await main();
