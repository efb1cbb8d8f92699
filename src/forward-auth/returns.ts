import { createHmac, hash, randomBytes } from 'node:crypto';
import { isSame } from '../sessions/credential.ts';
import { formatCookie, readCookie } from '../web/cookies.ts';
import { safeNext } from '../web/next.ts';
import type { Return } from './host-credentials.ts';

/** How long a user may take to sign in and return to the other host, in seconds. */
const returnSeconds = 600;

const nonceShape = /^[\w-]{43}$/;

const ticketParameter = 'janua-ticket';

/** Where the way back to another host begins, on our own origin. */
export const forwardPath = '/auth/forward';

/** The query of an address that signs a browser in on another host. */
export interface ReturnQuery {
  readonly to: string;
  readonly state: string;
  readonly signature: string;
}

/**
 * Takes a browser from another host to the login, and back with a ticket (docs/decisions/0017). The browser keeps two cookies for that host
 * alone: the host's credential, and during the login a random text. The address carries only the hash of that text.
 */
export interface Returns {
  /** The value of a host's own credential, when the request carries exactly one. */
  readCredential(origin: string, header: string | undefined): string | undefined;
  /** The way of the browser that brings a ticket. Undefined if the browser did not keep its random text. */
  readReturn(origin: string, header: string | undefined): Return | undefined;
  /** The path on our own origin where the way begins, and the `Set-Cookie` for the host. Undefined if the address would be too long. */
  begin(origin: string, uri: string, header: string | undefined): { path: string; cookie: string } | undefined;
  /** The way that this query was signed for. Undefined if we did not sign it, or its origin is no longer listed. */
  find(query: ReturnQuery): Return | undefined;
  /** `Set-Cookie` with the host's credential. The cookie ends when the browser closes. */
  cookie(origin: string, credential: string): string;
}

/** The host of the application that a path leads to through `/auth/forward`. Undefined for any other path. */
export type NameApplication = (path: string) => string | undefined;

export function createNameApplication(options: ReturnsOptions): NameApplication {
  const returns = createReturns(options);
  return (path) => {
    const { pathname, searchParams } = new URL(path, 'http://janua.invalid');
    if (pathname !== forwardPath) return undefined;
    const [to = '', state = '', signature = ''] = ['to', 'state', 'signature'].map(
      (name) => searchParams.get(name) ?? '',
    );
    const way = returns.find({ to, state, signature });
    return way && new URL(way.origin).host;
  };
}

export interface ReturnsOptions {
  readonly key: () => Buffer | undefined;
  readonly forwardOrigins: ReadonlySet<string>;
}

/** The cookie names on a host. With `__Host-`, no other host can set them. */
const namesAt = (secure: boolean) => {
  const prefix = secure ? '__Host-' : '';
  return { credential: `${prefix}janua`, nonce: `${prefix}janua-return` };
};

const isSecure = (origin: string) => origin.startsWith('https:');

export function createReturns({ key, forwardOrigins }: ReturnsOptions): Returns {
  /** Signs only addresses that a proxy asked about. A ticket must not reach a public page, which could leak it. */
  function sign(to: string, state: string): string {
    const signingKey = key();
    if (signingKey === undefined) throw new TypeError('no other host is listed');
    return createHmac('sha256', signingKey).update(`return\n${state}\n${to}`).digest('base64url');
  }

  function readNonce(origin: string, header: string | undefined): string | undefined {
    const value = readCookie(header, namesAt(isSecure(origin)).nonce) ?? '';
    return nonceShape.test(value) ? value : undefined;
  }

  return {
    readCredential: (origin, header) => readCookie(header, namesAt(isSecure(origin)).credential),

    readReturn(origin, header) {
      const nonce = readNonce(origin, header);
      return nonce === undefined ? undefined : { origin, state: stateOf(nonce) };
    },

    begin(origin, uri, header) {
      // Several windows share one random text until it expires, so none of them breaks the login of another.
      const nonce = readNonce(origin, header) ?? randomBytes(32).toString('base64url');
      const to = origin + uri;
      const state = stateOf(nonce);
      const query = new URLSearchParams({ to, state, signature: sign(to, state) });
      const path = `${forwardPath}?${query}`;
      // The login would drop it as its `next`.
      if (safeNext(path) === undefined) return undefined;
      const secure = isSecure(origin);
      return { path, cookie: formatCookie(secure, namesAt(secure).nonce, nonce, `; Max-Age=${returnSeconds}`) };
    },

    find({ to, state, signature }) {
      const origin = URL.canParse(to) ? new URL(to).origin : '';
      if (!forwardOrigins.has(origin) || !isSame(signature, sign(to, state))) return undefined;
      return { origin, state };
    },

    cookie(origin, credential) {
      const secure = isSecure(origin);
      return formatCookie(secure, namesAt(secure).credential, credential);
    },
  };
}

/** Adds a ticket as the last part of the query. */
export const withTicket = (address: string, ticket: string) =>
  `${address}${address.includes('?') ? '&' : '?'}${ticketParameter}=${ticket}`;

/** Removes every ticket from an address and leaves the rest as it is. Also gives the last ticket. */
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
