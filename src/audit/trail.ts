import { setImmediate } from 'node:timers/promises';
import type { AuditStore } from './store.ts';

/** The recorded events, to read and to expire. */
export interface AuditTrail extends Pick<AuditStore, 'find' | 'findByRequestId'> {
  /** Removes events that are past their retention, in small batches. */
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
      // Between two batches, waiting requests have their turn.
      while ((await store.removeBefore(time, removalBatch)) === removalBatch) await setImmediate();
    },
  };
}
