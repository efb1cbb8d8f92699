import { randomBytes } from 'node:crypto';
import { Misconfiguration } from '../faults/misconfiguration.ts';

export type EncryptionKeys = ReturnType<typeof createEncryptionKeys>;

/** The storage of the keys, as text. */
export interface KeyStorage {
  /** The path, for messages to the operator. Undefined if there is no file. */
  readonly path?: string;
  read(): string | undefined;
  /** @param replaces whether an existing text is replaced. Otherwise it stays. */
  write(text: string, replaces: boolean): void;
}

const shape = /^[\w-]{43}(?:\n[\w-]{43})*\n?$/;

/**
 * Manages the keys that encrypt secrets in the database: 256 random bits each. The keys are not in the database, so that a copy of the
 * database is not enough to read the secrets (ASVS 13.3.1). Every method throws {Misconfiguration} if the keys cannot be read or written.
 */
export function createEncryptionKeys({ path = 'it', read, write }: KeyStorage) {
  function readKeys(): readonly Buffer[] {
    const text = read();
    if (text === undefined) return [];
    if (!shape.test(text))
      throw new Misconfiguration({
        message: 'The file with the encryption key does not have a key of 256 bits as base64url on each line.',
        fix: `Restore ${path} from its backup.`,
      });
    return text
      .trim()
      .split('\n')
      .map((line) => Buffer.from(line, 'base64url'));
  }

  const writeKeys = (keys: readonly Buffer[], replaces: boolean) =>
    write(keys.map((key) => `${key.toString('base64url')}\n`).join(''), replaces);

  return {
    /**
     * Returns the keys. The first key encrypts. The second key was the first before the last rotation, and only decrypts. Empty if no key
     * was made yet.
     */
    read: readKeys,
    /** Makes the first key, unless there is one. */
    create: () => writeKeys([randomBytes(32)], false),
    /** Puts a new key first. Of the other keys, only the latest remains. */
    rotate: () => writeKeys([randomBytes(32), ...readKeys().slice(0, 1)], true),
  };
}

export function createMemoryKeys(): EncryptionKeys {
  let stored: string | undefined;
  return createEncryptionKeys({
    read: () => stored,
    write(text, replaces) {
      if (replaces || stored === undefined) stored = text;
    },
  });
}
