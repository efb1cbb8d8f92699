import type { SessionRecord, SessionStore } from '../sessions/store.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';

/** Finds a session's record and its user's account by the session id. The caller checks whether they are valid. */
export type LookUp = (sessionId: string) => Promise<FoundSession | undefined>;

export interface FoundSession {
  readonly session: SessionRecord;
  /** Undefined if the user no longer exists. */
  readonly account: Account | undefined;
}

/** Two look-ups, for sessions and users in different stores. */
export function lookUpTwice(sessions: Pick<SessionStore, 'find'>, users: Pick<UserDirectory, 'findById'>): LookUp {
  return async (sessionId) => {
    const session = await sessions.find(sessionId);
    return session && { session, account: await users.findById(session.userId) };
  };
}
