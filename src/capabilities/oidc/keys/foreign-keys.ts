/**
 * Most usable keys of a client, and the length of an RSA modulus in base64url: 2048 to 4096 bits. A signature without `kid` is tried with
 * each key. An exponent as long as the modulus would make each try as expensive as a private-key operation.
 */
export const clientKeys = { most: 10, shortestModulus: 342, longestModulus: 683, exponent: 'AQAB' };

/** Tells whether a key can verify one of the algorithms in `clientAuthSigningAlgValues` (`provider/configuration.ts`). */
export function isUsableKey(key: unknown): boolean {
  const { kty, crv, n, e, use } = Object(key) as Readonly<Record<string, unknown>>;
  if (use === 'enc') return false;
  if (kty === 'EC') return crv === 'P-256';
  const { shortestModulus, longestModulus, exponent } = clientKeys;
  const { length = 0 } = typeof n === 'string' ? n : '';
  return kty === 'RSA' && e === exponent && length >= shortestModulus && length <= longestModulus;
}
