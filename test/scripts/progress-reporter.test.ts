import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { pathToFileURL } from 'node:url';
import { createProgressReporter } from '../../scripts/progress-reporter.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';

const files = ['test/a.test.ts', 'test/b.test.ts', 'test/c.test.ts'];

const completed = (name: string, seconds: number, passed = true) => ({
  type: 'test:complete',
  data: { name, nesting: 0, file: resolve(name), details: { passed, duration_ms: seconds * 1000 } },
});
const failed = {
  type: 'test:fail',
  data: {
    name: 'a claim',
    nesting: 0,
    file: resolve('test/b.test.ts'),
    line: 3,
    column: 1,
    details: { duration_ms: 1, error: new Error('the reason') },
  },
};
const failedFile = {
  type: 'test:fail',
  data: { ...failed.data, name: 'test/b.test.ts', details: { duration_ms: 1, error: new Error('1 subtest failed') } },
};
const passed = { type: 'test:pass', data: { name: 'a good claim', nesting: 0, details: { duration_ms: 1 } } };
const leftOut = Array.from({ length: 14 }, (_, index) => ({
  type: 'test:pass',
  data: { name: `claim ${index}`, nesting: 0, skip: 'not installed: Redis', details: { duration_ms: 1 } },
}));
const summary = [
  { type: 'test:diagnostic', data: { nesting: 0, message: 'tests 3', level: 'info' } },
  { type: 'test:summary', data: { success: false, counts: {}, duration_ms: 1 } },
];

const run = [
  // A test whose name is not a file does not count as a file.
  completed('a claim', 3),
  completed('test/a.test.ts', 2),
  passed,
  completed('test/b.test.ts', 4, false),
  failed,
  failedFile,
  completed('test/c.test.ts', 70),
  ...leftOut,
  ...summary,
];

async function* asEvents(events: readonly unknown[]): AsyncGenerator<TestEvent> {
  yield* events as TestEvent[];
}

async function print(folder: string, stream = {}, interruption?: AbortSignal): Promise<string> {
  const file = pathToFileURL(`${folder}/cache/durations.json`);
  return (await Array.fromAsync(createProgressReporter(files, file, stream, interruption)(asEvents(run)))).join('');
}

test('each finished file has a line, and full failures follow the summary', async () => {
  const folder = createTemporaryFolder('progress');
  const printed = await print(folder.path);
  const [first, second, failure, failedFile, third, ...rest] = printed.split('\n');
  assert.equal(first, '[1/3]  0:00  test/a.test.ts (2.0 s)');
  assert.equal(second, '[2/3]  0:00  FAILED test/b.test.ts (4.0 s)');
  assert.match(failure ?? '', /a claim/);
  assert.match(failedFile ?? '', /test\/b\.test\.ts/);
  assert.equal(third, '[3/3]  0:00, about 0:00 left  test/c.test.ts (70.0 s)');
  assert.match(rest.join('\n'), /^[^\n]*tests 3[^\n]*\n.*failing tests:.*test\/b\.test\.ts:3:1.*the reason/s);
  assert.doesNotMatch(printed, /a good claim/);
  assert.match(printed, /\nLeft out, not installed: Redis:\n {4}claim 0\n(?: {4}claim \d+\n){11} {4}and 2 more\n/);
  assert.match(printed, /\nTo run these files again: npm test -- --no-install test\/b\.test\.ts\n$/);
  folder.remove();
});

test('an interrupted run names what failed, and not the files that did not end', async () => {
  const folder = createTemporaryFolder('progress');
  const printed = await print(folder.path, {}, AbortSignal.abort());
  assert.match(printed, /failing tests:.*the reason/s);
  assert.doesNotMatch(printed, /again|subtest failed|\[1/);
  folder.remove();
});

test('the remaining time is the last duration of the remaining files', async () => {
  const folder = createTemporaryFolder('progress');
  await print(folder.path);
  const file = `${folder.path}/cache/durations.json`;
  assert.deepEqual(JSON.parse(await readFile(file, 'utf8')), {
    'test/a.test.ts': 2,
    'test/b.test.ts': 4,
    'test/c.test.ts': 70,
  });
  const lines = (await print(folder.path)).split('\n');
  assert.equal(lines[0], '[1/3]  0:00, about 1:10 left  test/a.test.ts (2.0 s)');
  await writeFile(file, 'broken');
  assert.match(await print(folder.path), /^\[1\/3\] {2}0:00 {2}test\/a/);
  folder.remove();
});

test('a terminal shows one changing line that fits its width', async () => {
  const folder = createTemporaryFolder('progress');
  const printed = await print(folder.path, { isTTY: true, columns: 20 });
  assert.ok(
    printed.startsWith('\r\x1b[2K[1/3]  0:00  test/a\r\x1b[2K[2/3]  0:00  FAILED\r\x1b[2K'),
    JSON.stringify(printed),
  );
  folder.remove();
});
