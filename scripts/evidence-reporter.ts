import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/** The outcome of the tests with one title, in one file, for one id above them. */
export interface Evidence {
  /** Such as `S45` in `security/checks.tsv`, `V6.3.1` in `asvs.tsv` or `VM-28` in `incidents.tsv`. It may also be a mistyped id. */
  readonly id: string;
  /** The path of the test file from the root of the project. */
  readonly file: string;
  /** The title of the test or suite below the id. */
  readonly title: string;
  /** `skipped` if none of the tests ran. */
  readonly outcome: 'passed' | 'skipped' | 'failed';
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** `// Shows: S45 V6.3.1 VM-28`. */
const mark = /^\s*\/\/ Shows: (.+)$/;

const sources = new Map<string, readonly string[]>();

/** Gives the ids in the comment above a test or a suite, or above its title in a table. */
function idsAbove(file: string, line: number, title: string): readonly string[] {
  const lines = sources.get(file) ?? readFileSync(file, 'utf8').split('\n');
  sources.set(file, lines);
  const row = lines.findIndex((text) => text.includes(`'${title}'`));
  return [lines[line - 2], lines[row - 1]].flatMap((text) => mark.exec(text ?? '')?.[1]?.split(' ') ?? []);
}

/**
 * A reporter of `node --test`. It writes the ids above tests and suites, and the outcomes of those tests, as JSON.
 * It writes nothing before the end, so an aborted run leaves an empty file.
 */
// biome-ignore lint/style/noDefaultExport: the test runner loads a reporter from the default export.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const found = new Map<string, Evidence>();
  /** The suites around the current test. The runner reports one file after the other. */
  const titles: { title: string; file: string; ids: readonly string[] }[] = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      const { name, file = '', line = 0 } = data;
      titles.length = data.nesting;
      titles[data.nesting] = {
        title: name.trim(),
        file: relative(root, file).replaceAll('\\', '/'),
        ids: [...new Set(file === '' ? [] : idsAbove(file, line, name))],
      };
    }
    if (type !== 'test:pass' && type !== 'test:fail') continue;
    const skipped = data.skip !== undefined && data.skip !== false;
    // The tests of a suite report its ids. A skipped suite has no tests to do so.
    if (type === 'test:pass' && data.details.type === 'suite' && !skipped) continue;
    const outcome = type === 'test:fail' ? 'failed' : skipped ? 'skipped' : 'passed';
    for (const { title, file, ids } of titles.slice(0, data.nesting + 1)) {
      for (const id of ids) {
        const key = JSON.stringify([id, file, title]);
        found.set(key, { id, file, title, outcome: worse(found.get(key)?.outcome, outcome) });
      }
    }
  }
  yield JSON.stringify([...found.values()]);
}

function worse(before: Evidence['outcome'] | undefined, now: Evidence['outcome']): Evidence['outcome'] {
  if (before === undefined || before === 'skipped') return now;
  return before === 'failed' || now === 'failed' ? 'failed' : 'passed';
}
