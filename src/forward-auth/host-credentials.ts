import { createHmac } from 'node:crypto';
import type { Claim } from '../sessions/claim.ts';
import { isSame } from '../sessions/credential.ts';
import type { Session } from '../sessions/sessions.ts';

/** A browser on its way back to another host. */
export interface Return {
  /** Of the host, as `https://app.example.com`. */
  readonly origin: string;
  /** SHA-256 of what that browser keeps for that host, base64url: no other browser can use its ticket. */
  readonly state: string;
}

/** The parts of a session that a credential is derived from: with another session, or another secret, it is another credential. */
type Derived = Pick<Session, 'id' | 'cookieHash'>;

const credentialShape = /^([\w-]{22})\.([\w-]{43})$/;
const ticketShape = /^([\w-]{22})\.(\d{13})\.([\w-]{43})$/;

/** How long the way back to another host may take, in milliseconds: a redirect. */
const ticketLifetime = 60_000;

/**
 * What other hosts get of a session: a credential that holds on one origin alone, and the ticket that takes it there. Both are
 * derived from the session and stored nowhere, so that they end with it (docs/decisions/0017).
 */
export interface HostCredentials {
  create(origin: string, session: Derived): string;
  claimOf(credential: string, origin: string): Claim;
  /** For a minute. */
  createTicket(way: Return, session: Derived): string;
  /** Undefined for a ticket whose time is over, or beyond what a ticket has. */
  claimOfTicket(ticket: string, way: Return): Claim | undefined;
}

/** @param key 32 bytes or more @param now milliseconds since 1970 */
export function createHostCredentials(key: Buffer, now: () => number = Date.now): HostCredentials {
  // No part has a line break in it, so that no two lists make the same text.
  const sign = (...parts: readonly string[]) => createHmac('sha256', key).update(parts.join('\n')).digest('base64url');

  const create = (origin: string, { id, cookieHash }: Derived) =>
    `${id}.${sign('host-credential', origin, id, cookieHash)}`;

  const ticketUntil = (expiresAt: number, { origin, state }: Return, { id, cookieHash }: Derived) =>
    `${id}.${expiresAt}.${sign('ticket', origin, state, id, cookieHash, String(expiresAt))}`;

  return {
    create,
    claimOf: (credential, origin) => ({
      sessionId: credentialShape.exec(credential)?.[1],
      isProvenBy: (session) => isSame(credential, create(origin, session)),
    }),
    createTicket: (way, session) => ticketUntil(now() + ticketLifetime, way, session),
    claimOfTicket(ticket, way) {
      const [, sessionId, end] = ticketShape.exec(ticket) ?? [];
      const expiresAt = Number(end);
      const rest = expiresAt - now();
      // Twice its life: the clocks of two processes may differ, and one may have been set back.
      if (!(rest > 0 && rest <= 2 * ticketLifetime)) return undefined;
      return { sessionId, isProvenBy: (session) => isSame(ticket, ticketUntil(expiresAt, way, session)) };
    },
  };
}
