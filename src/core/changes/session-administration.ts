import type { ListedSession } from '../sessions/sessions.ts';
import { stampOf } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Acting, UserReference } from './acting.ts';
import type { AdministrationOptions } from './administration.ts';

/** The sessions of users. */
export const createSessionAdministration = (
  { users, sessions, endAddressLinks }: AdministrationOptions,
  { idOf, judge, record }: Acting,
) => ({
  /** The living sessions of a user, the latest first. */
  async listSessions(reference: UserReference): Promise<ListedSession[]> {
    const userId = await idOf(reference);
    const account = await users.findById(userId);
    return sessions.listOf(userId, account && stampOf(account));
  },

  async endSession(id: string): Promise<void> {
    const userId = await sessions.findOwner(id);
    if (!(await sessions.end([{ id }]))) throw new ChangeRefused('There is no session with that id.');
    if (userId !== undefined) await endAddressLinks(userId);
    await record('session-ended', { sessionId: id });
  },

  async endSessions(reference: UserReference): Promise<number> {
    const userId = await idOf(reference);
    // A user who is gone from the directory has no rights.
    const account = await users.findById(userId);
    if (account !== undefined) judge(account);
    const count = await sessions.endAllOf(userId);
    await endAddressLinks(userId);
    await record('sessions-ended', { userId, count });
    return count;
  },
});
