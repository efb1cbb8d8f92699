import type { FastifyRequest } from 'fastify';
import type { Presented } from '../../access/identity.ts';
import { Refusal } from '../../access/refusal.ts';
import type { Cookies } from '../cookies.ts';
import type { App } from '../types.ts';

/** Lets a request tell what it presents, and whoever is signed in by it. */
export function decorateCredentials(app: App, cookies: Cookies): void {
  app.decorateRequest('presented', {
    getter() {
      return readPresented(this, cookies);
    },
  });
  app.decorateRequest('signedInUser', undefined);
  app.decorateRequest('user', {
    getter() {
      if (this.signedInUser === undefined) throw new TypeError('only a route with `signedIn` has a user');
      return this.signedInUser;
    },
  });
  app.decorateReply('clearSessionCookie', function () {
    return this.header('set-cookie', cookies.endedSession());
  });
}

/**
 * The session cookie and the Bearer token of a request. Tokens in a query or a form are not read (RFC 9700 4.3.2), nor are
 * other schemes (RFC 9110 11.1).
 * @throws {Refusal} `ambiguous-credential` for a second Authorization field, which `request.headers` would hide
 */
function readPresented({ headers, raw }: FastifyRequest, cookies: Cookies): Presented {
  if (countFields(raw.rawHeaders, 'authorization') > 1) throw new Refusal('ambiguous-credential');
  return { cookie: cookies.readSession(headers.cookie), accessToken: readBearer(headers.authorization) };
}

/**
 * The Bearer token of an Authorization field, proven or not; undefined for other schemes. Between the two are spaces and nothing else
 * (RFC 9110 11.4): a proxy that takes tokens out may know no other blank.
 */
export function readBearer(authorization: string | undefined): string | undefined {
  const bearer = /^bearer(?: +(.*))?$/i.exec(authorization ?? '');
  // `Bearer` with nothing behind it presents a token too: an empty one, which is nobody's.
  return bearer === null ? undefined : (bearer[1] ?? '');
}

/** How many fields of a name there are: `request.headers` joins or drops those after the first. */
export function countFields(rawHeaders: readonly string[], name: string): number {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === name).length;
}
