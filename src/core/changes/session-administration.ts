import type { ListedSession } from '../sessions/sessions.ts';
import { stampOf } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Acting, UserReference } from './acting.ts';
import type { AdministrationOptions } from './administration.ts';

export interface EndingOptions {
  /** Whether personal access tokens end too. */
  readonly endsTokens?: boolean;
}

/** The sessions of users. */
export function createSessionAdministration(
  { users, sessions, changeAny, endAddressLinks, transact }: AdministrationOptions,
  { actor, idOf, judge, recordIn, recording }: Acting,
) {
  /** A user who is gone from the directory has no rights, and nothing else that counts. */
  async function endSessionsOfGone(userId: string): Promise<number> {
    recording('sessions-ended', { userId });
    const count = await sessions.endAllOf(userId);
    await endAddressLinks(userId);
    if (count > 0) await transact((db) => recordIn(db, 'sessions-ended', { userId, count }));
    return count;
  }

  return {
    /** The living sessions of a user, the latest first. */
    async listSessions(reference: UserReference): Promise<ListedSession[]> {
      const userId = await idOf(reference);
      const account = await users.findById(userId);
      return sessions.listOf(userId, account && stampOf(account));
    },

    async endSession(id: string): Promise<void> {
      const userId = await sessions.findOwner(id);
      const isEnded =
        userId !== undefined && (await sessions.endWith(id, recording('session-ended', { userId, sessionId: id })));
      if (!isEnded) throw new ChangeRefused('There is no session with that id.');
      await endAddressLinks(userId);
    },

    /**
     * Ends all sessions of a user, what applications keep without one, consents, trust in browsers, waiting logins and open links. Gives the
     * number of sessions.
     */
    async endSessions(reference: UserReference, { endsTokens = false }: EndingOptions = {}): Promise<number> {
      const userId = await idOf(reference);
      const account = await users.findById(userId);
      if (account === undefined) return endSessionsOfGone(userId);
      const count = (await sessions.listOf(userId, stampOf(account))).length;
      const reason = endsTokens ? 'with-tokens' : undefined;
      const event = { kind: 'sessions-ended', reason, count, sparesTokens: !endsTokens } as const;
      await changeAny(event, userId, actor, async (held) => judge(held.account));
      return count;
    },
  };
}
