import type { AuditEvent } from '../../core/audit/event.ts';
import type { Ending } from './logout-notices.ts';

/** Events that may have ended several sessions of their user. */
const endings: ReadonlySet<string> = new Set([
  'sessions-ended',
  'other-sessions-ended',
  'user-disabled',
  'account-deleted',
  'user-removed',
  'password-changed',
  'password-reset',
  'password-set',
  'factor-added',
  'factor-removed',
  'factors-removed',
  'identity-linked',
  'identity-unlinked',
]);

/** The sessions that an event may have ended. */
export function endingOf({ kind, sessionId, userId }: AuditEvent): Ending | undefined {
  if (kind === 'session-ended' || kind === 'logged-out') return { sessionId };
  return endings.has(kind) ? { userId } : undefined;
}
