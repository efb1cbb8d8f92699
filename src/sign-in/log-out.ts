import { type Access, type Presented, whyNot } from '../access/access.ts';
import { type Answer, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import { claimOf } from '../sessions/credential.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { events } from './events.ts';

export const noSession: Answer = {
  name: 'no-session',
  status: 401,
  detail: 'This session has not been logged in before',
  loginPage: { message: 1 },
  challenges: true,
};

/** For a browser in which another window has logged out. Programs need not tell it from `noSession`. */
export const sessionOver: Answer = { ...noSession, name: 'session-over', loginPage: { message: 5 } };

export interface LogOutOptions {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly audit: Audit<keyof typeof events>;
}

/**
 * Ends every session that is presented.
 * @param wasSignedIn whether the browser shows a page that it got while it was signed in
 * @throws {Refusal} `no-session` if there was no session, `session-over` if it has already ended
 */
export type LogOut = (presented: Presented, caller: Caller, wasSignedIn?: boolean) => Promise<void>;

export function createLogOut({ access, sessions, audit }: LogOutOptions): LogOut {
  return async (presented, caller, wasSignedIn = false) => {
    const ended = await access.findPresentedSessions(presented);
    if (!(await sessions.end(ended))) {
      await audit.record({ kind: 'logout-refused', reason: whyNot(presented, caller), caller }).catch(() => {});
      throw new Refusal(wasSignedIn || presentsSession(presented) ? sessionOver : noSession);
    }
    // The session has ended, whether or not it can be recorded.
    for (const { id: sessionId, userId } of ended)
      await audit.record({ kind: 'logged-out', caller, userId, sessionId }).catch(() => {});
  };
}

/** Whether a credential has the shape of those that Janua issues. Any other text never was one. */
const presentsSession = ({ cookie, accessToken }: Presented) =>
  (cookie !== undefined && claimOf('cookie', cookie).sessionId !== undefined) ||
  (accessToken !== undefined && claimOf('token', accessToken).sessionId !== undefined);
