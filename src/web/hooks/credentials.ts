import type { FastifyRequest } from 'fastify';
import type { SignedIn } from '../../access/access.ts';
import { type Answer, Refusal } from '../../access/refusal.ts';
import { sessionCookie } from '../cookies.ts';
import type { FlowOptions } from '../flow-options.ts';
import type { App } from '../types.ts';

export const ambiguousCredential: Answer = {
  name: 'ambiguous-credential',
  status: 400,
  error: 'invalid_request',
  detail: 'Send one Authorization header, not several',
  event: { kind: 'access-refused', reason: 'several-authorization-headers' },
};

export function decorateCredentials(app: App, { https }: Pick<FlowOptions, 'https'>): void {
  const cookie = sessionCookie(https);
  // Tokens in a query or a form are ignored (RFC 9700 4.3.2), and so are other schemes (RFC 9110 11.1).
  app.decorateRequest('presented', {
    getter() {
      const { headers, raw } = this;
      // `request.headers` would hide a second field.
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
  // The server enforces the real limits.
  app.decorateReply('setSessionCookie', function ({ cookie: value, remembered, expiresInSeconds }) {
    const set = remembered ? sessionCookie(https, expiresInSeconds) : cookie;
    return this.header('set-cookie', set.header(value));
  });
  app.decorateReply('clearSessionCookie', function () {
    return this.header('set-cookie', cookie.removal);
  });
}

export function signedInOf({ signedIn }: Pick<FastifyRequest, 'signedIn'>): SignedIn {
  if (signedIn === undefined) throw new TypeError('only a route with `signedIn` has a user');
  return signedIn;
}

/** Who makes a change, for the audit. */
export const actorOf = (request: FastifyRequest) => ({
  caller: request.caller,
  actorId: signedInOf(request).user.id,
});

/** Undefined for other schemes. Only spaces separate scheme and token (RFC 9110 11.4): a proxy may know no others. */
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
