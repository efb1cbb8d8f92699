import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import { nameInRows } from './rows-of.ts';
import type { User } from './user.ts';

/** Notes that a user logs in now. */
export type NoteLogin = (user: User) => Promise<unknown>;

/** Keeps when each user logged in last, for administrators. */
export function createNoteLogin(database: Database, now: () => number): NoteLogin {
  return async (user) => {
    const login = { username: nameInRows(user), at: now() };
    const known = database.updateTable('janua_logins').set(login).where('user_id', '=', user.id);
    if ((await known.executeTakeFirst()).numUpdatedRows === 0n)
      await insertNew(database.insertInto('janua_logins').values({ user_id: user.id, ...login }));
  };
}
