import { randomUUID } from 'node:crypto';
import type { Database } from '../../ground/database/database.ts';
import { removeInBatches } from '../../ground/database/deletions.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import { sql } from '../../ground/database/kysely.ts';
import { tablesAboutUsers } from '../../ground/database/tables.ts';
import { type Account, createStamp, passwordFingerprint, type Verification } from './account.ts';
import { handleRows } from './handles.ts';
import { createKeepAdministrator, createRequireOther, type LastAdministratorOptions } from './last-administrator.ts';
import { indexWords, searchRows } from './search.ts';
import type { NewUser, UserRegistry } from './user-directory.ts';

/** The most accounts that one statement removes. */
const removedAtOnce = 500;

/** Adds and changes Janua's own accounts. */
export function createRegistry(database: Database, options: LastAdministratorOptions): UserRegistry {
  const { demoUsers } = options;
  const requireOther = createRequireOther(options);
  const keepAdministrator = createKeepAdministrator(options);
  const update = (id: string, db: Database) => db.updateTable('janua_users').where('id', '=', id);

  async function addAll(users: readonly NewUser[], db: Database): Promise<string[]> {
    const rows = users.map(toRow);
    const names = rows.map(({ username }) => username);
    if (!demoUsers) {
      const former = db.selectFrom('janua_users').select('id').where('login_name', 'in', names).where('demo', '=', 1);
      const ids = (await former.execute()).map(({ id }) => id);
      if (ids.length > 0) await removeAccounts(ids, db);
    }
    await insertAll(db, 'janua_users', rows);
    await insertAll(db, 'janua_handles', handleRows(rows));
    await insertAll(
      db,
      'janua_search',
      users.flatMap((user, index) => searchRows(rows[index]?.id ?? '', user)),
    );
    return rows.map(({ id }) => id);
  }

  return {
    async add(user, db = database) {
      let id: string | undefined;
      const isNew = await insertNew({
        async execute() {
          [id] = await addAll([user], db);
        },
      });
      return isNew ? id : undefined;
    },

    addAll,

    async findTaken(usernames, db) {
      const rows = db.selectFrom('janua_users').select(['id', 'username']).where('login_name', 'in', usernames);
      const taken = demoUsers ? rows : rows.where('demo', '=', 0);
      return new Map((await taken.execute()).map(({ id, username }) => [username, id]));
    },

    async setName({ user: { id }, db }, { firstName, lastName }) {
      await update(id, db).set({ first_name: firstName, last_name: lastName }).execute();
      await indexWords(id, { firstName, lastName }, db);
    },

    requireOtherByAddress: (userId, db = database) => requireOther(userId, db, true),

    async setUsername({ account, user: { id }, db }, username, verification = { how: 'mail' }) {
      await requireOther(id, db, true);
      await db.updateTable('janua_memberships').set({ username }).where('user_id', '=', id).execute();
      await indexWords(id, { username }, db);
      const changed = { username, login_name: username, stamp: keptStamp(account), address_proof: 'changed' };
      return insertNew(update(id, db).set({ ...changed, ...verifiedColumns(username, verification) }));
    },

    async setDisabled({ user: { id }, db }, disabled) {
      if (disabled) await requireOther(id, db);
      await update(id, db)
        .set({ disabled: disabled ? 1 : 0 })
        .execute();
    },

    async remove({ user: { id }, db }) {
      await requireOther(id, db);
      await removeAccounts([id], db);
    },

    removeAll: (ids, db) =>
      keepAdministrator(db, async () => {
        for (let first = 0; first < ids.length; first += removedAtOnce)
          await removeAccounts(ids.slice(first, first + removedAtOnce), db);
      }),

    requireOtherAdministrator: requireOther,
  };
}

/** Forgets which users a removed program has added, in batches, because there may be very many. */
export async function disownUsers(database: Database, clientId: string): Promise<void> {
  await removeInBatches(async (limit) => {
    const own = database.selectFrom('janua_users').select('id').where('added_by', '=', clientId).limit(limit);
    const ids = (await own.execute()).map(({ id }) => id);
    if (ids.length > 0)
      await database.updateTable('janua_users').set({ added_by: null }).where('id', 'in', ids).execute();
    return ids.length;
  });
}

/** Removes accounts with everything about them. */
export async function removeAccounts(ids: readonly string[], db: Database): Promise<void> {
  for (const table of tablesAboutUsers) await db.deleteFrom(table).where('user_id', 'in', ids).execute();
  await db.deleteFrom('janua_users').where('id', 'in', ids).execute();
}

const toRow = ({ username, firstName, lastName, passwordHash, demo, disabled, language, ...user }: NewUser) => ({
  id: randomUUID(),
  login_name: username,
  username,
  handle: user.handle ?? null,
  password: passwordHash,
  first_name: firstName,
  last_name: lastName,
  demo: demo ? 1 : 0,
  disabled: disabled ? 1 : 0,
  created_at: Date.now(),
  stamp: createStamp(),
  language: language ?? null,
  address_proof: user.addressProof ?? null,
  added_by: user.addedBy ?? null,
  import_id: user.importId ?? null,
  invite_by: user.inviteBy ?? null,
  ...(user.verification === undefined ? { verified_address: '' } : verifiedColumns(username, user.verification)),
});

export const verifiedColumns = (address: string, { how, by }: Verification) => ({
  verified_address: address,
  verified_how: how,
  verified_by: by ?? null,
  verified_at: Date.now(),
});

/**
 * Keeps the sessions of an account without a stamp, which carry a fingerprint of the name and the stored password (`stampOf`). Before
 * either of them changes, the fingerprint becomes the stamp.
 */
export const keptStamp = (account: Account) => sql<string>`coalesce(stamp, ${passwordFingerprint(account)})`;
