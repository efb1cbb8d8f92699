import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import type { Accounts } from './accounts.ts';
import { lastAdministrator } from './change-refused.ts';
import { admins } from './scopes.ts';

export interface LastAdministratorOptions {
  /** Whether the demo's users, whose passwords are public, may sign in. */
  readonly demoUsers: boolean;
  /** Canonical names that `ADMINISTRATORS` lists. These users are administrators if their address is proved. */
  readonly administrators: ReadonlySet<string>;
}

/**
 * Returns the rule for Janua's own accounts: a change must leave an administrator who can sign in. Each change to an account that could
 * break the rule asks it in its transaction.
 * @param isByAddress whether the user loses only what `ADMINISTRATORS` gives to the address
 */
export function createRequireOther({ demoUsers, administrators }: LastAdministratorOptions) {
  return async (userId: string, db: Database, isByAddress = false): Promise<void> => {
    const enabled = db
      .selectFrom('janua_users')
      .select('janua_users.id')
      .where('disabled', '=', 0)
      .where('login_name', 'is not', null)
      .limit(2);
    const other = otherWaysIn(db);
    // An invited user who has not chosen a password yet cannot sign in.
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
  };
}

/** Selects the ids of users who can sign in without a password. */
const otherWaysIn = (db: Database) =>
  (['janua_passkeys', 'janua_identities'] as const).map((table) => db.selectFrom(table).select('user_id'));

/** Returns the same rule for a team's own table. Only its present rows tell which administrators are left. */
export function createRequireOtherPerson({ findAll }: Pick<Accounts, 'findAll'>) {
  return async (userId: string, db: Database): Promise<void> => {
    const members = db.selectFrom('janua_memberships').select('user_id').where('group_name', '=', admins);
    const rows = await members.where('user_id', '!=', userId).execute();
    const ids = rows.map((row) => row.user_id);
    const others = [...(await findAll(ids, db)).values()].filter(({ disabled }) => !disabled);
    if (others.some(({ passwordHash }) => passwordHash)) return;
    const enabled = others.map(({ user }) => user.id);
    for (const way of enabled.length > 0 ? otherWaysIn(db) : [])
      if ((await way.where('user_id', 'in', enabled).executeTakeFirst()) !== undefined) return;
    throw lastAdministrator();
  };
}
