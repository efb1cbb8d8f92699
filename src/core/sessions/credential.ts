import { hash, randomBytes, timingSafeEqual } from 'node:crypto';
import type { SessionRecord } from './store.ts';

/** How a session is presented: by a browser's cookie or by a program's access token. */
export type CredentialKind = 'cookie' | 'token';

export interface Claim {
  /** Undefined if the credential cannot belong to any session. */
  readonly sessionId: string | undefined;
  /** Checks the secret of the credential against the hashes of the session. */
  isProvenBy(session: SessionRecord): boolean;
}

/** Marks access tokens, so that a secret scanner can find one that leaked. */
export const accessTokenPrefix = 'janua_';

const shape = /^([\w-]{22})\.([\w-]{43})$/;

/** Creates a session id: 128 random bits, base64url. It never begins with a hyphen, because a command would take it for an option. */
export function createSessionId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? createSessionId() : id;
}

/** Checks the form of an id, because an administrator may send any text. */
export const isSessionId = (text: string): boolean => /^[\w-]{22}$/.test(text);

/** Creates a secret: 256 random bits, base64url (ASVS 7.2.3 asks for 128). */
export const createSecret = () => randomBytes(32).toString('base64url');

/**
 * Returns the stored form of a secret. The hash covers the text as sent, because base64url has spare bits, and two spellings must not both
 * pass.
 */
export const hashSecret = (secret: string) => hash('sha256', secret, 'base64url');

export function formatCredential(kind: CredentialKind, sessionId: string, secret: string): string {
  return `${kind === 'token' ? accessTokenPrefix : ''}${sessionId}.${secret}`;
}

/** Reads a presented credential. The claim counts only after `isProvenBy` has checked its secret. */
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
