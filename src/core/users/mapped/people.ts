import type { Database, Engine } from '../../../ground/database/database.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { stampedTables } from '../../../ground/database/schema.ts';
import { type Account, stampOf } from '../account.ts';
import { countChange } from '../sql-directory.ts';

/** The tables whose rows have the name of their user, in this column. */
const named = {
  janua_passkeys: 'username',
  janua_totp: 'username',
  janua_recovery_codes: 'username',
  janua_memberships: 'username',
  janua_identities: 'username',
  janua_access_tokens: 'owner',
  janua_consents: 'owner',
  janua_subjects: 'owner',
} as const;

/**
 * Rows of ours for the users of a team's own table, which has no column for a stamp, and whose rows may not be ours to lock. A team may
 * give an id to another person, or another name to a user: Janua cannot tell the one from the other, and clears what it stored.
 */
export function createPeople(engine: Engine) {
  const rowOf = (id: string, db: Database) => db.updateTable('janua_people').where('user_id', '=', id);

  /** Locks the row of an id. False if there is none. */
  const lock = async (id: string, db: Database): Promise<boolean> =>
    (await rowOf(id, db).set(countChange).executeTakeFirst()).numUpdatedRows > 0n;

  /** Adds the row of an id, unless another transaction does, and locks it. */
  async function add(id: string, username: string, db: Database): Promise<void> {
    const login = db.selectFrom('janua_logins').select('username').where('user_id', '=', id);
    // Before there was such a row, logins were noted with the name.
    const known = (await login.executeTakeFirst())?.username ?? username;
    const row = db
      .insertInto('janua_people')
      .values({ user_id: id, username: known, since: 0, stamp: null, changes: 0 });
    await (engine === 'mysql' ? row.ignore() : row.onConflict((conflict) => conflict.doNothing())).execute();
    await lock(id, db);
  }

  /** Removes what belongs to another name than that of the id's user. */
  async function clear(account: Account, db: Database): Promise<void> {
    const { id, username } = account.user;
    for (const [table, column] of Object.entries(named))
      await sql`delete from ${sql.table(table)} where user_id = ${id} and ${sql.ref(column)} <> ${username}`.execute(
        db,
      );
    for (const table of stampedTables)
      await db.deleteFrom(table).where('user_id', '=', id).where('stamp', '<>', stampOf(account)).execute();
    await db.deleteFrom('janua_oidc_records').where('user_id', '=', id).execute();
    // They still go out, to the address of the former user.
    const mails = db.updateTable('janua_mails').set({ user_id: null }).where('user_id', '=', id);
    await mails.where('address', '<>', username).execute();
  }

  return {
    /** Locks the row of an account, and makes it the row of its present user. @param read gives the account as it is now */
    async lock(id: string, db: Database, read: () => Promise<Account | undefined>): Promise<Account | undefined> {
      if (!(await lock(id, db))) {
        const stranger = await read();
        if (stranger === undefined) return undefined;
        await add(id, stranger.user.username, db);
      }
      const account = await read();
      if (account?.isNewcomer !== true) return account;
      await clear(account, db);
      const { username } = account.user;
      await rowOf(id, db).set({ username, since: Date.now(), stamp: null }).execute();
      return read();
    },

    async findSince(id: string, db: Database): Promise<number> {
      const row = db.selectFrom('janua_people').select('since').where('user_id', '=', id);
      return Number((await row.executeTakeFirst())?.since ?? 0);
    },

    async renewStamp(id: string, stamp: string, db: Database): Promise<void> {
      await rowOf(id, db).set({ stamp }).execute();
    },
  };
}
