import { mkdir, writeFile } from 'node:fs/promises';
import { constants } from 'node:os';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { createProgressReporter, durationsFile, filesAtOnce, readDurations, toPath } from './progress-reporter.ts';

/**
 * Runs test files. What took longest in the last run begins, so that nothing is left alone at the end. A signal ends the files that run,
 * and their failures and those before are printed.
 * - `--list` runs each file in a process of its own, and lists every test in place of the progress.
 */
const { values, positionals } = parseArgs({ options: { list: { type: 'boolean' } }, allowPositionals: true });
const files = positionals.map(toPath).sort();

/** The files of these folders share processes, which are faster than a new process for each. */
const sharing = /^test\/(?:bench|capabilities|commands|core|flow|ground|scripts|security|web)\//;
/** They take long, or measure or end their process. */
const alone =
  /^test\/(?:commands\/(?:doctor|many|serve|workers)|ground\/faults\/|security\/(?:canary|overload|timing))/;
const filesTogether = 10;

const groups = Object.values(
  Object.groupBy(files, (file) => (alone.test(file) ? file : (sharing.exec(file)?.[0] ?? file))),
).flatMap((some = []) =>
  Array.from({ length: Math.ceil(some.length / filesTogether) }, (_, index) =>
    some.slice(index * filesTogether, (index + 1) * filesTogether),
  ),
);

/** Writes a file that runs all of these, each as a suite with its name. */
async function join(group: readonly string[], index: number): Promise<string> {
  const folder = new URL('../node_modules/.cache/janua/groups/', import.meta.url);
  await mkdir(folder, { recursive: true });
  const suites = group.map(
    (file) => `describe(${JSON.stringify(file)}, () => import(${JSON.stringify(pathToFileURL(file))}));\n`,
  );
  const joined = new URL(`${index}.test.mjs`, folder);
  await writeFile(joined, `import { describe } from 'node:test';\n${suites.join('')}`);
  return fileURLToPath(joined);
}

/** For a first run, those that take longest. */
const longest =
  /^test\/(?:browser\/a|commands\/(?:doctor|workers)|flow\/|fuzz\/api|model\/|package\/|security\/canary)/;
const durations = await readDurations(durationsFile);
const secondsOf = (group: readonly string[]) =>
  group.reduce((sum, file) => sum + (durations[file] ?? (longest.test(file) ? 30 : 0)), 0);
const ordered = groups.toSorted((one, other) => secondsOf(other) - secondsOf(one));

const interruption = new AbortController();
const tests = run({
  files: values.list
    ? files
    : await Promise.all(ordered.map((group, index) => (group.length > 1 ? join(group, index) : (group[0] ?? '')))),
  concurrency: filesAtOnce,
  timeout: 120_000,
  signal: interruption.signal,
});
tests.on('test:summary', ({ file, success }) => {
  if (file === undefined && !success) process.exitCode = 1;
});
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => {
    interruption.abort();
    process.exitCode = 128 + constants.signals[signal];
  });
const reporter = values.list
  ? new Spec()
  : createProgressReporter(files, durationsFile, process.stdout, interruption.signal);
tests.compose(reporter).pipe(process.stdout);
