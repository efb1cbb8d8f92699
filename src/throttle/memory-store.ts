import { expiryOf, type Policy, type Tally } from './policy.ts';
import { countFound, type FailureRecord, type FailureStore } from './store.ts';

/** Most keys that are kept. */
const mostKeys = 100_000;

interface MemoryRecord extends FailureRecord {
  readonly policy: Policy;
}

/**
 * Failures in this process, forgotten when it ends. When there are too many keys, the one that failed longest ago goes first;
 * one that is stopped stays, or whoever is stopped could push themselves out with a hundred thousand names.
 */
export function createMemoryFailureStore(limit = mostKeys): FailureStore {
  /** The latest last. */
  const records = new Map<string, MemoryRecord>();

  function put(key: string, policy: Policy, tally: Tally): void {
    records.delete(key);
    records.set(key, { key, policy, ...tally, expiresAt: expiryOf(policy, tally) });
    if (records.size <= limit) return;
    const oldest = records.values().find(({ policy, count }) => count < (policy.stopsAt ?? Number.POSITIVE_INFINITY));
    if (oldest !== undefined) records.delete(oldest.key);
  }

  return {
    async count(keys, now) {
      const counting = countFound(
        keys,
        keys.flatMap(({ key }) => records.get(key) ?? []),
        now,
      );
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
      const expired = [
        ...records
          .values()
          .filter((record) => isOver(record, time))
          .take(limit),
      ];
      for (const { key } of expired) records.delete(key);
      return expired.length;
    },
  };
}

const isOver = ({ expiresAt }: FailureRecord, time: number) => expiresAt !== undefined && expiresAt < time;
