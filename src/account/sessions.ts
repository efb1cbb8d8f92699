import type { SignedIn } from '../access/access.ts';
import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { events as sessionEvents } from '../sessions/events.ts';
import type { ListedSession, Sessions } from '../sessions/sessions.ts';
import { noSuchSession } from './refusals.ts';

export interface OwnSessionsOptions {
  readonly sessions: Sessions;
  readonly audit: Audit<keyof typeof sessionEvents>;
}

/** A session of the signed-in user. */
export interface OwnSession extends ListedSession {
  /** Whether it is the one that asks. */
  readonly current: boolean;
}

export type OwnSessions = ReturnType<typeof createOwnSessions>;

/** Shows users where they are signed in, and ends their own sessions only (ASVS 7.5.2). */
export function createOwnSessions({ sessions, audit }: OwnSessionsOptions) {
  /** The session that asks comes first, then the latest. */
  async function list({ user, session }: SignedIn): Promise<OwnSession[]> {
    const own = (await sessions.listOf(user.id)).map((one) => ({ ...one, current: one.id === session.id }));
    return own.sort((one, other) => Number(other.current) - Number(one.current));
  }

  return {
    list,

    /** @throws {Refusal} `no-such-session` if the session belongs to another user, has ended, or never existed */
    async end(signedIn: SignedIn, id: string, caller: Caller): Promise<void> {
      const userId = signedIn.user.id;
      const own = (await list(signedIn)).find((session) => session.id === id);
      if (own === undefined || !(await sessions.end([own]))) {
        await audit.recordIfPossible({ kind: 'session-end-refused', caller, userId });
        throw new Refusal(noSuchSession);
      }
      await audit.recordIfPossible({ kind: 'session-ended', reason: 'by-its-user', caller, userId, sessionId: id });
    },

    async endOthers({ user, session }: SignedIn, caller: Caller): Promise<void> {
      const count = await sessions.endOthersOf(user.id, session.id);
      await audit.recordIfPossible({ kind: 'other-sessions-ended', caller, userId: user.id, count });
    },
  };
}
