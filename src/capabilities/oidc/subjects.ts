import { hash, randomUUID } from 'node:crypto';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import { findHandleOwners } from '../../core/users/handles.ts';
import type { Held } from '../../core/users/held.ts';
import type { ImportedUser, ImportPort } from '../../core/users/imported-user.ts';
import type { User } from '../../core/users/user.ts';
import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';

/**
 * Derives the id of the row from the id of the user. If several first requests of a user come at once, only one of them can insert the row.
 */
const keyOf = (user: Pick<User, 'id'>) => hash('sha256', JSON.stringify([user.id]), 'base64url');

/** Returns those of the subjects that another user has, or that name something else, each with the id of its user. */
async function findOwners(subjects: readonly string[], db: Database): Promise<Map<string, string | undefined>> {
  const users = db.selectFrom('janua_subjects').select(['subject as name', 'user_id as id']);
  const clients = db.selectFrom('janua_clients').select('id as name').where('id', 'in', subjects);
  const resources = db.selectFrom('janua_resources').select('client_id as name').where('client_id', 'in', subjects);
  return new Map([
    ...(await users.where('subject', 'in', subjects).execute()).map(({ name, id }) => [name, id] as const),
    ...(await findHandleOwners(subjects, db)),
    ...[...(await clients.execute()), ...(await resources.execute())].map(
      ({ name }) => [name ?? '', undefined] as const,
    ),
  ]);
}

/** Gives imported users the `sub` that they had at another server. */
export const importedSubjects: ImportPort = {
  async judge(users, db) {
    const reasons = new Map<ImportedUser, ChangeRefused>();
    const subjects = users.flatMap(({ user: { subject = [] } }) => subject);
    if (subjects.length === 0) return reasons;
    const owners = await findOwners(subjects, db);
    for (const { user, id } of users) {
      const { subject } = user;
      if (subject === undefined) continue;
      if (id !== undefined && owners.get(subject) !== id)
        reasons.set(user, new ChangeRefused(`There is a user ${user.username} already, whose sub is not ${subject}.`));
      if (id === undefined && owners.has(subject))
        reasons.set(
          user,
          new ChangeRefused(`The sub ${subject} is that of another user, or the name of something else.`),
        );
    }
    return reasons;
  },

  async store(users, db) {
    const rows = users.flatMap(({ id, subject }) =>
      subject === undefined ? [] : [{ id: keyOf({ id }), subject, user_id: id }],
    );
    await insertAll(db, 'janua_subjects', rows);
  },
};

/**
 * Stores the ids by which applications know users: a random UUID for each user, the same for all applications (OpenID Connect Core 8,
 * `public`). The UUID reveals neither the mail address nor the user's id. Every method throws `Unavailable` when the database cannot be
 * reached.
 */
export function createSubjects({ database, prepareLookup }: OpenDatabase) {
  const rows = database.selectFrom('janua_subjects').selectAll();
  const findRow = prepareLookup((userId) => rows.where('user_id', '=', userId), 'user_id');
  const findBySubject = prepareLookup((subject) => rows.where('subject', '=', subject), 'subject');

  return {
    /** Returns the `sub` of a user. Makes it when it is first needed. */
    async subjectOf(user: Pick<User, 'id'>): Promise<string> {
      const [known] = await findRow(user.id);
      if (known !== undefined) return known.subject;
      const row = { id: keyOf(user), subject: randomUUID(), user_id: user.id };
      await insertNew(database.insertInto('janua_subjects').values(row));
      return (await rows.where('user_id', '=', user.id).executeTakeFirstOrThrow()).subject;
    },

    /**
     * Gives a user a chosen `sub`. A user who has another one keeps it, because applications know the user by it.
     * @throws {ChangeRefused}
     */
    async give({ user, db }: Held, subject: string): Promise<void> {
      const present = await db
        .selectFrom('janua_subjects')
        .selectAll()
        .where('user_id', '=', user.id)
        .executeTakeFirst();
      const taken = await db.selectFrom('janua_subjects').selectAll().where('subject', '=', subject).executeTakeFirst();
      if (present !== undefined)
        throw new ChangeRefused(`Applications know the user by another sub already: ${present.subject}.`);
      if (taken !== undefined) throw new ChangeRefused(`The sub ${subject} is taken.`);
      await db
        .insertInto('janua_subjects')
        .values({ id: keyOf(user), subject, user_id: user.id })
        .execute();
    },

    /** Returns the `sub` of a user, if it has been made. */
    findSubject: async (user: Pick<User, 'id'>): Promise<string | undefined> => (await findRow(user.id))[0]?.subject,

    /** Finds the id of the user whom a `sub` stands for. The user may be gone. */
    findUserId: async (subject: string): Promise<string | undefined> => (await findBySubject(subject))[0]?.user_id,
  };
}
