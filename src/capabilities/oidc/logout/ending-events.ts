import type { AuditEvent } from '../../../core/audit/event.ts';
import { type ChangeRule, changeRules } from '../../../core/changes/change-rules.ts';
import type { Ending } from './logout-notices.ts';

const changes: Readonly<Record<string, ChangeRule>> = changeRules;

/** Tells whether an event of this kind may have ended several sessions of its user. */
const endsSessions = (kind: string) => changes[kind]?.endsSessions === true;

/** Finds the sessions that an event may have ended. Undefined if it ends none. */
export function endingOf({ kind, sessionId, userId }: AuditEvent): Ending | undefined {
  if (kind === 'session-ended' || kind === 'logged-out') return { sessionId };
  return endsSessions(kind) ? { userId } : undefined;
}
