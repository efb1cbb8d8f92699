import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SessionRecord } from './store.ts';

/** How a session is presented: by a browser's cookie or by a program's access token. */
export type CredentialKind = 'cookie' | 'token';

export interface Claim {
  /** Undefined if the credential cannot belong to any session. */
  readonly sessionId: string | undefined;
  /** Whether the secrets of the session confirm the claim. */
  isProvenBy(session: SessionRecord): boolean;
}

/** Marks access tokens, so that a secret scanner can find one that leaked. */
const accessTokenPrefix = 'janua_';

const shape = /^([\w-]{22})\.([\w-]{43})$/;

/** A new session id: 128 random bits, base64url. No id begins with a hyphen, because a command would take it for an option. */
export function createSessionId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? createSessionId() : id;
}

/** An administrator may name any other text. */
export const isSessionId = (text: string): boolean => /^[\w-]{22}$/.test(text);

/** A new secret: 256 random bits, base64url (ASVS 7.2.3 asks for 128). */
export const createSecret = () => randomBytes(32).toString('base64url');

/** The stored form of a secret. It hashes the text as sent: base64url has spare bits, and two spellings must not both pass. */
export const hashSecret = (secret: string) => hash('sha256', secret, 'base64url');

export function formatCredential(kind: CredentialKind, sessionId: string, secret: string): string {
  return `${kind === 'token' ? accessTokenPrefix : ''}${sessionId}.${secret}`;
}

/** Reads a presented credential as a claim. Proves nothing yet. */
export function claimOf(kind: CredentialKind, text: string): Claim {
  const prefix = kind === 'token' ? accessTokenPrefix : '';
  const unprefixed = text.startsWith(prefix) ? text.slice(prefix.length) : '';
  const [, sessionId, secret = ''] = shape.exec(unprefixed) ?? [];
  return {
    sessionId,
    isProvenBy: ({ cookieHash, tokenHash }) => isSame(hashSecret(secret), kind === 'cookie' ? cookieHash : tokenHash),
  };
}

export function isSame(presented: string, expected: string): boolean {
  const [one, other] = [Buffer.from(presented), Buffer.from(expected)];
  return one.length === other.length && timingSafeEqual(one, other);
}
