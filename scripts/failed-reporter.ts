import type { TestEvent } from 'node:test/reporters';

/** A reporter of `node --test`. It writes the titles of the tests that failed, the innermost ones, and how many passed, as JSON. */
// biome-ignore lint/style/noDefaultExport: the test runner loads a reporter from the default export.
export default async function* report(source: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const failed: string[] = [];
  let passed = 0;
  for await (const { type, data } of source) {
    const isSkipped = type === 'test:pass' && data.skip !== undefined && data.skip !== false;
    if (type === 'test:pass' && data.details.type !== 'suite' && !isSkipped) passed += 1;
    if (type === 'test:fail' && !/subtests? failed/.test(data.details.error.message)) failed.push(data.name.trim());
  }
  yield JSON.stringify({ failed, passed });
}
