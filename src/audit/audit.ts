import type { AuditEvent } from './event.ts';

/** Keeps what was decided. */
export interface Audit {
  /**
   * Resolves when the event is kept: what was acknowledged after it survives a crash.
   * @throws {Unavailable} when it cannot be kept
   */
  record(event: AuditEvent): Promise<void>;
  /** A digest that tells whether two names are the same and gives neither away. */
  digestName(canonicalName: string): string;
}
