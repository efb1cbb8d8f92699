import { stampedTables, unstampedTables } from '../../ground/database/tables.ts';
import type { ListedSession } from '../sessions/sessions.ts';
import { createStamp, stampOf } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Acting, UserReference } from './acting.ts';
import type { AdministrationOptions } from './administration.ts';

export interface EndingOptions {
  /** Whether personal access tokens end too. */
  readonly endsTokens?: boolean;
}

/** Lists and ends the sessions of users. */
export function createSessionAdministration(
  { users, sessions, changeAny, endAddressLinks, transact }: AdministrationOptions,
  { actor, idOf, judge, recordIn, recording }: Acting,
) {
  /**
   * Ends the sessions of a user who is gone. No check of the actor's rights is needed, because such a user has none. The user may come back
   * to a team's own table, and former sessions and tokens must not become valid again.
   */
  async function endSessionsOfGone(userId: string, endsTokens: boolean): Promise<number> {
    recording('sessions-ended', { userId });
    const count = await sessions.endAllOf(userId);
    await endAddressLinks(userId);
    await transact(async (db) => {
      await db.updateTable('janua_users').set({ stamp: createStamp() }).where('id', '=', userId).execute();
      const spared = (table: string) => !endsTokens && table === 'janua_access_tokens';
      for (const table of [...stampedTables, ...unstampedTables].filter((one) => !spared(one)))
        await db.deleteFrom(table).where('user_id', '=', userId).execute();
      if (count > 0) await recordIn(db, 'sessions-ended', { userId, count });
    });
    return count;
  }

  return {
    /** Lists the living sessions of a user, the latest first. */
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
     * Ends all sessions of a user, the access that applications keep without a session, consents, trust in browsers, pending logins and
     * open links. Returns the number of sessions.
     */
    async endSessions(reference: UserReference, { endsTokens = false }: EndingOptions = {}): Promise<number> {
      const userId = await idOf(reference);
      const account = await users.findById(userId);
      if (account === undefined) return endSessionsOfGone(userId, endsTokens);
      const count = (await sessions.listOf(userId, stampOf(account))).length;
      const reason = endsTokens ? 'with-tokens' : undefined;
      const event = { kind: 'sessions-ended', reason, count, sparesTokens: !endsTokens } as const;
      await changeAny(event, userId, actor, async (held) => judge(held.account));
      return count;
    },
  };
}
