import type { RecordedEvent } from './event.ts';

/** A row that is no event as this version knows them: of a newer version, or changed by somebody. */
export interface UnreadableEvent {
  readonly id: string;
  /** UTC, ISO 8601; empty where not even that can be read. */
  readonly at: string;
  readonly unreadable: true;
}

/** Which events are looked for; what is left out does not matter. */
export interface AuditFilter {
  readonly order: 'newest-first' | 'oldest-first';
  /** The first and the first that is too late, in milliseconds since 1970. */
  readonly since?: number | undefined;
  readonly until?: number | undefined;
  readonly kind?: string | undefined;
  /** Events of this user, or of this name: where both are given, one of them is enough. */
  readonly userId?: string | undefined;
  readonly nameDigest?: string | undefined;
  /** As it is recorded. */
  readonly address?: string | undefined;
  readonly limit?: number | undefined;
}

/** Where events are kept. Every method throws `Unavailable` when the store cannot be reached. */
export interface AuditStore {
  /** Adds events, all or none. */
  insert(events: readonly RecordedEvent[]): Promise<void>;
  /** Reads piece by piece, so that any number can be gone through. */
  find(filter: AuditFilter): AsyncIterable<RecordedEvent | UnreadableEvent>;
  /** What was decided for a request, in order of time. */
  findByRequestId(requestId: string): Promise<(RecordedEvent | UnreadableEvent)[]>;
  /** Removes at most `limit` events from before a time in milliseconds since 1970, the oldest first, and returns how many there were. */
  removeBefore(time: number, limit: number): Promise<number>;
}
