import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { relative } from 'node:path';
import { spec as Spec, type TestEvent } from 'node:test/reporters';
import { noServersVariable } from '../test/servers/missing.ts';

/** How many test files run at once. More than there are cores, because many of them wait for a server, a browser or a clock. */
export const filesAtOnce = availableParallelism() + 2;

/** How many of the tests that were left out for one reason are named. */
const namedTitles = 12;

/** A reporter of `node --test`. It reads events and gives the text to print. */
type Reporter = (events: AsyncIterable<TestEvent>) => AsyncGenerator<string>;

/**
 * Prints a line for each of the files, or suites with the name of one, that has ended, with the progress of the run and an estimate of
 * the time left. The estimate comes from the durations of the last run, in `durationsFile`. The runner's own `spec` prints failures and
 * the summary.
 */
export const createProgressReporter = (
  files: readonly string[],
  durationsFile: URL,
  { isTTY = false, columns = 80 },
  interruption?: AbortSignal,
): Reporter =>
  async function* report(events) {
    const durations = await readDurations(durationsFile);
    const wipe = isTTY ? '\r\x1b[2K' : '';
    const spec = new Spec();
    const open = new Set(files);
    const leftOut = new Map<string, string[]>();
    const failed: string[] = [];
    const start = performance.now();

    for await (const event of events) {
      const file = event.type === 'test:complete' ? toPath(event.data.name) : '';
      if (event.type === 'test:complete' && !interruption?.aborted && open.delete(file)) {
        const { duration_ms: duration, passed } = event.data.details;
        durations[file] = duration / 1000;
        const time =
          formatTime((performance.now() - start) / 1000) + formatRest([...open].map((name) => durations[name]));
        const ended = `${passed ? '' : 'FAILED '}${file} (${(duration / 1000).toFixed(1)} s)`;
        const line = `[${files.length - open.size}/${files.length}]  ${time}  ${ended}`;
        yield isTTY ? `${wipe}${line.slice(0, columns - 1)}` : `${line}\n`;
      }
      const failedFile = event.type === 'test:fail' ? toPath(event.data.name) : '';
      if (files.includes(failedFile)) {
        // It did not end.
        if (interruption?.aborted) continue;
        failed.push(failedFile);
      }
      if (event.type === 'test:pass' && typeof event.data.skip === 'string')
        leftOut.getOrInsertComputed(event.data.skip, () => []).push(event.data.name);
      if (!isForSpec(event)) continue;
      spec.write(event);
      const text = spec.read();
      if (text !== null) yield `${wipe}${text}`;
    }
    spec.end();
    yield* spec;
    for (const [reason, titles] of leftOut) yield formatLeftOut(reason, titles);
    if (failed.length > 0) yield `To run these files again: npm test -- --no-install ${failed.join(' ')}\n`;
    await mkdir(new URL('.', durationsFile), { recursive: true });
    await writeFile(durationsFile, JSON.stringify(durations));
  };

/** The seconds that each file took in the last run. Without servers the same files take less time. */
export const durationsFile = new URL(
  `../node_modules/.cache/janua/durations${process.env[noServersVariable] ? '-quick' : ''}.json`,
  import.meta.url,
);

/** The path of a test file from the root of the project, as it is printed. */
export const toPath = (name: string) => relative('', name).replaceAll('\\', '/');

/** Tells whether an event is a failure, output of a test, or the summary of the whole run. */
function isForSpec({ type, data }: TestEvent): boolean {
  if (type === 'test:diagnostic') return data.file === undefined;
  return ['test:fail', 'test:stdout', 'test:stderr', 'test:summary', 'test:interrupted'].includes(type);
}

/** The titles of the first tests that were left out for a reason. */
function formatLeftOut(reason: string, titles: readonly string[]): string {
  const rest = titles.length > namedTitles ? [`and ${titles.length - namedTitles} more`] : [];
  const lines = [...titles.slice(0, namedTitles), ...rest].map((title) => `    ${title}\n`);
  return `Left out, ${reason}:\n${lines.join('')}`;
}

/** Empty if one of the remaining files has never run. */
function formatRest(left: readonly (number | undefined)[]): string {
  const known = left.filter((seconds) => seconds !== undefined);
  if (known.length < left.length) return '';
  const sum = known.reduce((total, seconds) => total + seconds, 0);
  return `, about ${formatTime(Math.max(sum / filesAtOnce, ...known))} left`;
}

/** Formats seconds as minutes and seconds. */
export const formatTime = (seconds: number) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** Reads the seconds that each test file took in its last run. */
export async function readDurations(file: URL): Promise<Record<string, number>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    // There is no file before the first run.
    return {};
  }
}
