import type { ListedSession } from '../sessions/sessions.ts';
import { stampOf } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Acting, UserReference } from './acting.ts';
import type { AdministrationOptions } from './administration.ts';

/** The sessions of users. */
export const createSessionAdministration = (
  { users, sessions, endAddressLinks, transact }: AdministrationOptions,
  { idOf, judge, recordIn }: Acting,
) => ({
  /** The living sessions of a user, the latest first. */
  async listSessions(reference: UserReference): Promise<ListedSession[]> {
    const userId = await idOf(reference);
    const account = await users.findById(userId);
    return sessions.listOf(userId, account && stampOf(account));
  },

  async endSession(id: string): Promise<void> {
    const userId = await sessions.findOwner(id);
    const isEnded =
      userId !== undefined &&
      (await sessions.endWith(id, (db) => recordIn(db, 'session-ended', { userId, sessionId: id })));
    if (!isEnded) throw new ChangeRefused('There is no session with that id.');
    await endAddressLinks(userId);
  },

  async endSessions(reference: UserReference): Promise<number> {
    const userId = await idOf(reference);
    // A user who is gone from the directory has no rights.
    const account = await users.findById(userId);
    if (account !== undefined) judge(account);
    const count = await sessions.endAllOf(userId);
    await endAddressLinks(userId);
    await transact((db) => recordIn(db, 'sessions-ended', { userId, count }));
    return count;
  },
});
