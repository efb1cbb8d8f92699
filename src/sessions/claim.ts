import type { SessionRecord } from './store.ts';

/** That something which was presented belongs to a session. */
export interface Claim {
  /** Undefined where it cannot be of any. */
  readonly sessionId: string | undefined;
  /** Whether the session bears it out. */
  isProvenBy(session: SessionRecord): boolean;
}
