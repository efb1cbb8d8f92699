import { hash, randomUUID } from 'node:crypto';
import type { User } from '../../core/users/user.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import { insertNew } from '../../ground/database/insert-new.ts';

/** Of many first requests at a time, one inserts the row. */
const keyOf = (userId: string, owner: string) => hash('sha256', JSON.stringify([userId, owner]), 'base64url');

/**
 * What applications know users by: a random UUID for each user, the same for all applications (OpenID Connect Core 8, `public`). It reveals
 * neither the address nor the id. Every method throws `Unavailable` when the database cannot be reached.
 * @param ownerOf empty for Janua's own table, and the name of a user of a team's own table: an id may be given to another person there
 */
export function createSubjects({ database, prepareLookup }: OpenDatabase, ownerOf: (user: User) => string) {
  const rows = database.selectFrom('janua_subjects').selectAll();
  const findRow = prepareLookup((id) => rows.where('id', '=', id), 'id');
  const findBySubject = prepareLookup((subject) => rows.where('subject', '=', subject), 'subject');

  return {
    /** The `sub` of a user. It is made when it is first needed. */
    async subjectOf(user: User): Promise<string> {
      const owner = ownerOf(user);
      const id = keyOf(user.id, owner);
      const [known] = await findRow(id);
      if (known !== undefined) return known.subject;
      const row = { id, subject: randomUUID(), user_id: user.id, owner };
      await insertNew(database.insertInto('janua_subjects').values(row));
      const stored = rows.where('id', '=', id);
      return (await stored.executeTakeFirstOrThrow()).subject;
    },

    /** Whom a `sub` stands for. The user may be gone by now. */
    async findUser(subject: string): Promise<{ userId: string; owner: string } | undefined> {
      const [row] = await findBySubject(subject);
      return row && { userId: row.user_id, owner: row.owner };
    },
  };
}
