import type { RecordedEvent } from './event.ts';

/** A row that this version cannot read as an event. It is from a newer version, or was edited by hand. */
export interface UnreadableEvent {
  readonly id: string;
  /** UTC, ISO 8601; empty if it cannot be read either. */
  readonly at: string;
  readonly unreadable: true;
}

/** Which events to find. A field that is left out matches every event. */
export interface AuditFilter {
  readonly order: 'newest-first' | 'oldest-first';
  /** From `since` to before `until`, in milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: string | undefined;
  /** Events of this user or of this name. If both are given, one match is enough. */
  readonly userId?: string | undefined;
  readonly nameDigest?: string | undefined;
  /** As recorded. */
  readonly address?: string | undefined;
  readonly limit?: number | undefined;
}

/** Where events are kept. Every method throws `Unavailable` when the store cannot be reached. */
export interface AuditStore {
  /** Adds events, all or none. */
  insert(events: readonly RecordedEvent[]): Promise<void>;
  /** Reads in batches, so any number of events fits. */
  find(filter: AuditFilter): AsyncIterable<RecordedEvent | UnreadableEvent>;
  /** The events of a request, in order of time. */
  findByRequestId(requestId: string): Promise<(RecordedEvent | UnreadableEvent)[]>;
  /** Removes at most `limit` events from before `time` (milliseconds since 1970), oldest first. Returns how many it removed. */
  removeBefore(time: number, limit: number): Promise<number>;
}
