import type { Caller } from '../../../core/audit/event.ts';
import { isSame } from '../../../core/sessions/credential.ts';
import type { Session } from '../../../core/sessions/sessions.ts';
import type { Account } from '../../../core/users/account.ts';
import { isDocumentClient } from '../clients/library-client.ts';
import type { AskedLogOut } from '../provider/logout-request.ts';
import type { OpenIdProvider } from '../provider/provider.ts';

type SessionId = Pick<Session, 'id' | 'userId'>;

export interface ApplicationLogOutOptions {
  /** Undefined if the user does not exist, or may not sign in. */
  readonly findAccount: (subject: string) => Promise<Account | undefined>;
  readonly listSessions: (account: Account) => Promise<readonly { readonly id: string }[]>;
  readonly endSession: (session: SessionId, caller: Caller) => Promise<void>;
}

type Named = { readonly clientId: string; readonly subject: string; readonly sid: string };

/**
 * Returns the session that the ID token names, if the token is enough to end it. The token of a client of a metadata document is not
 * enough. Nor is a token whose key was retired, because the key may have leaked.
 */
function namedBy({ client, hint }: AskedLogOut): Named | undefined {
  if (client === undefined || hint?.sid === undefined || hint.isRetired || isDocumentClient(client.clientId))
    return undefined;
  return { clientId: client.clientId, subject: hint.subject, sid: hint.sid };
}

/** Logs users out for an application (OpenID Connect RP-Initiated Logout 1.0, 2). */
export function createApplicationLogOut({ findAccount, listSessions, endSession }: ApplicationLogOutOptions) {
  const isNamed = ({ sidOf }: OpenIdProvider, { clientId, sid }: Named, sessionId: string): boolean =>
    isSame(sidOf(sessionId, clientId), sid);

  return {
    /** Tells whether Janua may log out without asking the user, because the application proves that it knows this session. */
    mayEndWithoutQuestion(provider: OpenIdProvider, asked: AskedLogOut, { id }: Pick<Session, 'id'>): boolean {
      const named = namedBy(asked);
      return named !== undefined && isNamed(provider, named, id);
    },

    /** Ends the session that the ID token names, if the session is alive. False if the token is not enough. */
    async endSessionOfToken(provider: OpenIdProvider, asked: AskedLogOut, caller: Caller): Promise<boolean> {
      const named = namedBy(asked);
      if (named === undefined) return false;
      const account = await findAccount(named.subject);
      if (account === undefined) return true;
      // The session id cannot be computed from the `sid`, so all sessions of the user are compared. They are few (SESSIONS_PER_USER).
      const session = (await listSessions(account)).find(({ id }) => isNamed(provider, named, id));
      if (session !== undefined) await endSession({ id: session.id, userId: account.user.id }, caller);
      return true;
    },
  };
}
