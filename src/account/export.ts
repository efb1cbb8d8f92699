import type { SignedIn } from '../access/access.ts';
import { type Answer, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller, RecordedEvent } from '../audit/event.ts';
import type { AuditStore, UnreadableEvent } from '../audit/sql-store.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { Policy } from '../throttle/policy.ts';
import type { Throttle } from '../throttle/throttle.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import type { events } from './events.ts';

/** An export reads the whole audit. */
const limit: Policy = {
  free: 3,
  firstWaitSeconds: 60,
  longestWaitSeconds: 3600,
  forgiveSeconds: 600,
  keepSeconds: 3600,
};

export const tooManyExports: Answer = {
  name: 'too-many-exports',
  status: 429,
  detail: 'Too many exports. Please wait before trying again.',
};

export interface ExportOptions {
  readonly registry: UserRegistry | undefined;
  readonly sessions: Sessions;
  readonly auditTrail: Pick<AuditStore, 'find'>;
  readonly audit: Audit<keyof typeof events>;
  readonly throttle: Pick<Throttle, 'take'>;
}

export type ExportAccount = ReturnType<typeof createExportAccount>;

/** Gives a user everything that Janua stores about them, without secrets (GDPR 15 and 20). Throws {Refusal} `too-many-exports`. */
export function createExportAccount({ registry, sessions, auditTrail, audit, throttle }: ExportOptions) {
  return async ({ user }: SignedIn, caller: Caller) => {
    if (!(await throttle.take([{ key: `export:${user.id}`, policy: limit }]))) throw new Refusal(tooManyExports, 60);
    await audit.recordIfPossible({ kind: 'account-exported', caller, userId: user.id });
    const { createdAt, passwordChangedAt } = (await registry?.findDates(user.id)) ?? {};
    return {
      account: {
        id: user.id,
        username: user.username,
        first_name: user.firstName,
        last_name: user.lastName,
        language: user.language ?? null,
        created_at: createdAt?.toISOString() ?? null,
        password_changed_at: passwordChangedAt?.toISOString() ?? null,
      },
      sessions: (await sessions.listOf(user.id)).map((session) => ({
        id: session.id,
        started_at: session.startedAt.toISOString(),
        last_seen_at: session.lastSeenAt.toISOString(),
        expires_at: session.expiresAt.toISOString(),
        remembered: session.remembered,
        user_agent: session.userAgent ?? null,
        address: session.address ?? null,
      })),
      events: await Array.fromAsync(auditTrail.find({ order: 'oldest-first', userId: user.id }), shownEvent),
    };
  };
}

/** Without what tells about the server and its operators. */
function shownEvent(event: RecordedEvent | UnreadableEvent) {
  const { id, at } = event;
  if ('unreadable' in event) return { id, at };
  const { kind, caller, sessionId } = event;
  const { address = null, userAgent = null } = caller;
  return { id, at, kind, session_id: sessionId ?? null, address, user_agent: userAgent };
}
