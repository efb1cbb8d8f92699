import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createOutsideThread } from '../../../../src/capabilities/oidc/clients/outside-thread.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';

const file = new URL('ending-thread.ts', import.meta.url);
const { signal } = new AbortController();
const callOf = (url: string) => ({
  ...{ url, method: 'GET', headers: {}, body: new Uint8Array() },
  ...{ address: '127.0.0.1', milliseconds: 1000, mostBytes: 1 },
});

test('a thread has a bounded memory', async () => {
  const response = await createOutsideThread(file).exchange(callOf('limits'), signal);
  const { maxOldGenerationSizeMb, maxYoungGenerationSizeMb } = (await response.json()) as Record<string, number>;
  assert.deepEqual([maxOldGenerationSizeMb, maxYoungGenerationSizeMb], [64, 8]);
});

test('a thread that ends takes its exchanges with it, and another takes its place', async () => {
  const thread = createOutsideThread(file);
  const beside = ['end', 'limits'].map((url) => thread.exchange(callOf(url), signal));
  const [ended] = await Promise.allSettled(beside);
  assert.ok(ended?.status === 'rejected' && ended.reason instanceof Unavailable);
  for (let count = 0; count < 3; count += 1)
    assert.equal((await thread.exchange(callOf('limits'), signal)).status, 200);
});

test('a thread that cannot start fails each exchange, and the next one tries again', async () => {
  const thread = createOutsideThread(new URL('no-such-file.ts', import.meta.url));
  for (let count = 0; count < 2; count += 1)
    await assert.rejects(thread.exchange(callOf('limits'), signal), Unavailable);
});

test('a thread that cannot be created fails one exchange alone', async () => {
  const address = new URL('https://example.com/');
  const thread = createOutsideThread(address);
  await assert.rejects(thread.exchange(callOf('limits'), signal), Unavailable);
  address.href = file.href;
  assert.equal((await thread.exchange(callOf('limits'), signal)).status, 200);
});
