import { hash, randomUUID } from 'node:crypto';
import type { User } from '../../core/users/user.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';

/** Of many first requests at a time, one inserts the row. */
const keyOf = (user: Pick<User, 'id'>) => hash('sha256', JSON.stringify([user.id]), 'base64url');

/**
 * What applications know users by: a random UUID for each user, the same for all applications (OpenID Connect Core 8, `public`). It reveals
 * neither the address nor the id. Every method throws `Unavailable` when the database cannot be reached.
 */
export function createSubjects({ database, prepareLookup }: OpenDatabase) {
  const rows = database.selectFrom('janua_subjects').selectAll();
  const findRow = prepareLookup((userId) => rows.where('user_id', '=', userId), 'user_id');
  const findBySubject = prepareLookup((subject) => rows.where('subject', '=', subject), 'subject');

  return {
    /** The `sub` of a user who is no newcomer. It is made when it is first needed. */
    async subjectOf(user: Pick<User, 'id'>): Promise<string> {
      const [known] = await findRow(user.id);
      if (known !== undefined) return known.subject;
      const row = { id: keyOf(user), subject: randomUUID(), user_id: user.id };
      await insertNew(database.insertInto('janua_subjects').values(row));
      return (await rows.where('user_id', '=', user.id).executeTakeFirstOrThrow()).subject;
    },

    /** The same, if it has been made. */
    findSubject: async (user: Pick<User, 'id'>): Promise<string | undefined> => (await findRow(user.id))[0]?.subject,

    /** The id of the user whom a `sub` stands for. The user may be a newcomer, or gone. */
    findUserId: async (subject: string): Promise<string | undefined> => (await findBySubject(subject))[0]?.user_id,
  };
}
