import type { Database, Engine } from '../../../ground/database/database.ts';
import { sql } from '../../../ground/database/kysely.ts';
import { rows, type Tables } from '../../../ground/database/schema.ts';
import { tablesAboutUsers } from '../../../ground/database/tables.ts';
import { type Account, stampOf } from '../account.ts';
import { countChange } from '../sql-directory.ts';

/** Janua's own users alone are in it, and not every server may write it. A login that is noted takes its row over. */
const untouched: readonly string[] = ['janua_search', 'janua_logins'];

const aboutUsers = tablesAboutUsers.filter((table) => !untouched.includes(table));

/** The column with the name of the user, in which processes of the version before tell the users of an id apart. */
const nameColumn = (table: keyof Tables) =>
  (['username', 'owner'] as const).find((column) => column in rows[table] && !('stamp' in rows[table]));

const [named, nameless] = [true, false].map((isNamed) =>
  aboutUsers.filter((table) => (nameColumn(table) !== undefined) === isNamed),
) as [typeof aboutUsers, typeof aboutUsers];

/**
 * Rows of ours for the users of a team's own table, which has no column for a stamp, and whose rows may not be ours to lock. A team may
 * give an id to another person, or another name to a user: Janua cannot tell the one from the other, and clears what it stored.
 */
export function createPeople(engine: Engine) {
  const rowOf = (id: string, db: Database) => db.updateTable('janua_people').where('user_id', '=', id);

  /** Locks the row of an id. False if there is none. */
  const lock = async (id: string, db: Database): Promise<boolean> =>
    (await rowOf(id, db).set(countChange).executeTakeFirst()).numUpdatedRows > 0n;

  /** Adds the row of an id, unless another transaction does, and locks it. Without a name, every user of the id is a newcomer. */
  async function add(id: string, db: Database): Promise<void> {
    const row = db.insertInto('janua_people').values({ user_id: id, username: '', since: 0, stamp: null, changes: 0 });
    await (engine === 'mysql' ? row.ignore() : row.onConflict((conflict) => conflict.doNothing())).execute();
    await lock(id, db);
  }

  /**
   * Removes all that is under the id of a newcomer, but what processes of the version before have stored for the newcomer.
   * @returns whether another person had the id
   */
  async function clear(account: Account, db: Database): Promise<boolean> {
    const { id, username } = account.user;
    const remove = async (table: (typeof aboutUsers)[number], isOther = sql`1 = 1`) =>
      (await sql`delete from ${sql.table(table)} where user_id = ${id} and ${isOther}`.execute(db)).numAffectedRows;
    const counts: (bigint | undefined)[] = [];
    for (const table of named)
      counts.push(await remove(table, sql`${sql.ref(nameColumn(table) ?? '')} <> ${username}`));
    const login = db.updateTable('janua_logins').set({ username, at: 0 }).where('user_id', '=', id);
    counts.push((await login.where('username', '<>', username).executeTakeFirst()).numUpdatedRows);
    if (!account.replacesUser && !counts.some(Boolean)) return false;
    for (const table of nameless)
      await remove(table, 'stamp' in rows[table] ? sql`coalesce(stamp, '') <> ${stampOf(account)}` : undefined);
    // They still go out, to the address of the former user.
    const mails = db.updateTable('janua_mails').set({ user_id: null }).where('user_id', '=', id);
    await mails.where('address', '<>', username).execute();
    return true;
  }

  return {
    /** Locks the row of an account, and makes it the row of its present user. @param read gives the account as it is now */
    async lock(
      id: string,
      db: Database,
      read: () => Promise<Account | undefined>,
      now = Date.now(),
    ): Promise<Account | undefined> {
      if (!(await lock(id, db))) {
        if ((await read()) === undefined) return undefined;
        await add(id, db);
      }
      const account = await read();
      if (!account?.user.isNewcomer) return account;
      const since = (await clear(account, db)) ? now : 0;
      await rowOf(id, db).set({ username: account.user.username, since, stamp: null }).execute();
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
