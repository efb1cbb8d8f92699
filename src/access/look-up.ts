import type { SessionRecord, SessionStore } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';

/** A session's record and the account of its user, by the session's id. It judges nothing. */
export type LookUp = (sessionId: string) => Promise<FoundSession | undefined>;

export interface FoundSession {
  readonly session: SessionRecord;
  /** Undefined where the user is gone. */
  readonly account: Account | undefined;
}

/** In two steps: for sessions and users that are kept apart. */
export function lookUpTwice(sessions: Pick<SessionStore, 'find'>, users: Pick<UserDirectory, 'findById'>): LookUp {
  return async (sessionId) => {
    const session = await sessions.find(sessionId);
    return session && { session, account: await users.findById(session.userId) };
  };
}
