// Measures Janua against the goals in docs/performance.md. Says whether each was met and asserts nothing: on a busy
// machine a goal is missed, and a test that fails with the load of the machine says nothing.
import { availableParallelism, cpus, loadavg } from 'node:os';
import { measureHashing } from './measures/hashing.ts';
import { measureLogins } from './measures/logins.ts';
import { measureRequests } from './measures/requests.ts';
import { measureScale } from './measures/scale.ts';
import { measureStart } from './measures/start.ts';
import { type Effort, readOptions, usageText } from './options.ts';
import { formatRows, formatTable } from './table.ts';
import { createWorkspace } from './workspace.ts';

/** Whatever happens, it ends, in milliseconds. */
const deadline = 20 * 60 * 1000;

/** Load of the last minute above which other work takes part in the figures. */
const busy = 0.5;

async function main(): Promise<void> {
  const { help, hashing, scale, effort } = readOptions(process.argv.slice(2));
  if (help) {
    console.log(usageText);
    return;
  }
  // By process.exit, so that what the exit handlers do (folders, processes) is done.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
  setTimeout(() => process.exit(1), deadline).unref();

  console.log(`${cpus()[0]?.model}, ${availableParallelism()} cores, Node ${process.versions.node}`);
  console.log(`${effort.rounds} rounds, ${effort.starts} starts; a ratio compares the medians\n`);
  const [load = 0] = loadavg();
  if (load > busy)
    console.log(`Other work keeps the machine busy (load ${load.toFixed(1)}): repeat this when it is idle.\n`);
  if (hashing) await printHashing(effort);
  else if (scale) await printScale(effort);
  else await printMain(effort);
}

async function printMain(effort: Effort): Promise<void> {
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

await main();
