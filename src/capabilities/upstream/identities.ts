import { hash } from 'node:crypto';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import type { Held } from '../../core/users/held.ts';
import type { ImportedUser, ImportPort } from '../../core/users/imported-user.ts';
import { limitRows } from '../../core/users/row-limits.ts';
import type { User } from '../../core/users/user.ts';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted } from '../../ground/database/deletions.ts';
import { insertAll, insertNew } from '../../ground/database/insert-new.ts';
import type { Profile } from './upstream.ts';

export type Identity = Pick<Profile, 'issuer' | 'subject' | 'name'> & { readonly upstream: string };

export interface LinkedIdentity {
  readonly id: string;
  readonly upstream: string;
  readonly name: string;
  readonly linkedAt: Date;
  readonly lastUsedAt: Date | undefined;
}

/** A line break can separate the two, because neither an issuer nor a subject contains one. */
export const identityId = ({ issuer, subject }: Pick<Profile, 'issuer' | 'subject'>) =>
  hash('sha256', `${issuer}\n${subject}`, 'base64url');

const rowOf = ({ upstream, issuer, subject, name }: Identity, user: Pick<User, 'id'>, linked_at: number) => ({
  ...{ id: identityId({ issuer, subject }), upstream, issuer, subject, user_id: user.id, name },
  ...{ linked_at, last_used_at: null },
});

/** Links imported users with the accounts at other providers that they had. */
export const importedIdentities: ImportPort = {
  async judge(users, db) {
    const linked = users.flatMap(({ user, id }) =>
      (user.identities ?? []).map((identity) => ({ user, owner: id, key: identityId(identity) })),
    );
    const keys = linked.map(({ key }) => key);
    const reasons = new Map<ImportedUser, ChangeRefused>();
    if (keys.length === 0) return reasons;
    const rows = await db.selectFrom('janua_identities').select(['id', 'user_id']).where('id', 'in', keys).execute();
    const owners = new Map(rows.map(({ id, user_id }) => [id, user_id]));
    // An existing user stays as it is, and may have unlinked the account since.
    for (const { user, owner, key } of linked)
      if (owner === undefined && owners.has(key))
        reasons.set(user, new ChangeRefused('The account at another provider is linked with another user.'));
    return reasons;
  },

  async store(users, db, time) {
    const rows = users.flatMap(({ id, identities = [] }) => identities.map((one) => rowOf(one, { id }, time)));
    await insertAll(db, 'janua_identities', rows);
  },
};

export type Identities = ReturnType<typeof createIdentities>;

/** Links users of other providers with accounts, in a table of the SQL database. `db` may be a transaction. */
export const createIdentities = (database: Database, now: () => number) => ({
  /**
   * Finds the id of the user with whom an identity is linked. The account may be gone, or the id in a team's own table may belong to
   * another person.
   */
  async findUserId(identity: Pick<Profile, 'issuer' | 'subject'>): Promise<string | undefined> {
    const rows = database.selectFrom('janua_identities').select('user_id');
    return (await rows.where('id', '=', identityId(identity)).executeTakeFirst())?.user_id;
  },

  async noteUse(identity: Pick<Profile, 'issuer' | 'subject'>, upstream: string): Promise<void> {
    const row = database.updateTable('janua_identities').where('id', '=', identityId(identity));
    await row.set({ upstream, last_used_at: now() }).execute();
  },

  /**
   * Links an identity. False if it is linked with an account already: the transaction must then be rolled back.
   * @throws {ChangeRefused} `too-many-kept`
   */
  async add(identity: Identity, { user, db }: Held): Promise<boolean> {
    const linked = rowOf(identity, user, now());
    if (!(await insertNew(db.insertInto('janua_identities').values(linked)))) return false;
    await limitRows(db, 'janua_identities', user, linked.linked_at);
    return true;
  },

  /** Lists the identities of a user, oldest first. */
  async list(user: Pick<User, 'id'>, db = database): Promise<LinkedIdentity[]> {
    const own = db.selectFrom('janua_identities').selectAll().where('user_id', '=', user.id);
    const rows = await own.orderBy('linked_at').orderBy('id').execute();
    return rows.map(({ id, upstream, name, linked_at, last_used_at }) => ({
      id,
      upstream,
      name,
      linkedAt: new Date(Number(linked_at)),
      lastUsedAt: last_used_at === null ? undefined : new Date(Number(last_used_at)),
    }));
  },

  /** False if the user has no such identity. */
  async remove(user: Pick<User, 'id'>, id: string, db = database): Promise<boolean> {
    const one = db.deleteFrom('janua_identities').where('id', '=', id).where('user_id', '=', user.id);
    return (await countDeleted(one)) > 0;
  },
});
