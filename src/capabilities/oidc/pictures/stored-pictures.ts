import type { Database } from '../../../ground/database/database.ts';
import type { Picture } from './read-picture.ts';

export const picturePath = '/oidc/pictures';

/** The address of a picture at this server. A changed picture gets another one, so browsers may store each. */
export const pictureAddress = (hash: string | undefined): string | undefined =>
  hash === undefined ? undefined : `${picturePath}/${hash}`;

/** Replaces the picture of a client, or removes it, in the transaction of the change. */
export async function replacePicture(db: Database, clientId: string, picture: Picture | undefined): Promise<void> {
  await db.deleteFrom('janua_pictures').where('client_id', '=', clientId).execute();
  if (picture === undefined) return;
  const { hash, bytes } = picture;
  await db
    .insertInto('janua_pictures')
    .values({ client_id: clientId, hash, data: bytes.toString('base64') })
    .execute();
}

/** Finds a picture. Several clients may have the same one. */
export async function findPicture(db: Database, hash: string): Promise<Buffer | undefined> {
  if (!/^[\w-]{43}$/.test(hash)) return undefined;
  const found = db.selectFrom('janua_pictures').select('data').where('hash', '=', hash).limit(1);
  const row = await found.executeTakeFirst();
  return row && Buffer.from(row.data, 'base64');
}
