import { createMemoryFailureStore } from './memory-store.ts';
import { testFailureStore } from './store-contract.ts';

testFailureStore('memory', async () => ({
  store: createMemoryFailureStore(),
  async [Symbol.asyncDispose]() {},
}));
