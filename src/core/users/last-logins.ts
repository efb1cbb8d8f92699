import type { Database } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';
import type { User } from './user.ts';

/** Notes that a user logs in now. */
export type NoteLogin = (user: User) => Promise<unknown>;

/**
 * Keeps when each user logged in last, for administrators. In a team's own table an id may be given to another person, so the row has the
 * name too.
 */
export function createNoteLogin(database: Database, ownUsers: boolean, now: () => number): NoteLogin {
  return async ({ id, username }) => {
    const login = { username: ownUsers ? '' : username, at: now() };
    const known = database.updateTable('janua_logins').set(login).where('user_id', '=', id);
    if ((await known.executeTakeFirst()).numUpdatedRows === 0n)
      await insertNew(database.insertInto('janua_logins').values({ user_id: id, ...login }));
  };
}
