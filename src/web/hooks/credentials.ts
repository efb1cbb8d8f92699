import type { FastifyRequest } from 'fastify';
import type { Presented } from '../../access/access.ts';
import { type Answer, Refusal } from '../../access/refusal.ts';
import { formatCookie, readCookie, sessionCookieName } from '../cookies.ts';
import type { App } from '../types.ts';

export const ambiguousCredential: Answer = {
  name: 'ambiguous-credential',
  status: 400,
  error: 'invalid_request',
  detail: 'Send one Authorization header, not several',
  event: { kind: 'access-refused', reason: 'several-authorization-headers' },
};

/** Lets a request tell what it presents and who is signed in by it, and a reply set and end the session cookie. */
export function decorateCredentials(app: App, { https }: { https: boolean }): void {
  const cookieName = sessionCookieName(https);
  app.decorateRequest('presented', {
    getter() {
      return readPresented(this, cookieName);
    },
  });
  app.decorateRequest('signedIn', undefined);
  app.decorateRequest('user', {
    getter() {
      if (this.signedIn === undefined) throw new TypeError('only a route with `signedIn` has a user');
      return this.signedIn.user;
    },
  });
  // It goes with the browser's closing; the server keeps the real limits.
  app.decorateReply('setSessionCookie', function (value) {
    return this.header('set-cookie', formatCookie(https, cookieName, value));
  });
  app.decorateReply('clearSessionCookie', function () {
    return this.header('set-cookie', formatCookie(https, cookieName, '', '; Max-Age=0'));
  });
}

/**
 * The session cookie and the Bearer token of a request. Tokens in a query or a form are not read (RFC 9700 4.3.2), nor are
 * other schemes (RFC 9110 11.1).
 * @throws {Refusal} `ambiguous-credential` for a second Authorization field, which `request.headers` would hide
 */
function readPresented({ headers, raw }: FastifyRequest, cookieName: string): Presented {
  if (countFields(raw.rawHeaders, 'authorization') > 1) throw new Refusal(ambiguousCredential);
  return { cookie: readCookie(headers.cookie, cookieName), accessToken: readBearer(headers.authorization) };
}

/**
 * The Bearer token of an Authorization field, proven or not; undefined for other schemes. Between the two are spaces and nothing else
 * (RFC 9110 11.4): a proxy that takes tokens out may know no other blank.
 */
export function readBearer(authorization: string | undefined): string | undefined {
  const bearer = /^bearer(?: +(.*))?$/i.exec(authorization ?? '');
  // `Bearer` with nothing behind it presents a token too: an empty one, which is of no session.
  return bearer === null ? undefined : (bearer[1] ?? '');
}

/** How many fields of a name there are: `request.headers` joins or drops those after the first. */
export function countFields(rawHeaders: readonly string[], name: string): number {
  let count = 0;
  for (let index = 0; index < rawHeaders.length; index += 2)
    if (rawHeaders[index]?.length === name.length && rawHeaders[index]?.toLowerCase() === name) count += 1;
  return count;
}
