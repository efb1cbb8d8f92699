import { randomUUID } from 'node:crypto';
import type { Database } from '../../ground/database/database.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import { sql } from '../../ground/database/kysely.ts';
import { tablesAboutUsers } from '../../ground/database/tables.ts';
import { type Account, createStamp, passwordFingerprint, type Verification } from './account.ts';
import { lastAdministrator } from './change-refused.ts';
import { admins } from './scopes.ts';
import { indexWords, searchRows } from './search.ts';
import type { NewUser, UserRegistry } from './user-directory.ts';

interface RegistryOptions {
  /** Whether the demo's users, whose passwords are public, may sign in. */
  readonly demoUsers: boolean;
  /** Canonical names that `ADMINISTRATORS` lists. These users are administrators if their address is proved. */
  readonly administrators: ReadonlySet<string>;
}

/** Adds and changes Janua's own accounts. */
export function createRegistry(database: Database, { demoUsers, administrators }: RegistryOptions): UserRegistry {
  const update = (id: string, db: Database) => db.updateTable('janua_users').where('id', '=', id);

  /** @param isByAddress whether the user loses only what `ADMINISTRATORS` gives to the address */
  async function requireOther(userId: string, db: Database, isByAddress = false): Promise<void> {
    const enabled = db
      .selectFrom('janua_users')
      .select('janua_users.id')
      .where('disabled', '=', 0)
      .where('login_name', 'is not', null)
      .limit(2);
    // An invited user who has not chosen a password yet cannot sign in.
    const other = (['janua_passkeys', 'janua_identities'] as const).map((table) =>
      db.selectFrom(table).select('user_id'),
    );
    const able = enabled.where((eb) =>
      eb.or([eb('password', '!=', ''), ...other.map((ids) => eb('janua_users.id', 'in', ids))]),
    );
    const real = demoUsers ? able : able.where('demo', '=', 0);
    const members = real.innerJoin('janua_memberships', 'user_id', 'janua_users.id').where('group_name', '=', admins);
    const listed = real
      .where('login_name', 'in', [...administrators])
      .where(sql`coalesce(address_proof, 'mail')`, '=', 'mail');
    const inGroup = await members.execute();
    if (isByAddress && inGroup.some(({ id }) => id === userId)) return;
    const rows = [...inGroup, ...(administrators.size > 0 ? await listed.execute() : [])];
    const ids = new Set(rows.map(({ id }) => id));
    if (ids.has(userId) && ids.size === 1) throw lastAdministrator();
  }

  async function addAll(users: readonly NewUser[], db: Database): Promise<string[]> {
    const rows = users.map(toRow);
    const names = rows.map(({ username }) => username);
    if (!demoUsers) await db.deleteFrom('janua_users').where('login_name', 'in', names).where('demo', '=', 1).execute();
    await insertAll(db, 'janua_users', rows);
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
      const rows = db.selectFrom('janua_users').select('username').where('login_name', 'in', usernames);
      const taken = demoUsers ? rows : rows.where('demo', '=', 0);
      return new Set((await taken.execute()).map(({ username }) => username));
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

    requireOtherAdministrator: requireOther,
  };
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
  password: passwordHash,
  first_name: firstName,
  last_name: lastName,
  demo: demo ? 1 : 0,
  disabled: disabled ? 1 : 0,
  created_at: Date.now(),
  stamp: createStamp(),
  language: language ?? null,
  address_proof: user.addressProof ?? null,
  ...(user.verification === undefined ? { verified_address: '' } : verifiedColumns(username, user.verification)),
});

export const verifiedColumns = (address: string, { how, by }: Verification) => ({
  verified_address: address,
  verified_how: how,
  verified_by: by ?? null,
  verified_at: Date.now(),
});

/**
 * Keeps the sessions of an account without a stamp. They carry a fingerprint of the name and the stored hash. It becomes the stamp before
 * either changes.
 */
export const keptStamp = (account: Account) => sql<string>`coalesce(stamp, ${passwordFingerprint(account)})`;
