import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Claim } from '../sessions/claim.ts';
import { claimOf } from '../sessions/credential.ts';
import type { Session, Sessions } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { User } from '../users/user.ts';
import type { events } from './events.ts';
import type { LookUp } from './look-up.ts';
import { type Answer, Refusal } from './refusal.ts';

/** The credentials that a request presents. Where there is an access token, it alone says who is asking (RFC 6750 3.1). */
export interface Presented {
  readonly cookie?: string | undefined;
  readonly accessToken?: string | undefined;
  /** A claim by something that is derived from a session, as another host's cookie. Never beside our own cookie. */
  readonly derived?: Claim | undefined;
}

/** Who is asking. */
export interface SignedIn {
  readonly user: User;
  readonly session: Session;
}

export const notAuthenticated: Answer = {
  name: 'not-authenticated',
  status: 401,
  detail: 'Not authenticated',
  loginPage: { message: 2, next: 'asked-for' },
  challenges: true,
};

export const invalidToken: Answer = {
  ...notAuthenticated,
  name: 'invalid-token',
  detail: 'Invalid authentication credentials',
};

/** Answers the question who is asking. */
export interface Access {
  findSignedIn(presented: Presented): Promise<SignedIn | undefined>;
  /**
   * @param request who is asking, which is worked out for a refusal only
   * @throws {Refusal} `not-authenticated`, or `invalid-token` where an access token was presented
   */
  requireSignedIn(presented: Presented, request: { readonly caller: Caller }): Promise<SignedIn>;
  /** The living sessions that are presented, by cookie and by token. */
  findPresentedSessions(presented: Presented): Promise<Session[]>;
}

export interface AccessOptions {
  readonly lookUp: LookUp;
  readonly sessions: Sessions;
  readonly audit: Audit<keyof typeof events>;
}

export function createAccess({ lookUp, sessions, audit }: AccessOptions): Access {
  async function findSignedIn({ cookie, accessToken, derived }: Presented): Promise<SignedIn | undefined> {
    const claim =
      accessToken === undefined
        ? cookie === undefined
          ? derived
          : claimOf('cookie', cookie)
        : claimOf('token', accessToken);
    if (claim?.sessionId === undefined) return undefined;
    const found = await lookUp(claim.sessionId);
    const session = found && (await sessions.judge(claim, found.session));
    if (found === undefined || session === undefined) return undefined;
    if (mayHave(session, found.account)) return { user: found.account.user, session };
    // Over for good: a user who is enabled again logs in again. Where it cannot be ended now, it is refused all the same.
    await sessions.end([session]).catch(() => {});
    return undefined;
  }

  return {
    findSignedIn,

    async requireSignedIn(presented, request) {
      const signedIn = await findSignedIn(presented);
      if (signedIn !== undefined) return signedIn;
      const { caller } = request;
      // Refused whether or not it can be recorded; the log has it.
      await audit.record({ kind: 'access-refused', reason: whyNot(presented, caller), caller }).catch(() => {});
      throw new Refusal(presented.accessToken === undefined ? notAuthenticated : invalidToken);
    },

    async findPresentedSessions({ cookie, accessToken }) {
      const found = [
        cookie === undefined ? undefined : await sessions.find(claimOf('cookie', cookie)),
        accessToken === undefined ? undefined : await sessions.find(claimOf('token', accessToken)),
      ];
      // Both may be of the same one.
      return [
        ...new Map(found.filter((session) => session !== undefined).map((session) => [session.id, session])).values(),
      ];
    },
  };
}

/** Whether an account may have a session that was started for it: not when it is disabled, or its stamp has changed since. */
function mayHave(session: Session, account: Account | undefined): account is Account {
  return account !== undefined && !account.disabled && session.stamp === stampOf(account);
}

/** Why these credentials sign no one in. */
export function whyNot({ cookie, accessToken, derived }: Presented, { trace }: Caller): string {
  if (accessToken !== undefined) return 'invalid-token';
  if (cookie !== undefined || derived !== undefined) return 'dead-cookie';
  return trace?.cookie === 'several' ? 'several-cookies' : 'no-credential';
}
