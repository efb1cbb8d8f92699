import type { SessionRecord } from './store.ts';

/** A claim that a presented credential belongs to a session. */
export interface Claim {
  /** Undefined if the credential cannot belong to any session. */
  readonly sessionId: string | undefined;
  /** Whether the secrets of the session confirm the claim. */
  isProvenBy(session: SessionRecord): boolean;
}
