import { hkdfSync } from 'node:crypto';
import { decrypt, encrypt } from '../../ground/encryption/cipher.ts';
import { refuseList } from '../../web/list.ts';

export type SealedCursors = ReturnType<typeof createSealedCursors>;

/**
 * Encrypts the cursors that programs get. A cursor names the last row that was read, which may be a user whom the program may not see.
 * @param key of any server of this database
 */
export function createSealedCursors(key: Buffer) {
  const sealingKey = Buffer.from(hkdfSync('sha256', key, '', 'cursors', 32));

  return {
    /** @param clientId of the only program that can use the cursor */
    seal: (cursor: string, clientId: string): string => encrypt(sealingKey, Buffer.from(cursor), clientId),

    /** Replaces the cursor in the query of a list. @throws {Refusal} `unreadable-list` */
    open(query: unknown, clientId: string): unknown {
      const { cursor = '', ...others } = query as Readonly<Record<string, unknown>>;
      if (cursor === '') return others;
      try {
        return { ...others, cursor: decrypt([sealingKey], String(cursor), clientId).toString() };
      } catch {
        return refuseList();
      }
    },
  };
}
