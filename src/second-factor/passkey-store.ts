import type { Database } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import { insertNew } from '../database/insert-new.ts';
import type { PasskeysTable } from '../database/schema.ts';
import { hashSecret } from '../sessions/credential.ts';
import type { NewPasskey, UsedPasskey } from './ceremonies.ts';
import { columnsOf, type FactorOwner } from './owner.ts';

export interface StoredPasskey extends NewPasskey {
  readonly id: string;
  readonly owner: FactorOwner;
  readonly userHandle: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** Passkeys in the SQL database. Every method throws `Unavailable` when it cannot be reached. */
export function createPasskeyStore(database: Database) {
  return {
    async find(credentialId: string): Promise<StoredPasskey | undefined> {
      const query = database.selectFrom('janua_passkeys').selectAll().where('id', '=', passkeyId(credentialId));
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },

    /** The oldest first. */
    async listOf(owner: FactorOwner, db = database): Promise<StoredPasskey[]> {
      const query = db.selectFrom('janua_passkeys').selectAll();
      const own = query.where((eb) => eb.and(columnsOf(owner))).orderBy('created_at');
      return (await own.execute()).map(fromRow);
    },

    /** False if somebody has the credential already. A transaction must then be rolled back. */
    add: (passkey: StoredPasskey, db = database): Promise<boolean> =>
      insertNew(db.insertInto('janua_passkeys').values(toRow(passkey))),

    /** Stores a use. False if another with the same counter, or a later one, was first (WebAuthn 6.1.1): the passkey may have a copy. */
    async noteUse(id: string, { counter, synced }: UsedPasskey, time: Date): Promise<boolean> {
      const { numUpdatedRows } = await database
        .updateTable('janua_passkeys')
        .set({ counter, synced: Number(synced), last_used_at: time.getTime() })
        .where('id', '=', id)
        // Synced passkeys do not count.
        .where('counter', counter === 0 ? '=' : '<', counter)
        .executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    /** False if the owner has no such passkey. */
    async rename(owner: FactorOwner, id: string, name: string): Promise<boolean> {
      const own = database.updateTable('janua_passkeys').where((eb) => eb.and({ id, ...columnsOf(owner) }));
      return (await own.set({ name }).executeTakeFirst()).numUpdatedRows > 0n;
    },

    /** Removes one, or all without an `id`. False if there was none. */
    async remove(owner: FactorOwner, id?: string, db = database): Promise<boolean> {
      const own = db.deleteFrom('janua_passkeys').where((eb) => eb.and({ ...columnsOf(owner), ...(id && { id }) }));
      return (await countDeleted(own)) > 0;
    },
  };
}

/** The credential's own id may have 1,023 bytes, and no database has such long keys. */
export const passkeyId = (credentialId: string): string => hashSecret(credentialId);

const toRow = (passkey: StoredPasskey): PasskeysTable => ({
  ...{ id: passkey.id, ...columnsOf(passkey.owner), name: passkey.name, aaguid: passkey.aaguid },
  credential_id: passkey.credentialId,
  public_key: passkey.publicKey,
  user_handle: passkey.userHandle,
  counter: passkey.counter,
  syncable: Number(passkey.syncable),
  synced: Number(passkey.synced),
  transports: passkey.transports.join(' '),
  created_at: passkey.createdAt.getTime(),
  last_used_at: passkey.lastUsedAt?.getTime() ?? null,
});

const fromRow = ({ id, name, aaguid, ...row }: PasskeysTable): StoredPasskey => ({
  ...{ id, owner: { userId: row.user_id, username: row.username }, name, aaguid },
  credentialId: row.credential_id,
  publicKey: row.public_key,
  userHandle: row.user_handle,
  counter: Number(row.counter),
  syncable: row.syncable === 1,
  synced: row.synced === 1,
  transports: row.transports.split(' ').filter(Boolean) as StoredPasskey['transports'][number][],
  createdAt: new Date(Number(row.created_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
});
