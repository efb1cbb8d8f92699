import type { SignedIn } from '../../core/access/access.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { ChangeBy, Renewed } from '../../core/changes/change.ts';
import type { AccountCore } from './events.ts';

/** The answer is the same for a session of another user, one that has ended, and one that never existed. */
export const noSuchSession: Answer = {
  name: 'no-such-session',
  status: 404,
  detail: 'You have no session with that id',
};

export type OwnSessions = ReturnType<typeof createOwnSessions>;

/** Lists and ends only the sessions of the signed-in user (ASVS 7.5.2). */
export function createOwnSessions({ sessions, change, endAddressLinks, audit }: AccountCore) {
  /** Lists the session of the request first, then the others, the latest first. */
  async function list({ user, session }: SignedIn) {
    const own = (await sessions.listOf(user.id, session.stamp)).map((one) => ({
      ...one,
      current: one.id === session.id,
    }));
    return own.sort((one, other) => Number(other.current) - Number(one.current));
  }

  return {
    list,

    /** @throws {Refusal} `no-such-session` if the session belongs to another user, has ended, or never existed */
    async end(signedIn: SignedIn, id: string, caller: Caller): Promise<void> {
      const userId = signedIn.user.id;
      const own = (await list(signedIn)).find((session) => session.id === id);
      const event = { kind: 'session-ended', reason: 'by-its-user', caller, userId, sessionId: id } as const;
      if (own === undefined || !(await sessions.endWith(id, (db) => audit.recordIn(db, event)))) {
        await audit.recordIfPossible({ kind: 'session-end-refused', caller, userId });
        throw new Refusal(noSuchSession);
      }
      await endAddressLinks(userId);
    },

    /**
     * Ends all other sessions of a user, and the grants of applications without a session, consents, trusted browsers, pending logins and
     * open links.
     * @param endsTokens whether personal access tokens end too
     * @returns the session with new credentials. Undefined if it has ended meanwhile, or the request has a personal access token
     * @throws {AccountChanged}
     */
    async endOthers({ user, session }: SignedIn, endsTokens: boolean, by: ChangeBy): Promise<Renewed | undefined> {
      const others = (await sessions.listOf(user.id, session.stamp)).filter(({ id }) => id !== session.id);
      const reason = endsTokens ? 'by-its-user+with-tokens' : 'by-its-user';
      const event = { kind: 'sessions-ended', reason, count: others.length, sparesTokens: !endsTokens } as const;
      const proved = { userId: user.id, stamp: session.stamp };
      return (await change(event, proved, { ...by, session }, async () => {})).renewed;
    },
  };
}
