import { InvalidFields } from '../../../core/access/refusal.ts';
import { clientKeys, readKeys, type UsableKey } from '../keys/foreign-keys.ts';

/** Characters of the longest key set: ten RSA keys of 4096 bits. */
export const longestKeys = 10_000;

interface Keys {
  readonly jwks: readonly UsableKey[];
  readonly jwksUri: string | undefined;
}

/** Tells whether a client proves itself by keys, and by nothing else (`private_key_jwt`, RFC 7523 2.2). */
export const hasKeys = ({ jwks, jwksUri }: Keys): boolean => jwks.length > 0 || jwksUri !== undefined;

/** Private parts of keys, and the secret of a symmetric one (RFC 7518 6). */
const privateMembers = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k'];

/**
 * Reads the key set of a client (RFC 7517 5). A key that Janua cannot use is refused, and not left out, because the client may sign with
 * it. Keys for encryption are left out.
 * @param text empty: no keys
 * @throws {InvalidFields}
 */
export function readClientKeys(text: string): readonly UsableKey[] {
  if (text.trim() === '') return [];
  const refuse = (code: 'not-client-keys' | 'private-key' | 'too-many', values?: { readonly count: number }) =>
    new InvalidFields({ field: 'jwks', code, ...(values && { values }) });
  const { keys: given } = Object(parseJson(text)) as { readonly keys?: unknown };
  if (!Array.isArray(given)) throw refuse('not-client-keys');
  if (given.some((key) => privateMembers.some((name) => name in Object(key)))) throw refuse('private-key');
  const signing = given.filter((key) => Object(key).use !== 'enc');
  if (signing.length > clientKeys.most) throw refuse('too-many', { count: clientKeys.most });
  const keys = readKeys({ keys: signing });
  if (keys.length === 0 || keys.length < signing.length) throw refuse('not-client-keys');
  return keys;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Returns the text that `readClientKeys` reads. */
export const textOfKeys = (keys: readonly UsableKey[]): string => (keys.length === 0 ? '' : JSON.stringify({ keys }));

/** Names the keys for the audit. */
export const nameKeys = ({ jwks, jwksUri }: Keys): string =>
  jwksUri === undefined
    ? `keys: ${jwks.map(({ kid, kty }) => kid ?? `${kty} without kid`).join(' ') || 'none'}`
    : `keys at ${jwksUri}`;
