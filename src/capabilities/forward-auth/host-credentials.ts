import { createHmac } from 'node:crypto';
import { type Claim, isSame } from '../../core/sessions/credential.ts';
import type { Session } from '../../core/sessions/sessions.ts';

export interface Return {
  /** The origin of the host, such as `https://app.example.com`. */
  readonly origin: string;
  /** SHA-256 of the random text that the browser keeps for that host, base64url. No other browser can use the ticket. */
  readonly state: string;
}

/** The parts of a session that a credential is derived from. Another session or another secret gives another credential. */
type Derived = Pick<Session, 'id' | 'cookieHash'>;

const credentialShape = /^([\w-]{22})\.([\w-]{43})$/;
const ticketShape = /^([\w-]{22})\.(\d{13})\.([\w-]{43})$/;

/** How long the redirect back to another host may take, in milliseconds. */
const ticketLifetime = 60_000;

export type HostCredentials = ReturnType<typeof createHostCredentials>;

/**
 * Derives from a session the credential that is valid on one other origin only, and the ticket that the browser exchanges for it there.
 * Janua stores neither, but derives them again from the session, so both end with it (docs/decisions/0017).
 * @param key 32 bytes or more
 * @param now milliseconds since 1970
 */
export function createHostCredentials(key: Buffer, now: () => number = Date.now) {
  // No part contains a line break, so two lists of parts never have the same text.
  const sign = (...parts: readonly string[]) => createHmac('sha256', key).update(parts.join('\n')).digest('base64url');

  const create = (origin: string, { id, cookieHash }: Derived) =>
    `${id}.${sign('host-credential', origin, id, cookieHash)}`;

  const ticketUntil = (expiresAt: number, { origin, state }: Return, { id, cookieHash }: Derived) =>
    `${id}.${expiresAt}.${sign('ticket', origin, state, id, cookieHash, String(expiresAt))}`;

  return {
    create,
    claimOf: (credential: string, origin: string): Claim => ({
      sessionId: credentialShape.exec(credential)?.[1],
      isProvenBy: (session) => isSame(credential, create(origin, session)),
    }),
    createTicket: (destination: Return, session: Derived) => ticketUntil(now() + ticketLifetime, destination, session),
    /** Undefined for a malformed ticket, one that has expired, or one that is valid for longer than any ticket. */
    claimOfTicket(ticket: string, destination: Return): Claim | undefined {
      const parts = ticketShape.exec(ticket);
      if (parts === null) return undefined;
      const [, sessionId, end] = parts;
      const expiresAt = Number(end);
      const rest = expiresAt - now();
      // Twice the lifetime: the clocks of two processes may differ, or one was set back.
      if (!(rest > 0 && rest <= 2 * ticketLifetime)) return undefined;
      return { sessionId, isProvenBy: (session) => isSame(ticket, ticketUntil(expiresAt, destination, session)) };
    },
  };
}
