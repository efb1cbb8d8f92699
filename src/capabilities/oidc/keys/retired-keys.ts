import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import type { Records } from '../records/records.ts';
import type { Signature } from './signing-keys.ts';
import { readToken } from './token-parts.ts';

export type RetiredKeys = ReturnType<typeof createRetiredKeys>;

/** A public key (RFC 7518 6.2.1 and 6.3.1). */
type RetiredKey = Pick<webcrypto.JsonWebKey, 'kty' | 'n' | 'e' | 'crv' | 'x' | 'y'>;

const algorithmOf = ({ kty }: RetiredKey): Signature => (kty === 'EC' ? 'ES256' : 'RS256');

/**
 * Stores the public halves of keys that no longer sign. An application may send an old ID token as a hint (`id_token_hint`) when its user
 * logs out, and the key verifies the token. A key is stored for as long as a session can last in which it signed, but is not published. It
 * may have leaked, so Janua asks the user before a logout with such a hint.
 * @param sessionSeconds most seconds that a session may last
 * @param now milliseconds since 1970
 */
export function createRetiredKeys(records: Pick<Records, 'of'>, sessionSeconds: number, now: () => number) {
  const { upsert, find } = records.of('RetiredKey');

  return {
    /**
     * Stores a retired key. May be called again for the same key.
     * @param key private or public
     * @param unpublishedAt milliseconds since 1970
     */
    async keep({ kid, ...key }: RetiredKey & { readonly kid: string }, unpublishedAt: number): Promise<void> {
      const { kty, n, e, crv, x, y } = key;
      const seconds = sessionSeconds - Math.floor((now() - unpublishedAt) / 1000);
      if (seconds > 0) await upsert(kid, { key: { kty, n, e, crv, x, y } }, seconds);
    },

    async find(kid: string): Promise<RetiredKey | undefined> {
      const found = await find(kid);
      return found !== undefined && Number(found.exp) * 1000 > now() ? (found.key as RetiredKey) : undefined;
    },
  };
}

/** Reads an ID token that a retired key has signed. Undefined for any other text, and for an ID token of another client. */
export async function readRetiredHint(
  token: string,
  of: { readonly issuer: string; readonly clientId: string; readonly findKey: RetiredKeys['find'] },
) {
  const { header, payload } = readToken(token);
  if (typeof header?.kid !== 'string') return undefined;
  const key = await of.findKey(header.kid);
  // A key has one algorithm, whatever the token says (RFC 8725 3.1).
  if (key === undefined || header.alg !== algorithmOf(key)) return undefined;
  const [head, body, signature = ''] = token.split('.');
  const signed = Buffer.from(`${head}.${body}`);
  const verifier = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
  if (!verify('sha256', signed, verifier, Buffer.from(signature, 'base64url'))) return undefined;
  const isOurs = payload?.iss === of.issuer && payload.aud === of.clientId && typeof payload.sub === 'string';
  return isOurs ? { header, payload, isRetired: true } : undefined;
}
