import type { Locking } from '../../ground/database/transaction.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import { accessTokenPrefix, type Claim, claimOf } from '../sessions/credential.ts';
import type { Session, Sessions } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import { readNames } from '../users/scopes.ts';
import type { User } from '../users/user.ts';
import type { events } from './events.ts';
import type { LookUp } from './look-up.ts';
import { isPersonalToken, type PersonalTokens } from './personal-tokens.ts';
import { type Answer, loginMessages, Refusal } from './refusal.ts';
import { grantScope } from './scope.ts';

/** The credentials that a request presents. If there is an access token, only the token counts (RFC 6750 3.1). */
export interface Presented {
  readonly cookie?: string | undefined;
  readonly accessToken?: string | undefined;
  /**
   * A session, by a credential that was derived from it, such as the cookie of a host behind forward authentication. Absent if `cookie` is
   * set.
   */
  readonly derived?: Claim | undefined;
  /** A personal token for one host, by HTTP Basic, and the host that it must be for. Such a token counts alone. */
  readonly hostToken?: { readonly token: string; readonly host: string } | undefined;
}

export interface SignedIn {
  readonly user: User;
  readonly session: Session;
  /** The scopes of the request: those of the user's groups that its credential carries. */
  readonly scopes: readonly string[];
  /** Whether the credential carries only some scopes. Such a credential cannot change or export the account. */
  readonly limited: boolean;
  /**
   * Set for a program that acts as itself (RFC 6749 4.4). `user` is then its client, with the groups that it acts within. `scopes` here are
   * those that these groups grant for applications: the program does not hold them, but may give the groups.
   */
  readonly machine?: { readonly scopes: readonly string[] };
  /** Whether proxies may pass the user's mail address on (see `Account`). */
  readonly isAddressVouched?: boolean;
}

/** Returns the access token, if it may be the one of a program that acts as itself. Those of users have a prefix. */
export const machineTokenOf = ({ accessToken }: Presented): string | undefined =>
  accessToken?.startsWith(accessTokenPrefix) ? undefined : accessToken;

/** Names the account and the session of a request, for a transaction that changes data of the account. */
export const lockingOf = ({ user, session }: SignedIn): Locking => ({
  rows: [user.id],
  parties: [user.id, session.id],
});

/** Returns the fields of an audit event that name the owner of the session as its cause. */
export const byOwner = ({ user, session }: SignedIn, caller: Caller) =>
  ({ caller, userId: user.id, sessionId: session.id }) as const;

export const notAuthenticated: Answer = {
  name: 'not-authenticated',
  status: 401,
  detail: 'Not authenticated',
  loginPage: { message: loginMessages.notSignedIn, next: 'asked-for' },
};

export const invalidToken: Answer = {
  ...notAuthenticated,
  name: 'invalid-token',
  detail: 'Invalid authentication credentials',
};

/** `caller` may be a getter, which computes it on each read. `ignored` says why Janua ignored the credentials, or for which host they came. */
type Request = { readonly caller: Caller; readonly ignored?: Pick<AuditEvent, 'reason' | 'about'> | undefined };

interface LookupResult {
  readonly signedIn?: SignedIn | undefined;
  /** Seconds by which the times of the session lie in the future, if Janua refuses it for that reason: clocks differ. */
  readonly secondsAhead?: number | undefined;
}

export type Access = ReturnType<typeof createAccess>;

interface AccessOptions {
  readonly lookUp: LookUp;
  readonly sessions: Sessions;
  readonly personalTokens: Pick<PersonalTokens, 'find'>;
  readonly audit: AuditOf<typeof events>;
}

export function createAccess({ lookUp, sessions, personalTokens, audit }: AccessOptions) {
  async function findSignedIn(presented: Presented, request?: Request): Promise<SignedIn | undefined> {
    return (await look(presented, request)).signedIn;
  }

  async function look(presented: Presented, request?: Request): Promise<LookupResult> {
    const { accessToken = '', hostToken } = presented;
    if (hostToken !== undefined || isPersonalToken(accessToken)) {
      const { token: text, host } = hostToken ?? { token: accessToken, host: undefined };
      const token = await personalTokens.find(text, () => request?.caller.address, host);
      return { signedIn: token && signedInAs(token.account, token.session, presented) };
    }
    const claim = decisiveClaim(presented);
    if (claim?.sessionId === undefined) return {};
    const found = await lookUp(claim.sessionId);
    if (found === undefined) return {};
    const session = await sessions.judge(claim, found.session);
    if (session === undefined) return { secondsAhead: sessions.secondsAhead(claim, found.session) };
    const account = await judge(found.account, session);
    return account === undefined ? {} : { signedIn: signedInAs(account, session, presented) };
  }

  /** Returns the account, if it may use the session. */
  async function judge(account: Account | undefined, session: Session): Promise<Account | undefined> {
    if (mayUse(account, session)) return account;
    // The session ends for good: a user who is enabled again has to log in again. If it cannot be ended now, access is still refused.
    if (!isBeingRenewed(account)) await sessions.end([session]).catch(() => {});
    return undefined;
  }

  return {
    findSignedIn,

    /** Finds a living session by its id, with its account. For data that is valid only as long as the session, such as a grant. */
    async findLiving(sessionId: string) {
      const found = await lookUp(sessionId);
      if (found === undefined || !sessions.isAlive(found.session)) return undefined;
      const account = await judge(found.account, found.session);
      return account && { session: found.session, account };
    },

    /**
     * @param request its `caller` is read for a refusal only
     * @throws {Refusal} `not-authenticated`, or `invalid-token` if an access token was presented
     */
    async requireSignedIn(presented: Presented, request: Request): Promise<SignedIn> {
      const { signedIn, secondsAhead } = await look(presented, request);
      if (signedIn !== undefined) return signedIn;
      const { caller, ignored } = request;
      const why =
        secondsAhead === undefined
          ? { reason: reasonOfRefusal(presented, caller) }
          : { reason: 'future-session', detail: `It lies ${secondsAhead} s in the future.` };
      await audit.recordIfPossible({ kind: 'access-refused', ...why, ...ignored, caller });
      throw new Refusal(presented.accessToken === undefined ? notAuthenticated : invalidToken);
    },

    async findPresentedSessions({ cookie = '', accessToken = '' }: Presented): Promise<Session[]> {
      const first = await sessions.find(claimOf('cookie', cookie));
      const second = await sessions.find(claimOf('token', accessToken));
      // Both credentials may belong to the same session.
      const found = first?.id === second?.id ? [first] : [first, second];
      return found.filter((session) => session !== undefined);
    },
  };
}

function decisiveClaim({ cookie, accessToken, derived }: Presented): Claim | undefined {
  if (accessToken !== undefined) return claimOf('token', accessToken);
  return cookie === undefined ? derived : claimOf('cookie', cookie);
}

/** A session's cookie carries all scopes of its user. Its token may have been limited at the login. */
function signedInAs(
  { user, scopes, isAddressVouched = false }: Account,
  session: Session,
  { accessToken, hostToken }: Presented,
): SignedIn {
  const scope = accessToken === undefined && hostToken === undefined ? undefined : session.tokenScope;
  if (scope === undefined) return { user, session, scopes, limited: false, isAddressVouched };
  return { user, session, scopes: readNames(grantScope(scope, scopes)), limited: true, isAddressVouched };
}

/** Returns false if the account is gone or disabled, or its stamp (`stampOf`) has changed since the session was started or renewed. */
function mayUse(account: Account | undefined, session: Session): account is Account {
  return account !== undefined && !account.disabled && session.stamp === stampOf(account);
}

/**
 * Returns true if another request of this session may have just changed the stamp and is about to store the new stamp in the session. A
 * session with an old stamp stays refused anyway, because stamps never come back.
 */
const isBeingRenewed = (account: Account | undefined): boolean => account?.stamp !== undefined && !account.disabled;

export function reasonOfRefusal({ cookie, accessToken, derived, hostToken }: Presented, { trace }: Caller): string {
  if (hostToken !== undefined) return 'invalid-host-token';
  if (accessToken !== undefined) return 'invalid-token';
  if (cookie !== undefined || derived !== undefined) return 'dead-cookie';
  return trace?.cookie === 'several' ? 'several-cookies' : 'no-credential';
}
