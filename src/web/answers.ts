import type { RefusalCode } from '../access/refusal.ts';
import type { EventKind } from '../audit/event.ts';
import { loginPath } from '../sign-in/login-messages.ts';
import { decodedPath, originForm } from './request-target.ts';
import type { Request } from './types.ts';

/** How an expected no is answered. */
export interface Answer {
  readonly status: number;
  /** What happened, for people and programs alike. */
  readonly detail: string;
  /** The error code of a token answer (RFC 6749 5.2): printable ASCII without quotes or backslashes. */
  readonly error?: string;
  /** The page that a browser is sent to instead of an error page. */
  readonly redirect?: (request: Request) => string;
  /** The message of the login page that a browser gets with this status. */
  readonly loginPage?: '4';
  /** How the refusal is recorded, where identity has not done so with what it knows. */
  readonly event?: { readonly kind: EventKind; readonly reason?: string };
}

const incorrect = 'Incorrect username or password';

/** Total: a refusal without an answer does not compile. */
export const answers: Readonly<Record<RefusalCode, Answer>> = {
  'invalid-credentials': {
    status: 400,
    error: 'invalid_grant',
    detail: incorrect,
    redirect: (request) => loginPath(3, sentNext(request)),
  },
  'incomplete-login': {
    status: 400,
    error: 'invalid_request',
    detail: 'Send username and password in the body, each once, as text, of at most 254 characters and 1024 bytes',
    redirect: () => loginPath(3),
    event: { kind: 'login-incomplete', reason: 'incomplete' },
  },
  'unsupported-grant-type': {
    status: 400,
    error: 'unsupported_grant_type',
    detail: 'The only grant type here is password',
    redirect: () => loginPath(3),
    event: { kind: 'login-incomplete', reason: 'unsupported-grant-type' },
  },
  'too-many-attempts': {
    status: 429,
    error: 'temporarily_unavailable',
    detail: 'Too many attempts',
    loginPage: '4',
  },
  'not-authenticated': {
    status: 401,
    detail: 'Not authenticated',
    redirect: (request) => loginPath(2, pageAskedFor(request)),
  },
  'invalid-token': {
    status: 401,
    detail: 'Invalid authentication credentials',
    redirect: (request) => loginPath(2, pageAskedFor(request)),
  },
  'no-session': {
    status: 401,
    detail: 'This session has not been logged in before',
    redirect: () => loginPath(1),
  },
  'ambiguous-credential': {
    status: 400,
    error: 'invalid_request',
    detail: 'Send one Authorization header, not several',
    event: { kind: 'access-refused', reason: 'several-authorization-headers' },
  },
  'invalid-return': {
    status: 400,
    detail: 'This link leads nowhere, or no longer. Please open the application again',
  },
  'cross-site': {
    status: 403,
    detail: 'This request was sent by another site and was not carried out',
    event: { kind: 'cross-site-refused' },
  },
};

/** Refusals of whoever carries no valid credential: they come with a challenge, and a dead cookie has had its time. */
export const challenged: ReadonlySet<RefusalCode> = new Set(['not-authenticated', 'invalid-token', 'no-session']);

/** Where a login form was to lead, as it was sent. */
export function sentNext({ body }: Request): unknown {
  return typeof body === 'object' && body !== null && 'next' in body ? body.next : undefined;
}

/** Only what can be asked for again by following a link; the home page is where a login leads anyway. */
function pageAskedFor({ method, url }: Request): string | undefined {
  const mayBeAskedAgain = method === 'GET' || method === 'HEAD';
  return mayBeAskedAgain && decodedPath(url) !== '/auth/home' ? originForm(url) : undefined;
}
