import { createPublicKey, type webcrypto } from 'node:crypto';

/** A public key of a client or of another issuer (RFC 7517 4), with no other members. */
export type UsableKey = Pick<webcrypto.JsonWebKey, 'kty' | 'n' | 'e' | 'crv' | 'x' | 'y' | 'alg'> & {
  readonly kid?: string;
};

const kept = ['kty', 'n', 'e', 'crv', 'x', 'y', 'alg', 'kid'];

/**
 * Most usable keys of a client, and the length of an RSA modulus in base64url: 2048 to 4096 bits. A signature without `kid` is tried with
 * each key. An exponent as long as the modulus would make each try as expensive as a private-key operation.
 */
export const clientKeys = { most: 10, shortestModulus: 342, longestModulus: 683, exponent: 'AQAB' };

/** Tells whether a key can verify one of the algorithms in `clientSignatures`. */
export function isUsableKey(key: unknown): boolean {
  const { kty, crv, n, e, use } = Object(key) as Readonly<Record<string, unknown>>;
  if (use === 'enc') return false;
  if (kty === 'EC') return crv === 'P-256';
  if (kty === 'OKP') return crv === 'Ed25519';
  const { shortestModulus, longestModulus, exponent } = clientKeys;
  const { length = 0 } = typeof n === 'string' ? n : '';
  return kty === 'RSA' && e === exponent && length >= shortestModulus && length <= longestModulus;
}

/** Algorithms by which a client signs assertions and request objects. An HMAC is no proof: Janua has only hashes of secrets. */
export const clientSignatures = ['RS256', 'PS256', 'ES256', 'EdDSA', 'Ed25519'] as const;

/** Reads the usable keys of a key set: at most `clientKeys.most`. Empty if there is none. */
export function readKeys(set: unknown): readonly UsableKey[] {
  const { keys } = Object(set) as { readonly keys?: unknown };
  if (!Array.isArray(keys)) return [];
  const usable = keys.filter(isUsableKey).map(toKey);
  return usable.filter(isReadable).slice(0, clientKeys.most);
}

const toKey = (key: object): UsableKey =>
  Object.fromEntries(Object.entries(key).filter(([name, value]) => kept.includes(name) && typeof value === 'string'));

function isReadable(key: UsableKey): boolean {
  try {
    return createPublicKey({ key, format: 'jwk' }).type === 'public';
  } catch {
    return false;
  }
}

/** Tells whether a key may have signed a token. Without `kid` in the token, any may. */
export const mayHaveSigned = (key: UsableKey, kid: unknown): boolean => kid === undefined || key.kid === kid;
