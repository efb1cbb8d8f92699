import type { Log } from './log.ts';
import type { Unavailable } from './unavailable.ts';

/** The kind of an access. Successful reads do not prove that writes work: a full disk can still be read. */
export type AccessKind = 'read' | 'write';

/** Follows whether a store (the database or Redis) is available. Logs each change, not each request. */
export interface StoreWatch {
  failed(kind: AccessKind, error: Unavailable): void;
  succeeded(kind: AccessKind): void;
}

/** A watch that does nothing, for commands: they report faults themselves. */
export const unwatched: StoreWatch = { failed() {}, succeeded() {} };

export function createStoreWatch(part: string, log: Pick<Log, 'error' | 'info'>): StoreWatch {
  const failing = new Set<AccessKind>();
  let since = 0;

  return {
    failed(kind, { cause }) {
      if (failing.size === 0) {
        since = Date.now();
        const reason = cause instanceof Error ? cause.message : undefined;
        log.error({ event: 'store_unavailable', part, reason }, `${part} is unavailable`);
      }
      failing.add(kind);
    },

    succeeded(kind) {
      if (failing.size === 0) return;
      failing.delete(kind);
      if (kind === 'write') failing.delete('read');
      if (failing.size > 0) return;
      const seconds = Math.round((Date.now() - since) / 1000);
      log.info({ event: 'store_available', part, seconds }, `${part} is available again`);
    },
  };
}
