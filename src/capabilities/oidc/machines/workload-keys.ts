import { createPublicKey, verify, type webcrypto } from 'node:crypto';
import { clientKeys, isUsableKey } from '../keys/foreign-keys.ts';

/** A public key of another issuer (RFC 7517 4), with no other members. */
export type UsableKey = Pick<webcrypto.JsonWebKey, 'kty' | 'n' | 'e' | 'crv' | 'x' | 'y' | 'alg'> & {
  readonly kid?: string;
};

const kept = ['kty', 'n', 'e', 'crv', 'x', 'y', 'alg', 'kid'];

/**
 * The signatures of a workload's token, by `alg`, with the kind of key of each. The key decides, whatever the token says (RFC 8725 3.1). An
 * HMAC is no proof: its key would be a text that is public here.
 */
const algorithms: Readonly<Record<string, { readonly kty: string; readonly digest: string | null }>> = {
  RS256: { kty: 'RSA', digest: 'sha256' },
  ES256: { kty: 'EC', digest: 'sha256' },
  EdDSA: { kty: 'OKP', digest: null },
};

export const algorithmNames: readonly string[] = Object.keys(algorithms);

/** Reads the usable keys of a key set: at most `clientKeys.most`. Empty if there is none. */
export function readKeys(set: unknown): readonly UsableKey[] {
  const { keys } = Object(set) as { readonly keys?: unknown };
  if (!Array.isArray(keys)) return [];
  const usable = keys.filter((key) => isUsableKey(key) || isEd25519(key)).map(toKey);
  return usable.filter(isReadable).slice(0, clientKeys.most);
}

const isEd25519 = (key: unknown): boolean => {
  const { kty, crv, use } = Object(key) as Readonly<Record<string, unknown>>;
  return kty === 'OKP' && crv === 'Ed25519' && use !== 'enc';
};

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

/** Tells whether one of the keys has signed the token. @param alg one of `algorithmNames` */
export function isSigned(token: string, { alg, kid }: Readonly<Record<string, unknown>>, keys: readonly UsableKey[]) {
  const algorithm = algorithms[String(alg)];
  const end = token.lastIndexOf('.');
  const signed = Buffer.from(token.slice(0, end));
  const signature = Buffer.from(token.slice(end + 1), 'base64url');
  return keys.some((key) => {
    if (algorithm === undefined || key.kty !== algorithm.kty || !mayHaveSigned(key, kid)) return false;
    if (key.alg !== undefined && key.alg !== alg) return false;
    const verifier = { key: createPublicKey({ key, format: 'jwk' }), dsaEncoding: 'ieee-p1363' } as const;
    return verify(algorithm.digest, signed, verifier, signature);
  });
}
