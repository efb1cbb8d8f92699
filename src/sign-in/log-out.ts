import { type Access, type Presented, whyNot } from '../access/access.ts';
import { type Answer, Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { events } from './events.ts';

export const noSession: Answer = {
  name: 'no-session',
  status: 401,
  detail: 'This session has not been logged in before',
  loginPage: { message: 1 },
  challenges: true,
};

export interface LogOutOptions {
  readonly access: Access;
  readonly sessions: Sessions;
  readonly audit: Audit<keyof typeof events>;
}

/**
 * Ends every session that is presented.
 * @throws {Refusal} `no-session` when there was none
 */
export type LogOut = (presented: Presented, caller: Caller) => Promise<void>;

export function createLogOut({ access, sessions, audit }: LogOutOptions): LogOut {
  return async (presented, caller) => {
    const ended = await access.findPresentedSessions(presented);
    if (!(await sessions.end(ended))) {
      await audit.record({ kind: 'logout-refused', reason: whyNot(presented, caller), caller }).catch(() => {});
      throw new Refusal(noSession);
    }
    // The session has ended, whether or not it can be recorded.
    for (const { id: sessionId, userId } of ended)
      await audit.record({ kind: 'logged-out', caller, userId, sessionId }).catch(() => {});
  };
}
