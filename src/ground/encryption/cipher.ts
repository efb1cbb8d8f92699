import { createCipheriv, createDecipheriv, hash, randomBytes } from 'node:crypto';
import type { Log } from '../faults/log.ts';
import { Misconfiguration } from '../faults/misconfiguration.ts';
import { Unavailable } from '../faults/unavailable.ts';
import type { EncryptionKeys } from './keys.ts';

export type Cipher = ReturnType<typeof createCipher>;

/** Seconds after which another attempt makes sense, once the operator has corrected the fault. */
const retryAfter = 60;

const missing = {
  message: 'The encryption key is missing, but the database has secrets that were encrypted with it.',
  fix: 'Copy its file from a backup or from another server. If it is lost, run: ./bin/janua keys rotate encryption',
};

/**
 * Encrypts secrets for the database (ASVS 11.3.2, 11.3.3). If that fails, the log says why.
 * @param onFault called when a key or a secret cannot be used
 */
export function createCipher(keys: EncryptionKeys, log: Pick<Log, 'error'>, onFault = () => {}) {
  function unavailable(fault: unknown): unknown {
    if (!(fault instanceof Misconfiguration)) return fault;
    log.error({ event: 'encryption_unavailable', reason: fault.message }, 'secrets cannot be encrypted');
    onFault();
    return new Unavailable('Encryption', retryAfter, fault);
  }

  return {
    /**
     * Makes the key if there is none.
     * @param isFirst tells whether the database has no encrypted text. If it has one, a missing key is a fault, which a new key would hide
     * @throws {Unavailable} if the key is missing, and must not or cannot be made
     */
    async prepare(isFirst: () => Promise<boolean>): Promise<void> {
      try {
        if (keys.read().length > 0) return;
        if (!(await isFirst())) throw new Misconfiguration(missing);
        keys.create();
      } catch (fault) {
        throw unavailable(fault);
      }
    },

    /**
     * @param context names the place of the secret. With another context, the text cannot be decrypted @throws {Unavailable} without a key
     */
    encrypt(secret: Buffer, context: string): string {
      try {
        const [key] = keys.read();
        if (key === undefined) throw new Misconfiguration(missing);
        return encrypt(key, secret, context);
      } catch (fault) {
        throw unavailable(fault);
      }
    },

    /** Decrypts a text. Undefined if that fails, for example in a copy of the database without the key. */
    decrypt(sealed: string, context: string): Buffer | undefined {
      try {
        return decrypt(keys.read(), sealed, context);
      } catch (fault) {
        const reason = fault instanceof Error ? fault.message : undefined;
        log.error({ event: 'secret_unreadable', reason }, 'a secret in the database cannot be decrypted');
        onFault();
        return undefined;
      }
    },
  };
}

export const keyPrefixSize = 8;

/** Returns the beginning of every text that was encrypted with a key: the version of the format, and some bits of the key's hash. */
export const keyPrefix = (key: Buffer) => `1.${hash('sha256', key, 'base64url').slice(0, keyPrefixSize - 2)}`;

const algorithm = 'aes-256-gcm';
const nonceBytes = 12;
const tagBytes = 16;

/** Random nonces of 96 bits are safe for 2^32 secrets of one key (NIST SP 800-38D 8.3). */
export function encrypt(key: Buffer, secret: Buffer, context: string): string {
  const nonce = randomBytes(nonceBytes);
  const cipher = createCipheriv(algorithm, key, nonce).setAAD(Buffer.from(context));
  const sealed = Buffer.concat([nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
  return `${keyPrefix(key)}.${sealed.toString('base64url')}`;
}

/** @throws {Error} if none of the keys fits, the text was changed, or it has another context */
export function decrypt(keys: readonly Buffer[], text: string, context: string): Buffer {
  const key = keys.find((key) => text.startsWith(`${keyPrefix(key)}.`));
  if (key === undefined) throw new Error('It was encrypted with a key that is not here.');
  const sealed = Buffer.from(text.slice(keyPrefixSize + 1), 'base64url');
  const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, nonceBytes), { authTagLength: tagBytes })
    .setAAD(Buffer.from(context))
    .setAuthTag(sealed.subarray(-tagBytes));
  return Buffer.concat([decipher.update(sealed.subarray(nonceBytes, -tagBytes)), decipher.final()]);
}
