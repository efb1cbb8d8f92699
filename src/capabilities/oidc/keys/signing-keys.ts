import { generateKeyPair, hash, type webcrypto } from 'node:crypto';
import { promisify } from 'node:util';
import type { Database } from '../../../ground/database/database.ts';
import { encryptionContext, hasEncrypted } from '../../../ground/database/encrypted.ts';
import { insertAll, insertNew } from '../../../ground/database/insert-new.ts';
import type { Row } from '../../../ground/database/schema.ts';
import { inTransaction } from '../../../ground/database/transaction.ts';
import type { Cipher } from '../../../ground/encryption/cipher.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { RetiredKeys } from './retired-keys.ts';

const generate = promisify(generateKeyPair);

/**
 * Algorithms that sign tokens: RS256, which every library can verify (RFC 9068 2.1), and ES256, whose signatures are shorter and take less
 * time.
 */
export const signatures = ['RS256', 'ES256'] as const;
export type Signature = (typeof signatures)[number];

/** Key generators: P-256, and RSA with 2048 bits (RFC 7518 3.3). */
export const keyGenerators = {
  ES256: async () => (await generate('ec', { namedCurve: 'P-256' })).privateKey,
  RS256: async () => (await generate('rsa', { modulusLength: 2048 })).privateKey,
};

/** Milliseconds for which a retired key is published: longer than any token that it has signed is valid. */
const overlapMilliseconds = 24 * 60 * 60 * 1000;

/** Milliseconds for which a new key is published before it signs: until then, another process may not know it yet. */
const announcedMilliseconds = 2 * 60 * 1000;

/** `Retry-After` in seconds, if a key cannot be decrypted. The operator has to correct that. */
const retryAfter = 60;

/** A private key (RFC 7517). */
export interface SigningKey extends webcrypto.JsonWebKey {
  readonly kid: string;
  readonly alg: Signature;
  readonly use: 'sig';
}

export interface LoadedKeys {
  /** Differs for another list of keys. */
  readonly version: string;
  /** The library signs with the first key of an algorithm, so new keys that do not sign yet are last. See `readRows`. */
  readonly keys: SigningKey[];
}

/** RFC 7638: the members in the order of their names. */
export function thumbprintOf({ crv, e, kty, n, x, y }: webcrypto.JsonWebKey): string {
  return hash('sha256', JSON.stringify(kty === 'RSA' ? { e, kty, n } : { crv, kty, x, y }), 'base64url');
}

const contextOf = (kid: string) => encryptionContext('janua_signing_keys', kid);

/**
 * The keys that sign ID tokens and access tokens. The private keys are encrypted in the database (ASVS 13.3.1), and shared by all
 * processes. Every method throws `Unavailable` when the database cannot be reached, or the encryption key is missing.
 * @param keepRetired called with each key before it is deleted
 * @param now milliseconds since 1970
 */
export function createSigningKeys(
  database: Database,
  cipher: Cipher,
  keepRetired: RetiredKeys['keep'],
  now: () => number,
) {
  const rows = (db: Database) => db.selectFrom('janua_signing_keys');

  async function make(algorithm: Signature) {
    const jwk = (await keyGenerators[algorithm]()).export({ format: 'jwk' });
    const id = thumbprintOf(jwk);
    const private_key = cipher.encrypt(Buffer.from(JSON.stringify(jwk)), contextOf(id));
    return { id, algorithm, private_key, created_at: now(), retired_at: null };
  }

  /**
   * Makes the missing keys. Only one process makes them: each first updates the same row of `janua_leases`, and the others wait for its
   * lock.
   * @param recordRotation records that the present keys are retired. Undefined if they stay
   */
  async function makeMissing(recordRotation?: (db: Database) => Promise<void>): Promise<void> {
    await cipher.prepare(async () => !(await hasEncrypted(database)));
    // Keys are made before the transaction, because generating an RSA key takes longer than a transaction should.
    const made = await Promise.all(signatures.map(make));
    const name = 'signing-keys';
    await insertNew(database.insertInto('janua_leases').values({ name, expires_at: 0 }));
    await inTransaction(database, async (db) => {
      await db.updateTable('janua_leases').set({ expires_at: now() }).where('name', '=', name).execute();
      const living = db.updateTable('janua_signing_keys').where('retired_at', 'is', null);
      if (recordRotation !== undefined) await living.set({ retired_at: now() }).execute();
      const present = await rows(db).select('algorithm').where('retired_at', 'is', null).execute();
      const missing = made.filter(({ algorithm }) => !present.some((row) => row.algorithm === algorithm));
      await insertAll(db, 'janua_signing_keys', missing);
      await recordRotation?.(db);
    });
  }

  /**
   * Reads the rows of keys in use, then of retired keys, the latest first, then of announced keys, which do not sign yet
   * (`announcedMilliseconds`). Deletes keys that are no longer published (`overlapMilliseconds`).
   */
  async function readRows() {
    const all = await rows(database).selectAll().orderBy('algorithm').execute();
    const over = now() - overlapMilliseconds;
    const isOver = ({ retired_at }: (typeof all)[number]) => retired_at !== null && Number(retired_at) <= over;
    for (const row of all.filter(isOver)) {
      const key = open(row);
      if (key !== undefined) await keepRetired(key, Number(row.retired_at) + overlapMilliseconds);
    }
    if (all.some(isOver)) await database.deleteFrom('janua_signing_keys').where('retired_at', '<=', over).execute();
    const endOf = ({ retired_at }: (typeof all)[number]) => Number(retired_at ?? Number.MAX_SAFE_INTEGER);
    const isAnnounced = ({ created_at }: (typeof all)[number]) => Number(created_at) > now() - announcedMilliseconds;
    const latest = all.filter((row) => !isOver(row)).sort((one, other) => endOf(other) - endOf(one));
    return [...latest.filter((row) => !isAnnounced(row)), ...latest.filter(isAnnounced)];
  }

  function open({ id, algorithm, private_key, retired_at }: Row<'janua_signing_keys'>) {
    const opened = cipher.decrypt(private_key, contextOf(id));
    if (opened !== undefined)
      return { ...JSON.parse(opened.toString()), kid: id, alg: algorithm, use: 'sig' } as SigningKey;
    // A key in use that cannot be decrypted is not replaced, because that would hide the fault from the operator. Without a retired key,
    // only the tokens that it has signed become invalid.
    if (retired_at === null) throw new Unavailable('Signing', retryAfter, new Error('a key cannot be decrypted'));
    return undefined;
  }

  return {
    /** Returns the keys in use, and keys that were retired within 24 hours. Makes missing keys. */
    async load(): Promise<LoadedKeys> {
      let found = await readRows();
      const isUsed = (name: Signature) => found.some((row) => row.algorithm === name && row.retired_at === null);
      if (!signatures.every(isUsed)) {
        await makeMissing();
        found = await readRows();
      }
      const keys = found.map(open).filter((key) => key !== undefined);
      return { version: hash('sha256', keys.map(({ kid }) => kid).join(), 'base64url'), keys };
    },

    /**
     * Retires the present keys, and makes new ones. Running servers publish them within a minute, and sign with them two minutes later at
     * most.
     * @param recordIn records the rotation in its transaction
     */
    rotate: (recordIn: (db: Database) => Promise<void> = async () => {}): Promise<void> => makeMissing(recordIn),
  };
}
