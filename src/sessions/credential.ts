import { hash, randomBytes, timingSafeEqual } from 'node:crypto';

/** How a session is presented: by a browser's cookie or by a program's access token. */
export type CredentialKind = 'cookie' | 'token';

/** Marks access tokens, so that a secret scanner can find one that leaked. */
const accessTokenPrefix = 'janua_';

const shape = /^([\w-]{22})\.([\w-]{43})$/;

/** A new session id: 128 random bits, base64url. None begins with a hyphen: a command would take it for an option. */
export function createSessionId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? createSessionId() : id;
}

/** A new secret: 256 random bits, base64url (ASVS 7.2.3 asks for 128). */
export const createSecret = () => randomBytes(32).toString('base64url');

/** The stored form of a secret. It hashes the text as sent: base64url has spare bits, and two spellings must not both pass. */
export const hashSecret = (secret: string) => hash('sha256', secret, 'base64url');

export function formatCredential(kind: CredentialKind, sessionId: string, secret: string): string {
  return `${kind === 'token' ? accessTokenPrefix : ''}${sessionId}.${secret}`;
}

/** Takes a presented credential apart, or undefined when it cannot be one of ours. */
export function parseCredential(kind: CredentialKind, text: string): { sessionId: string; secret: string } | undefined {
  if (kind === 'token' && !text.startsWith(accessTokenPrefix)) return undefined;
  const match = shape.exec(kind === 'token' ? text.slice(accessTokenPrefix.length) : text);
  const [, sessionId, secret] = match ?? [];
  return sessionId === undefined || secret === undefined ? undefined : { sessionId, secret };
}

/** Compares in constant time. */
export function secretMatches(secret: string, storedHash: string): boolean {
  const presented = Buffer.from(hashSecret(secret));
  const stored = Buffer.from(storedHash);
  return presented.length === stored.length && timingSafeEqual(presented, stored);
}
