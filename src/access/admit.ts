import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { SessionStart, Sessions, StartedSession } from '../sessions/sessions.ts';
import type { AuthenticationMethod } from '../sessions/store.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { Access, Presented } from './access.ts';
import type { events } from './events.ts';

/** Proof that the caller owns an account. */
export interface Proof {
  readonly account: Account;
  /** How the owner proved it. */
  readonly methods: readonly AuthenticationMethod[];
  /** Whether the proof still holds for the account after a change. A parallel login may have rehashed the password. */
  stillHolds(current: Account): Promise<boolean>;
}

export interface Admission {
  /** A login ends every session that was presented with it. */
  readonly presented: Presented;
  readonly caller: Caller;
  /** Whether the user chose to stay signed in. */
  readonly remembered?: boolean;
  /** Further fields of the login event. */
  readonly event: Pick<AuditEvent, 'throttle' | 'knownBrowser'>;
}

export interface Admitted {
  /** As read after the session was stored. */
  readonly account: Account;
  readonly session: StartedSession;
  /** Whether the browser or program was signed in before. */
  readonly wasSignedIn: boolean;
}

type Started = Omit<Admitted, 'wasSignedIn'>;

/**
 * Every login goes through here. It starts a session, ends those that it replaces, and records the login: all or nothing
 * (ASVS 2.3.3, 7.2.4). Undefined if the account was disabled, removed or changed meanwhile and the proof no longer holds.
 * @throws {Unavailable} when a store cannot be reached, or the login cannot be recorded
 */
export type Admit = (proof: Proof, admission: Admission) => Promise<Admitted | undefined>;

/** Creates `admit`, the only function that calls `sessions.start`. With `users` it reads the account again after that. */
export function createAdmit(
  access: Access,
  sessions: Sessions,
  users: Pick<UserDirectory, 'findById'>,
  audit: Audit<keyof typeof events | keyof typeof sessionEvents>,
): Admit {
  /** Reads the account again after the session is stored. A change made before that found no session to end. */
  async function start(proof: Proof, how: Omit<SessionStart, 'methods'>): Promise<Started | undefined> {
    const { account, methods } = proof;
    const owner = { userId: account.user.id, stamp: stampOf(account) };
    const session = await sessions.start(owner, { ...how, methods });
    const current = await users.findById(account.user.id).catch(async (error: unknown) => {
      await sessions.end([session]);
      throw error;
    });
    const isEnabled = current !== undefined && !current.disabled;
    if (isEnabled && stampOf(current) === session.stamp) return { account: current, session };
    await sessions.end([session]);
    // The session must carry the current stamp.
    return isEnabled && (await proof.stillHolds(current))
      ? start({ ...proof, account: current }, { ...how, replaced: [] })
      : undefined;
  }

  return async (proof, { presented, caller, remembered = false, event }) => {
    const signedIn = await access.findSignedIn(presented);
    // Usually one credential is presented, and its session is found already. If both are, the other one may belong to another session.
    const bothPresented = presented.cookie !== undefined && presented.accessToken !== undefined;
    const replaced = signedIn && !bothPresented ? [signedIn.session] : await access.findPresentedSessions(presented);
    const { userAgent, address } = caller;
    const started = await start(proof, { replaced, userAgent, address, remembered });
    if (started === undefined) return undefined;
    const { session } = started;
    const { id: sessionId, userId } = session;
    await audit
      .record({ kind: 'login-succeeded', caller, userId, sessionId, ...event })
      .catch(async (error: unknown) => {
        // A login that cannot be recorded fails.
        await sessions.end([session]);
        throw error;
      });
    const ended = [
      ...replaced.map((former) => ({ reason: 'replaced', userId: former.userId, sessionId: former.id })),
      ...session.displaced.map((id) => ({ reason: 'too-many', userId, sessionId: id })),
    ];
    for (const details of ended) await audit.recordIfPossible({ kind: 'session-ended', caller, ...details });
    return { ...started, wasSignedIn: signedIn !== undefined };
  };
}
