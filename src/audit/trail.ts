import { setImmediate } from 'node:timers/promises';
import type { AuditStore } from './store.ts';

/** What was recorded, for those who read it. */
export interface AuditTrail extends Pick<AuditStore, 'find' | 'findByRequestId'> {
  /** Removes what is older than it is to be kept, in small batches. */
  removeExpired(): Promise<void>;
}

export interface AuditTrailOptions {
  readonly store: AuditStore;
  readonly retentionDays: number;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

const day = 24 * 60 * 60 * 1000;

const removalBatch = 500;

export function createAuditTrail({ store, retentionDays, now = Date.now }: AuditTrailOptions): AuditTrail {
  return {
    find: (filter) => store.find(filter),
    findByRequestId: (requestId) => store.findByRequestId(requestId),
    async removeExpired() {
      const time = now() - retentionDays * day;
      // Requests go first: between two batches everything else has its turn.
      while ((await store.removeBefore(time, removalBatch)) === removalBatch) await setImmediate();
    },
  };
}
