import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { resolve } from 'node:path';
import { spec as Spec, type TestEvent } from 'node:test/reporters';
import { noServersVariable } from '../test/servers/missing.ts';

/** How many test files run at once: one more than there are cores, since many of them wait for a server, a browser or a clock. */
export const filesAtOnce = availableParallelism() + 1;

/** A reporter of `node --test`: reads its events, and gives what to print. */
type Reporter = (events: AsyncIterable<TestEvent>) => AsyncGenerator<string>;

/**
 * Prints a line for each file that has ended: how far the run is, and how long the rest takes if it takes what it took last, by `durationsFile`.
 * Failures, and the summary at the end, are printed by the runner's own `spec`.
 */
export const createProgressReporter = (durationsFile: URL, { isTTY = false, columns = 80 }): Reporter =>
  async function* report(events) {
    const durations = await readDurations(durationsFile);
    const wipe = isTTY ? '\r\x1b[2K' : '';
    const spec = new Spec();
    const open = new Set<string>();
    const start = performance.now();
    let done = 0;

    for await (const event of events) {
      const file = fileOf(event);
      if (event.type === 'test:enqueue' && file !== undefined) open.add(file);
      if (event.type === 'test:complete' && file !== undefined) {
        open.delete(file);
        done += 1;
        const { duration_ms: duration, passed } = event.data.details;
        durations[file] = duration / 1000;
        const time =
          formatTime((performance.now() - start) / 1000) + formatRest([...open].map((name) => durations[name]));
        const ended = `${passed ? '' : 'FAILED '}${file} (${(duration / 1000).toFixed(1)} s)`;
        const line = `[${done}/${done + open.size}]  ${time}  ${ended}`;
        yield isTTY ? `${wipe}${line.slice(0, columns - 1)}` : `${line}\n`;
      }
      if (!isForSpec(event)) continue;
      spec.write(event);
      const text = spec.read();
      if (text !== null) yield `${wipe}${text}`;
    }
    spec.end();
    yield* spec;
    await mkdir(new URL('.', durationsFile), { recursive: true });
    await writeFile(durationsFile, JSON.stringify(durations));
  };

// biome-ignore lint/style/noDefaultExport: it is how the test runner takes a reporter.
export default createProgressReporter(
  // Without servers the same files take less.
  new URL(
    `../node_modules/.cache/janua/durations${process.env[noServersVariable] ? '-quick' : ''}.json`,
    import.meta.url,
  ),
  process.stdout,
);

/** The test file that an event is about as a whole, from the root of the project. */
function fileOf({ type, data }: TestEvent): string | undefined {
  if (type !== 'test:enqueue' && type !== 'test:complete') return undefined;
  return data.nesting === 0 && resolve(data.name) === data.file ? data.name.replaceAll('\\', '/') : undefined;
}

/** Failures, what tests print of their own, and the summary of the whole run. */
function isForSpec({ type, data }: TestEvent): boolean {
  if (type === 'test:diagnostic') return data.file === undefined;
  return ['test:fail', 'test:stdout', 'test:stderr', 'test:summary', 'test:interrupted'].includes(type);
}

/** Nothing where a file that is left has never run. */
function formatRest(left: readonly (number | undefined)[]): string {
  const known = left.filter((seconds) => seconds !== undefined);
  if (known.length < left.length) return '';
  const sum = known.reduce((total, seconds) => total + seconds, 0);
  return `, about ${formatTime(Math.max(sum / filesAtOnce, ...known))} left`;
}

/** Minutes and seconds. */
export const formatTime = (seconds: number) =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;

/** Seconds that each test file took when it ran last. */
async function readDurations(file: URL): Promise<Record<string, number>> {
  try {
    return JSON.parse(await readFile(file, 'utf8'));
  } catch {
    // The first run.
    return {};
  }
}
