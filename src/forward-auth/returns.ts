import { createHmac, hash, randomBytes } from 'node:crypto';
import { isSame } from '../sessions/credential.ts';
import { formatCookie, readCookie } from '../web/cookies.ts';
import { safeNext } from '../web/next.ts';
import type { Return } from './host-credentials.ts';

/** How long somebody may take to sign in and come back to the host that sent them, in seconds. */
const returnSeconds = 600;

const nonceShape = /^[\w-]{43}$/;

const ticketParameter = 'janua-ticket';

/** Where the way back to another host begins, on our own origin. */
export const forwardPath = '/auth/forward';

/** Where a browser goes to be signed in on another host, as it stands in an address. */
export interface ReturnQuery {
  readonly to: string;
  readonly state: string;
  readonly signature: string;
}

/**
 * The way of a browser from another host to the login, and back with a ticket (docs/decisions/0017). What is kept on that host are two
 * cookies, of that host alone: its credential, and while somebody signs in a random text of which the address has only the hash.
 */
export interface Returns {
  /** The value of a host's own credential, when the request carries exactly one. */
  readCredential(origin: string, header: string | undefined): string | undefined;
  /** Of the browser that brings a ticket; undefined when it did not keep what it was given. */
  readReturn(origin: string, header: string | undefined): Return | undefined;
  /** The path on our own origin where the way begins, and the `Set-Cookie` for the host. Undefined where the address would be too long. */
  begin(origin: string, uri: string, header: string | undefined): { path: string; cookie: string } | undefined;
  /** The way that an address was signed for here, to an origin that is still listed. */
  find(query: ReturnQuery): Return | undefined;
  /** `Set-Cookie` with the host's credential, which goes with the browser's closing. */
  cookie(origin: string, credential: string): string;
}

/** Names the application that a path leads to over `/auth/forward`, by its host. Undefined for any other path. */
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

/** The names on a host: with `__Host-` no other host can set them. */
const namesAt = (secure: boolean) => {
  const prefix = secure ? '__Host-' : '';
  return { credential: `${prefix}janua`, nonce: `${prefix}janua-return` };
};

const isSecure = (origin: string) => origin.startsWith('https:');

export function createReturns({ key, forwardOrigins }: ReturnsOptions): Returns {
  /** Only addresses that a proxy asked about are signed, so that a ticket goes to no page that is open to all and could give it away. */
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
      // Windows at the same time share one, and it stays until its time is over: none may end the way of another.
      const nonce = readNonce(origin, header) ?? randomBytes(32).toString('base64url');
      const to = origin + uri;
      const state = stateOf(nonce);
      const query = new URLSearchParams({ to, state, signature: sign(to, state) });
      const path = `${forwardPath}?${query}`;
      // As `next` of the login it would be dropped.
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

/** An address with a ticket, which is the last part of its query. */
export const withTicket = (address: string, ticket: string) =>
  `${address}${address.includes('?') ? '&' : '?'}${ticketParameter}=${ticket}`;

/** Takes every ticket out of an address and leaves the rest as it is; with the last one that there was. */
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
