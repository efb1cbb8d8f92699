import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionRecord } from '../sessions/store.ts';

/** A browser on its way back to another host. */
export interface Return {
  /** Of the host, as `https://app.example.com`. */
  readonly origin: string;
  /** SHA-256 of what that browser keeps for that host, base64url: nobody else can use its ticket. */
  readonly state: string;
}

/** The parts of a session that a credential is derived from: with another session, or another secret, it is another credential. */
type Derived = Pick<SessionRecord, 'id' | 'cookieHash'>;

const credentialShape = /^([\w-]{22})\.([\w-]{43})$/;
const ticketShape = /^([\w-]{22})\.(\d{13})\.([\w-]{43})$/;

/**
 * What other hosts get of a session: a credential that holds on one origin alone, and the ticket that takes it there. Both are
 * derived from the session and stored nowhere, so that they end with it (docs/decisions/0017).
 */
export interface HostCredentials {
  create(origin: string, session: Derived): string;
  /** Whose session a credential says it is of, or undefined when it cannot be one. */
  sessionIdOf(credential: string): string | undefined;
  isValid(credential: string, origin: string, session: Derived): boolean;
  /** @param expiresAt milliseconds since 1970 */
  createTicket(way: Return, session: Derived, expiresAt: number): string;
  readTicket(ticket: string): { sessionId: string; expiresAt: number } | undefined;
  isValidTicket(ticket: string, way: Return, session: Derived): boolean;
}

/** @param key 32 bytes or more */
export function createHostCredentials(key: Buffer): HostCredentials {
  // No part has a line break in it, so that no two lists make the same text.
  const sign = (...parts: readonly string[]) => createHmac('sha256', key).update(parts.join('\n')).digest('base64url');

  const create = (origin: string, { id, cookieHash }: Derived) =>
    `${id}.${sign('host-credential', origin, id, cookieHash)}`;

  const createTicket = ({ origin, state }: Return, { id, cookieHash }: Derived, expiresAt: number) =>
    `${id}.${expiresAt}.${sign('ticket', origin, state, id, cookieHash, String(expiresAt))}`;

  function readTicket(ticket: string): { sessionId: string; expiresAt: number } | undefined {
    const [, sessionId, expiresAt] = ticketShape.exec(ticket) ?? [];
    return sessionId === undefined ? undefined : { sessionId, expiresAt: Number(expiresAt) };
  }

  return {
    create,
    sessionIdOf: (credential) => credentialShape.exec(credential)?.[1],
    isValid: (credential, origin, session) => isSame(credential, create(origin, session)),
    createTicket,
    readTicket,
    isValidTicket(ticket, way, session) {
      const read = readTicket(ticket);
      return read !== undefined && isSame(ticket, createTicket(way, session, read.expiresAt));
    },
  };
}

/** In constant time. */
function isSame(presented: string, expected: string): boolean {
  const [one, other] = [Buffer.from(presented), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
