import { createPublicKey, verify } from 'node:crypto';
import { mayHaveSigned, type UsableKey } from '../keys/foreign-keys.ts';

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
