import type { FastifyRequest } from 'fastify';
import type { SignedIn } from '../../core/access/access.ts';
import { type Answer, Refusal } from '../../core/access/refusal.ts';
import { type Account, passwordFingerprint } from '../../core/users/account.ts';
import { loggedOutCookie, sessionCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

export const ambiguousCredential: Answer = {
  name: 'ambiguous-credential',
  status: 400,
  error: 'invalid_request',
  detail: 'Send one Authorization header, not several',
  event: { kind: 'access-refused', reason: 'several-authorization-headers' },
};

export function decorateCredentials(
  app: App,
  { https, parts, features }: Pick<FlowOptions, 'https' | 'parts' | 'features'>,
): void {
  const cookie = sessionCookie(https);
  const loggedOut = loggedOutCookie(https);
  // Tokens in a query or a form are ignored (RFC 9700 4.3.2), and so are other schemes (RFC 9110 11.1).
  app.decorateRequest('presented', {
    getter() {
      const { headers, raw } = this;
      // `request.headers` would hide a second `Authorization` header.
      if (countFields(raw.rawHeaders, 'authorization') > 1) throw new Refusal(ambiguousCredential);
      return { cookie: cookie.read(headers.cookie), accessToken: readBearer(headers.authorization) };
    },
  });
  app.decorateRequest('signedIn', undefined);
  app.decorateRequest('user', {
    getter() {
      return signedInOf(this).user;
    },
  });
  app.decorateRequest('proved', undefined);
  app.decorateRequest('lookForProof', async function () {
    this.proved = await parts().findFresh(signedInOf(this), this);
  });
  app.decorateRequest('proveFresh', async function (currentPassword) {
    // A command, or a member of `admins` with a fresh proof, has granted the program these acts.
    if (signedInOf(this).machine !== undefined) return;
    this.proved = await parts().requireFresh(signedInOf(this), currentPassword, this);
  });
  app.decorateReply('answerLogin', function ({ account, session }) {
    const { remembered, expiresInSeconds, accessToken, tokenScope } = session;
    // The cookie of a remembered session ends with the session, any other when the browser closes. The server enforces the real limits.
    const own = remembered ? sessionCookie(https, expiresInSeconds) : cookie;
    this.header('set-cookie', own.header(session.cookie));
    const known = parts().knownBrowsers.cookie(passwordFingerprint(account), this.request.headers.cookie);
    this.header('set-cookie', known);
    const scope = tokenScope ?? account.scopes.join(' ');
    const token = { access_token: accessToken, token_type: 'bearer', expires_in: expiresInSeconds } as const;
    return tokenScope === undefined && scope === '' ? token : { ...token, scope };
  });
  app.decorateReply('clearSessionCookie', function () {
    return this.header('set-cookie', cookie.removal);
  });
  app.decorateReply('answerLogOut', function () {
    if (features.upstreams.length > 0) this.header('set-cookie', loggedOut.header('1'));
    return this.clearSessionCookie();
  });
}

export function signedInOf({ signedIn }: Pick<FastifyRequest, 'signedIn'>): SignedIn {
  if (signedIn === undefined) throw new TypeError('only a route with `signedIn` has a user');
  return signedIn;
}

/** Returns the account as it was at the fresh proof. A change fails if the account has changed since. */
export function provedOf({ proved }: Pick<FastifyRequest, 'proved'>): Account {
  if (proved === undefined) throw new TypeError('only a route with `freshProof` has a proved account');
  return proved;
}

/** The actor of a change, for the audit. */
export const actorOf = (request: FastifyRequest) => {
  const { user, machine } = signedInOf(request);
  return { caller: request.caller, actorId: user.id, isMachine: machine !== undefined };
};

/**
 * Reads a bearer token. Undefined for other schemes. Only spaces separate scheme and token (RFC 9110 11.4): a proxy may know no other
 * separators.
 */
export function readBearer(authorization: string | undefined): string | undefined {
  const bearer = /^bearer(?: +(.*))?$/i.exec(authorization ?? '');
  // `Bearer` alone presents an empty token, which matches no session.
  return bearer === null ? undefined : (bearer[1] ?? '');
}

/** Counts the header fields with this name. `request.headers` joins or drops all but the first. */
export function countFields(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === name.length && rawHeaders[index]?.toLowerCase() === name) count += 1;
  return count;
}
