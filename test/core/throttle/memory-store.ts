import { expiryOf, type Policy, type Tally } from '../../../src/core/throttle/backoff.ts';
import {
  countFound,
  type FailureRecord,
  type FailureStore,
  isInRange,
  type PolicedKey,
} from '../../../src/core/throttle/store.ts';

/** Failures in the memory of this process, for tests of what uses a store. It keeps the contract of the real ones. */
export function createMemoryFailureStore(): FailureStore {
  const records = new Map<string, FailureRecord & PolicedKey>();

  function put(key: string, policy: Policy, tally: Tally): void {
    records.set(key, { key, policy, ...tally, expiresAt: expiryOf(policy, tally) });
  }

  return {
    async count(keys, now) {
      const found = keys.flatMap(({ key }) => records.get(key) ?? []);
      const counting = countFound(keys, found, now);
      if (counting.counted) for (const { key, policy, after } of counting.keys) put(key, policy, after);
      return counting;
    },

    async revise(revisions) {
      for (const { key, policy, revise } of revisions) {
        const record = records.get(key);
        if (record === undefined) continue;
        const tally = revise(record);
        if (tally === undefined) records.delete(key);
        else put(key, policy, tally);
      }
    },

    forget: async (keys) => keys.filter((key) => records.delete(key)).length,

    find: async (ranges) => [...records.keys()].filter((key) => ranges.some((range) => isInRange(key, range))),

    listPage: async () => ({
      records: [...records.values()].map(({ policy: _, ...record }) => record),
      next: undefined,
    }),
  };
}
