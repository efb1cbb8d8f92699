import { createHmac, hash, randomBytes } from 'node:crypto';
import type { NextApplication } from '../../core/ports.ts';
import { isSame } from '../../core/sessions/credential.ts';
import { createCookie } from '../../web/cookies.ts';
import { safeNext } from '../../web/next.ts';
import type { Return } from './host-credentials.ts';

/** How long a user may take to sign in and return to the other host, in seconds. */
const returnSeconds = 600;

const nonceShape = /^[\w-]{43}$/;

const ticketParameter = 'janua-ticket';

export const forwardPath = '/auth/forward';

const cookiesOver = (https: boolean) => ({
  credential: createCookie('janua', https),
  nonce: createCookie('janua-return', https, returnSeconds),
});

const [overHttps, overHttp] = [cookiesOver(true), cookiesOver(false)];
const cookiesAt = (origin: string) => (origin.startsWith('https:') ? overHttps : overHttp);

/** The query as sent. */
export type ReturnQuery = Readonly<Partial<Record<'to' | 'state' | 'signature', unknown>>>;

export type Returns = ReturnType<typeof createReturns>;

/**
 * Takes a browser from another host to the login, and back with a ticket (docs/decisions/0017). The browser keeps two cookies for that host
 * alone: the host's credential, and during the login a random text. The address carries only the hash of that text.
 */
export function createReturns(forwardOrigins: ReadonlySet<string>, key: () => Buffer | undefined) {
  /** Signs only addresses that a proxy asked about. A ticket must not reach a public page, which could leak it. */
  function sign(to: string, state: string): string {
    const signingKey = key();
    if (signingKey === undefined) throw new TypeError('no other host is listed');
    return createHmac('sha256', signingKey).update(`return\n${state}\n${to}`).digest('base64url');
  }

  function readNonce(origin: string, header: string | undefined): string | undefined {
    const value = cookiesAt(origin).nonce.read(header) ?? '';
    return nonceShape.test(value) ? value : undefined;
  }

  /** Finds the destination for which this query was signed. Undefined if we did not sign it, or its origin is no longer listed. */
  function find({ to, state, signature }: ReturnQuery): Return | undefined {
    if (typeof to !== 'string' || typeof state !== 'string' || typeof signature !== 'string') return undefined;
    // Parsed only if we have signed it: a URL parser takes quadratic time for a long host.
    if (key() === undefined || !isSame(signature, sign(to, state))) return undefined;
    const { origin } = new URL(to);
    return forwardOrigins.has(origin) ? { origin, state } : undefined;
  }

  return {
    find,

    /** The application that a path leads to through `/auth/forward`. Undefined for any other path. */
    async findApplication(path: string): Promise<NextApplication | undefined> {
      const { pathname, searchParams } = new URL(path, 'http://janua.invalid');
      if (pathname !== forwardPath) return undefined;
      const destination = find(Object.fromEntries(searchParams));
      return destination && { name: new URL(destination.origin).host, isStranger: false };
    },

    readCredential: (origin: string, header: string | undefined) => cookiesAt(origin).credential.read(header),

    countCredentials: (origin: string, header: string | undefined) => cookiesAt(origin).credential.amount(header),

    setCredential: (origin: string, credential: string) => cookiesAt(origin).credential.header(credential),

    /** Finds the destination that a browser's ticket must be for. Undefined if the browser did not keep its random text. */
    readReturn(origin: string, header: string | undefined): Return | undefined {
      const nonce = readNonce(origin, header);
      return nonce === undefined ? undefined : { origin, state: stateOf(nonce) };
    },

    /**
     * Begins the login of a browser from another host. Returns the path on our own origin that leads back to the requested page after the
     * login, and the `Set-Cookie` for the host. Undefined if the path would be too long.
     */
    begin(origin: string, uri: string, header: string | undefined): { path: string; cookie: string } | undefined {
      // Several windows share one random text until it expires, so none of them breaks the login of another.
      const nonce = readNonce(origin, header) ?? randomBytes(32).toString('base64url');
      const to = origin + uri;
      const state = stateOf(nonce);
      const query = new URLSearchParams({ to, state, signature: sign(to, state) });
      const path = `${forwardPath}?${query}`;
      // A proxy passes the path on in a response header. Many proxies accept headers of at most 4 KiB.
      if (safeNext(path, 2048) === undefined) return undefined;
      return { path, cookie: cookiesAt(origin).nonce.header(nonce) };
    },
  };
}

export const withTicket = (address: string, ticket: string) =>
  `${address}${address.includes('?') ? '&' : '?'}${ticketParameter}=${ticket}`;

/** Removes every ticket from an address, and leaves the rest as it is. @returns the rest, and the last ticket */
export function takeTicket(uri: string): { uri: string; ticket: string | undefined } {
  const [path = '', ...queries] = uri.split('?');
  const parts = queries.join('?').split('&');
  const isTicket = (part: string) => part.startsWith(`${ticketParameter}=`);
  const rest = parts.filter((part) => !isTicket(part)).join('&');
  return {
    uri: rest === '' ? path : `${path}?${rest}`,
    ticket: parts.findLast(isTicket)?.slice(ticketParameter.length + 1),
  };
}

const stateOf = (nonce: string) => hash('sha256', nonce, 'base64url');
