import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { AuthenticationMethod, Session, Sessions, StartedSession } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { Access, Presented } from './access.ts';
import type { events } from './events.ts';

/** That someone is the owner of an account. */
export interface Proof {
  readonly account: Account;
  /** How it was shown. */
  readonly methods: readonly AuthenticationMethod[];
  /** Whether it still holds of the account as it is now, although that has changed: a parallel login may have stored its hash anew. */
  stillHolds(current: Account): Promise<boolean>;
}

export interface Admission {
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
  readonly caller: Caller;
  /** What the event of the login says beside. */
  readonly event: Pick<AuditEvent, 'throttle' | 'knownBrowser'>;
}

interface Started {
  /** As it is now. */
  readonly account: Account;
  readonly session: StartedSession;
}

export interface Admitted extends Started {
  /** Whether the browser or program was signed in before. */
  readonly wasSignedIn: boolean;
}

/**
 * The one way in: starts a session, ends those that it replaces, and records it, or none of it (ASVS 2.3.3, 7.2.4).
 * Undefined when the account was disabled, removed or changed meanwhile, so that the proof no longer holds.
 */
export type Admit = (proof: Proof, admission: Admission) => Promise<Admitted | undefined>;

export interface AdmitOptions {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly audit: Audit<keyof typeof events | keyof typeof sessionEvents>;
}

export function createAdmit({ access, sessions, users, audit }: AdmitOptions): Admit {
  /** The account is judged again once the session is written: a change before that found no session to end. */
  async function start(proof: Proof, caller: Caller, replaced: readonly Session[]): Promise<Started | undefined> {
    const { account, methods } = proof;
    const owner = { userId: account.user.id, stamp: stampOf(account) };
    const { userAgent, address } = caller;
    const session = await sessions.start(owner, { methods, replaced, userAgent, address });
    const current = await users.findById(account.user.id).catch(async (error: unknown) => {
      await sessions.end([session]);
      throw error;
    });
    const isEnabled = current !== undefined && !current.disabled;
    if (isEnabled && stampOf(current) === session.stamp) return { account: current, session };
    await sessions.end([session]);
    // The session must carry the stamp that there is now.
    return isEnabled && (await proof.stillHolds(current))
      ? start({ ...proof, account: current }, caller, [])
      : undefined;
  }

  return async (proof, { presented, caller, event }) => {
    const wasSignedIn = (await access.findSignedIn(presented)) !== undefined;
    const replaced = await access.findPresentedSessions(presented);
    const started = await start(proof, caller, replaced);
    if (started === undefined) return undefined;
    const { session } = started;
    const { id: sessionId, userId } = session;
    await audit
      .record({ kind: 'login-succeeded', caller, userId, sessionId, ...event })
      .catch(async (error: unknown) => {
        // No login without its record.
        await sessions.end([session]);
        throw error;
      });
    const ended = [
      ...replaced.map((other) => ({ ...other, reason: 'replaced' })),
      ...session.displaced.map((id) => ({ id, userId, reason: 'too-many' })),
    ];
    for (const { id, userId: whose, reason } of ended)
      await audit.record({ kind: 'session-ended', reason, caller, userId: whose, sessionId: id }).catch(() => {});
    return { ...started, wasSignedIn };
  };
}
