import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import type { User } from './user.ts';

/** Notes that a user logs in now. */
export type NoteLogin = LastLogins['noteLogin'];

export type LastLogins = ReturnType<typeof createLastLogins>;

/** Stores when each user logged in last. */
export function createLastLogins(database: Database, now: () => number) {
  return {
    async noteLogin({ id }: Pick<User, 'id'>): Promise<void> {
      const login = { at: now() };
      const known = database.updateTable('janua_logins').set(login).where('user_id', '=', id);
      if ((await known.executeTakeFirst()).numUpdatedRows === 0n)
        await insertNew(database.insertInto('janua_logins').values({ user_id: id, ...login }));
    },

    async findLastLogin({ id }: Pick<User, 'id'>): Promise<Date | undefined> {
      const row = await database.selectFrom('janua_logins').select('at').where('user_id', '=', id).executeTakeFirst();
      return row && new Date(Number(row.at));
    },
  };
}
