import type { Database } from '../database/database.ts';
import { countDeleted } from '../database/deletions.ts';
import { insertNew } from '../database/insert-new.ts';
import type { PasskeysTable } from '../database/schema.ts';
import { hashSecret } from '../sessions/credential.ts';
import type { NewPasskey, UsedPasskey } from './ceremonies.ts';

/** Whose passkeys are meant. */
export interface PasskeyOwner {
  readonly userId: string;
  /** Empty for Janua's own accounts. In a team's own table an id may be given to another person: passkeys of another name are void. */
  readonly username: string;
}

export interface StoredPasskey extends NewPasskey {
  readonly id: string;
  readonly owner: PasskeyOwner;
  readonly userHandle: string;
  readonly name: string;
  readonly createdAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** Passkeys in the SQL database. Every method throws `Unavailable` when it cannot be reached. */
export function createPasskeyStore(database: Database) {
  const ofOwner = ({ userId, username }: PasskeyOwner) => ({ user_id: userId, username });

  return {
    async find(credentialId: string): Promise<StoredPasskey | undefined> {
      const query = database.selectFrom('janua_passkeys').selectAll().where('id', '=', passkeyId(credentialId));
      const row = await query.executeTakeFirst();
      return row && fromRow(row);
    },

    /** The oldest first. */
    async listOf({ userId, username }: PasskeyOwner, db = database): Promise<StoredPasskey[]> {
      const query = db.selectFrom('janua_passkeys').selectAll().where('user_id', '=', userId);
      return (await query.where('username', '=', username).orderBy('created_at').execute()).map(fromRow);
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
    async rename(owner: PasskeyOwner, id: string, name: string): Promise<boolean> {
      const update = database.updateTable('janua_passkeys').set({ name }).where('id', '=', id);
      const { numUpdatedRows } = await update.where((eb) => eb.and(ofOwner(owner))).executeTakeFirst();
      return numUpdatedRows > 0n;
    },

    /** False if the owner has no such passkey. */
    async remove(owner: PasskeyOwner, id: string, db = database): Promise<boolean> {
      const deletion = db.deleteFrom('janua_passkeys').where('id', '=', id);
      return (await countDeleted(deletion.where((eb) => eb.and(ofOwner(owner))))) > 0;
    },

    async removeAll(owner: PasskeyOwner, db = database): Promise<void> {
      await db
        .deleteFrom('janua_passkeys')
        .where((eb) => eb.and(ofOwner(owner)))
        .execute();
    },
  };
}

/** The credential's own id may have 1,023 bytes, and no database has such long keys. */
export const passkeyId = (credentialId: string): string => hashSecret(credentialId);

const toRow = (passkey: StoredPasskey): PasskeysTable => ({
  id: passkey.id,
  user_id: passkey.owner.userId,
  username: passkey.owner.username,
  credential_id: passkey.credentialId,
  public_key: passkey.publicKey,
  user_handle: passkey.userHandle,
  counter: passkey.counter,
  syncable: Number(passkey.syncable),
  synced: Number(passkey.synced),
  transports: passkey.transports.join(' '),
  aaguid: passkey.aaguid,
  name: passkey.name,
  created_at: passkey.createdAt.getTime(),
  last_used_at: passkey.lastUsedAt?.getTime() ?? null,
});

const fromRow = (row: PasskeysTable): StoredPasskey => ({
  id: row.id,
  owner: { userId: row.user_id, username: row.username },
  credentialId: row.credential_id,
  publicKey: row.public_key,
  userHandle: row.user_handle,
  counter: Number(row.counter),
  syncable: row.syncable === 1,
  synced: row.synced === 1,
  transports: row.transports.split(' ').filter(Boolean),
  aaguid: row.aaguid,
  name: row.name,
  createdAt: new Date(Number(row.created_at)),
  lastUsedAt: row.last_used_at === null ? undefined : new Date(Number(row.last_used_at)),
});
