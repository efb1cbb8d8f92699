import { readFileSync } from 'node:fs';
import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/** What tests of one title, in one file, say of an id that stands above them. */
export interface Evidence {
  /** `S45` of `security/checks.tsv`, `V6.3.1` of `asvs.tsv`, `VM-28` of `incidents.tsv`; or whatever else stood there. */
  readonly id: string;
  /** Where the test is written, from the root of the project. */
  readonly file: string;
  /** Of the test or the suite that the id stands above. */
  readonly title: string;
  /** `skipped` where not one was run. */
  readonly outcome: 'passed' | 'skipped' | 'failed';
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** `// Shows: S45 V6.3.1 VM-28`. */
const mark = /^\s*\/\/ Shows: (.+)$/;

const sources = new Map<string, readonly string[]>();

/** The ids in the comment above a test, a suite, or the title of one in a table. */
function idsAbove(file: string, line: number, title: string): readonly string[] {
  const lines = sources.get(file) ?? readFileSync(file, 'utf8').split('\n');
  sources.set(file, lines);
  const row = lines.findIndex((text) => text.includes(`'${title}'`));
  return [lines[line - 2], lines[row - 1]].flatMap((text) => mark.exec(text ?? '')?.[1]?.split(' ') ?? []);
}

/**
 * A reporter of `node --test`: which ids stood above tests and suites, and how those tests ended, as JSON.
 * Nothing is written before the end, so that a run that was broken off leaves an empty file.
 */
// biome-ignore lint/style/noDefaultExport: it is how the test runner takes a reporter.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const found = new Map<string, Evidence>();
  /** The titles around the test that is reported; files are reported one after the other. */
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
    // What a suite shows is shown by its tests, unless it was left out with all of them.
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
