import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemoryFailureStore } from '../../src/throttle/memory-store.ts';
import { policies } from './policies.ts';
import { testFailureStore } from './store-contract.ts';

testFailureStore('memory', async () => ({
  store: createMemoryFailureStore(),
  async [Symbol.asyncDispose]() {},
}));

test('a full memory store forgets the key with the oldest failure first, but never a stopped key', async () => {
  const store = createMemoryFailureStore(3);
  const fail = (name: string, stopsAt: number) =>
    store.count([{ key: `name:${name}`, policy: { ...policies.unknownName, stopsAt } }], 0);
  await fail('stopped', 1);
  for (const name of ['first', 'second', 'first', 'third']) await fail(name, 100);
  const keys = (await Array.fromAsync(store.list())).map(({ key }) => key);
  assert.deepEqual(keys, ['name:stopped', 'name:first', 'name:third']);
});
