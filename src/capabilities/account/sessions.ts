import type { SignedIn } from '../../core/access/access.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { AccountOptions } from './options.ts';

/** The same for a session of another user, one that has ended, and one that never existed. */
export const noSuchSession: Answer = {
  name: 'no-such-session',
  status: 404,
  detail: 'You have no session with that id',
};

export type OwnSessions = ReturnType<typeof createOwnSessions>;

/** Shows users where they are signed in, and ends their own sessions only (ASVS 7.5.2). */
export function createOwnSessions({ sessions, endAddressLinks, audit }: AccountOptions) {
  /** The session that asks comes first, then the latest. */
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

    async endOthers({ user, session }: SignedIn, caller: Caller): Promise<void> {
      const count = await sessions.endOthersOf(user.id, session.id);
      await endAddressLinks(user.id);
      await audit.recordIfPossible({ kind: 'other-sessions-ended', caller, userId: user.id, count });
    },
  };
}
