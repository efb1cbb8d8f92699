import { type Access, type Presented, reasonOfRefusal } from '../../core/access/access.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { AuditOf } from '../../core/audit/audit.ts';
import type { Caller } from '../../core/audit/event.ts';
import { claimOf } from '../../core/sessions/credential.ts';
import type { Session, Sessions } from '../../core/sessions/sessions.ts';
import type { events } from './events.ts';
import { noSession, sessionOver } from './refusals.ts';

export type LogOut = ReturnType<typeof createLogOut>['logOut'];

export function createLogOut(access: Access, sessions: Sessions, audit: AuditOf<typeof events>) {
  const recordEnd = ({ id: sessionId, userId }: Pick<Session, 'id' | 'userId'>, caller: Caller) =>
    audit.recordIfPossible({ kind: 'logged-out', caller, userId, sessionId });

  return {
    /**
     * Ends every session whose credential is presented.
     * @param wasSignedIn whether the browser shows a page that it got while it was signed in
     * @throws {Refusal} `no-session` if there was no session, `session-over` if it has already ended
     * @throws {Unavailable} when the session store cannot be reached
     */
    async logOut(presented: Presented, caller: Caller, wasSignedIn = false): Promise<void> {
      const ended = await access.findPresentedSessions(presented);
      if (!(await sessions.end(ended))) {
        await audit.recordIfPossible({ kind: 'logout-refused', reason: reasonOfRefusal(presented, caller), caller });
        throw new Refusal(wasSignedIn || presentsSession(presented) ? sessionOver : noSession);
      }
      for (const session of ended) await recordEnd(session, caller);
    },

    /**
     * Ends a session whose credential the request does not present, unless it has ended already. @throws {Unavailable} when the session
     * store cannot be reached
     */
    async endSession(session: Pick<Session, 'id' | 'userId'>, caller: Caller): Promise<void> {
      if (await sessions.end([session])) await recordEnd(session, caller);
    },
  };
}

/** Tells whether a credential has the shape of Janua's own. Any other text was never valid. */
const presentsSession = ({ cookie = '', accessToken = '' }: Presented) =>
  [claimOf('cookie', cookie), claimOf('token', accessToken)].some(({ sessionId }) => sessionId !== undefined);
