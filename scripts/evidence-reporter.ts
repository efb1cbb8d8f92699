import { relative } from 'node:path';
import type { TestEvent } from 'node:test/reporters';
import { fileURLToPath } from 'node:url';

/** What tests of one title, in one file, say of an id that the title carries. */
export interface Evidence {
  /** `S45` of `security/checks.tsv`, `V6.3.1` of `asvs.tsv`, `VM-28` of `incidents.tsv`; or whatever else stood there. */
  readonly id: string;
  /** Where the test is written, from the root of the project. */
  readonly file: string;
  /** Of the test or the suite that carries the id, without the ids. */
  readonly title: string;
  /** `skipped` where not one was run. */
  readonly outcome: 'passed' | 'skipped' | 'failed';
}

const root = fileURLToPath(new URL('..', import.meta.url));

/** `… [S45 V6.3.1 VM-28]`. Anything that begins like an id is taken for one, so that a slip is found. */
const ending = /^(.*\S)\s*\[((?:S|V|VM-)\d[^\]]*)\]$/s;

/**
 * A reporter of `node --test`: which ids the titles of tests and suites carried, and how those tests ended, as JSON.
 * Nothing is written before the end, so that a run that was broken off leaves an empty file.
 */
// biome-ignore lint/style/noDefaultExport: it is how the test runner takes a reporter.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const found = new Map<string, Evidence>();
  /** The titles around the test that is reported; files are reported one after the other. */
  const titles: { title: string; file: string; ids: readonly string[] }[] = [];
  for await (const { type, data } of source) {
    if (type === 'test:start') {
      const [, title, ids] = ending.exec(data.name) ?? [];
      titles.length = data.nesting;
      titles[data.nesting] = {
        title: title ?? data.name,
        file: relative(root, data.file ?? '').replaceAll('\\', '/'),
        ids: ids?.split(' ') ?? [],
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
