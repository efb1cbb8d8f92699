import { expiryOf, isStopped, type Policy, type Tally } from './policy.ts';
import { countFound, type FailureRecord, type FailureStore, type PolicedKey } from './store.ts';

/**
 * Failures in the memory of this process. When there are too many keys, the one that failed longest ago is forgotten. A stopped key
 * stays: otherwise a hundred thousand invented names would lift a stop.
 * @param limit most keys
 */
export function createMemoryFailureStore(limit = 100_000): FailureStore {
  /** In the order of their last failures. */
  const records = new Map<string, FailureRecord & PolicedKey>();

  function put(key: string, policy: Policy, tally: Tally): void {
    records.delete(key);
    records.set(key, { key, policy, ...tally, expiresAt: expiryOf(policy, tally) });
    if (records.size <= limit) return;
    const oldest = records.values().find(({ policy, count }) => !isStopped(policy, count));
    if (oldest !== undefined) records.delete(oldest.key);
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

    async *list() {
      for (const { policy: _, ...record } of [...records.values()]) yield record;
    },

    async removeExpired(time, limit) {
      const isExpired = ({ expiresAt }: FailureRecord) => expiresAt !== undefined && expiresAt < time;
      const expired = [...records.values()].filter(isExpired).slice(0, limit);
      for (const { key } of expired) records.delete(key);
      return expired.length;
    },
  };
}
