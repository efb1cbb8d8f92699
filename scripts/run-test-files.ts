import { constants } from 'node:os';
import { relative } from 'node:path';
import { run } from 'node:test';
import { spec as Spec } from 'node:test/reporters';
import { parseArgs } from 'node:util';
import { createProgressReporter, durationsFile, filesAtOnce, readDurations } from './progress-reporter.ts';

/**
 * Runs test files, each in a process of its own. The files that took longest in the last run begin, so that none is left alone at the end.
 * A signal ends the files that run, and their failures and those before are printed.
 * - `--list` lists every test in place of the progress.
 */
const { values, positionals: files } = parseArgs({ options: { list: { type: 'boolean' } }, allowPositionals: true });

const durations = await readDurations(durationsFile);
const secondsOf = (file: string) => durations[relative('', file).replaceAll('\\', '/')] ?? 0;

const interruption = new AbortController();
const tests = run({
  files: files.toSorted((one, other) => secondsOf(other) - secondsOf(one)),
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
tests.compose(values.list ? new Spec() : createProgressReporter(durationsFile, process.stdout)).pipe(process.stdout);
