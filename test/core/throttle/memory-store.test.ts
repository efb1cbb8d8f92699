import { createMemoryFailureStore } from './memory-store.ts';
import { recordsOf, testFailureStore } from './store-contract.ts';

testFailureStore('memory', async () => {
  const store = createMemoryFailureStore();
  return {
    store,
    async clean(time) {
      const records = await recordsOf(store);
      const expired = records.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < time);
      return store.forget(expired.map(({ key }) => key));
    },
    async [Symbol.asyncDispose]() {},
  };
});
