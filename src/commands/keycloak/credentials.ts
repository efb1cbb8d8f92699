import { fromBase32 } from '../../capabilities/second-factor/base32.ts';
import { canVerify } from '../../core/users/import-columns.ts';
import type { ImportedTotp } from '../../core/users/imported-user.ts';
import { type Json, numberOf, objectOf, parseObject, textOf, textsOf } from './values.ts';

/** The digests of Keycloak's PBKDF2, with the bytes of each. */
const digests: ReadonlyMap<string, readonly [name: string, bytes: number]> = new Map([
  ['pbkdf2', ['sha1', 20]],
  ['pbkdf2-sha256', ['sha256', 32]],
  ['pbkdf2-sha512', ['sha512', 64]],
]);

const toBareBase64 = (bytes: Buffer) => bytes.toString('base64').replaceAll('=', '');

/** Reads Base64 as Keycloak writes it. Empty for any other text. */
function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : Buffer.alloc(0);
}

/**
 * Shortens a key to its first block, because Keycloak derives 64 bytes with any digest. PBKDF2 computes each block by itself (RFC 8018 5.2),
 * so an attacker compares no more than the first one either.
 */
function pbkdf2Of(algorithm: string, iterations: number, salt: Buffer, key: Buffer): string {
  const [digest, length] = digests.get(algorithm) ?? ['', 0];
  const first = key.subarray(0, length);
  return `$pbkdf2-${digest}$i=${iterations},l=${first.length}$${toBareBase64(salt)}$${toBareBase64(first)}`;
}

function argon2Of(parameters: Json, passes: number, salt: Buffer, key: Buffer): string {
  const parameter = (name: string) => textsOf(parameters, name)[0] ?? '';
  const version = parameter('version') === '1.3' ? 19 : 16;
  const costs = `m=${parameter('memory')},t=${passes},p=${parameter('parallelism')}`;
  return `$argon2${parameter('type')}$v=${version}$${costs}$${toBareBase64(salt)}$${toBareBase64(key)}`;
}

/** The JSON texts in a credential. Keycloak stores them so: `PasswordCredentialModel`, `OTPCredentialModel`. */
const dataOf = (credential: Json) => ({
  data: parseObject(textOf(credential, 'credentialData'), 'credentialData'),
  secret: parseObject(textOf(credential, 'secretData'), 'secretData'),
});

/**
 * Converts a password of Keycloak to a hash in a PHC string.
 * @returns the name of the algorithm alone if Janua cannot compute the hash
 * @throws {ChangeRefused} if a value has another type
 */
export function readPassword(credential: Json): { readonly hash?: string; readonly algorithm: string } {
  const { data, secret } = dataOf(credential);
  const algorithm = textOf(data, 'algorithm');
  const iterations = numberOf(data, 'hashIterations');
  const [salt, key] = [bytesOf(textOf(secret, 'salt')), bytesOf(textOf(secret, 'value'))];
  const hash = digests.has(algorithm)
    ? pbkdf2Of(algorithm, iterations, salt, key)
    : algorithm === 'argon2'
      ? argon2Of(objectOf(data, 'additionalParameters'), iterations, salt, key)
      : '';
  return canVerify(hash) ? { hash, algorithm } : { algorithm };
}

/** Bytes of a secret that is neither guessed (RFC 4226 4, R6) nor longer than the column. */
const secretBytes = { least: 16, most: 128 };

/**
 * Reads the secret of an authenticator app.
 * @returns undefined if Janua does not compute such codes: others than six digits each 30 seconds by SHA-1
 * @throws {ChangeRefused} if a value has another type
 */
export function readTotp(credential: Json): ImportedTotp | undefined {
  const { data, secret } = dataOf(credential);
  const value = textOf(secret, 'value');
  const encoding = textOf(data, 'secretEncoding').toUpperCase();
  const bytes = encoding === 'BASE32' ? fromBase32(value) : Buffer.from(encoding === '' ? value : '');
  const isUsual =
    textOf(data, 'subType') === 'totp' &&
    textOf(data, 'algorithm') === 'HmacSHA1' &&
    numberOf(data, 'digits') === 6 &&
    numberOf(data, 'period') === 30;
  const fits = bytes.length >= secretBytes.least && bytes.length <= secretBytes.most;
  return isUsual && fits ? { secret: bytes, createdAt: numberOf(credential, 'createdDate') } : undefined;
}
