import { createMemoryFailureStore } from './memory-store.ts';
import { testFailureStore } from './store-contract.ts';

testFailureStore('memory', async () => {
  const store = createMemoryFailureStore();
  return {
    store,
    async clean(time) {
      const records = await Array.fromAsync(store.list());
      const expired = records.filter(({ expiresAt }) => expiresAt !== undefined && expiresAt < time);
      return store.forget(expired.map(({ key }) => key));
    },
    async [Symbol.asyncDispose]() {},
  };
});
