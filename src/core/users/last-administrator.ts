import { findPasskeyDomain } from '../../ground/config/origin.ts';
import type { Settings } from '../../ground/config/settings.ts';
import { readUpstreams } from '../../ground/config/upstreams-file.ts';
import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import type { Accounts } from './accounts.ts';
import { lastAdministrator } from './change-refused.ts';
import { admins } from './scopes.ts';

/** The ways to sign in without a password that the settings leave open. */
export interface OtherWaysIn {
  readonly passkeys: boolean;
  /** The ids of the other identity providers (`UPSTREAMS_FILE`). */
  readonly upstreams: readonly string[];
}

export const findOtherWaysIn = (settings: Settings): OtherWaysIn => ({
  passkeys: findPasskeyDomain(settings) !== undefined,
  upstreams: readUpstreams(settings.UPSTREAMS_FILE).map(({ id }) => id),
});

export interface LastAdministratorOptions {
  /** Whether the demo's users, whose passwords are public, may sign in. */
  readonly demoUsers: boolean;
  /** Canonical names that the setting `ADMINISTRATORS` lists. They count if `janua users add` or a mailed link created the account. */
  readonly administrators: ReadonlySet<string>;
  readonly otherWaysIn: OtherWaysIn;
}

/** Finds own accounts of administrators who can sign in: at most two members of `admins`, and two whom `ADMINISTRATORS` lists. */
export async function findAdministrators(
  db: Database,
  { demoUsers, administrators, otherWaysIn }: LastAdministratorOptions,
) {
  const enabled = db
    .selectFrom('janua_users')
    .select('janua_users.id')
    .where('disabled', '=', 0)
    .where('login_name', 'is not', null)
    .limit(2);
  // An invited user who has not chosen a password yet cannot sign in.
  const able = enabled.where((eb) =>
    eb.or([
      eb('password', '!=', ''),
      ...selectOtherWays(db, otherWaysIn).map((ids) => eb('janua_users.id', 'in', ids)),
    ]),
  );
  const real = demoUsers ? able : able.where('demo', '=', 0);
  const members = real.innerJoin('janua_memberships', 'user_id', 'janua_users.id').where('group_name', '=', admins);
  const listed = real
    .where('login_name', 'in', [...administrators])
    .where(sql`coalesce(address_proof, 'mail')`, '=', 'mail');
  return { inGroup: await members.execute(), listed: administrators.size > 0 ? await listed.execute() : [] };
}

/**
 * Returns a check for Janua's own accounts: a change must leave an administrator who can sign in. Each change that could remove the last
 * one runs the check in its transaction.
 * @param isByAddress whether the change concerns the address alone, so that a stored place in `admins` stays
 */
export function createRequireOther(options: LastAdministratorOptions) {
  return async (userId: string, db: Database, isByAddress = false): Promise<void> => {
    const { inGroup, listed } = await findAdministrators(db, options);
    if (isByAddress && inGroup.some(({ id }) => id === userId)) return;
    const ids = new Set([...inGroup, ...listed].map(({ id }) => id));
    if (ids.has(userId) && ids.size === 1) throw lastAdministrator();
  };
}

/** Returns a function that makes a change to any number of users. It refuses the change if that leaves no administrator who can sign in. */
export function createKeepAdministrator(options: LastAdministratorOptions) {
  const hasAdministrator = async (db: Database) => {
    const { inGroup, listed } = await findAdministrators(db, options);
    return inGroup.length + listed.length > 0;
  };
  return async (db: Database, change: () => Promise<void>): Promise<void> => {
    const had = await hasAdministrator(db);
    await change();
    if (had && !(await hasAdministrator(db))) throw lastAdministrator();
  };
}

/** Selects the ids of users who can sign in without a password. */
function selectOtherWays(db: Database, { passkeys, upstreams }: OtherWaysIn) {
  const withPasskey = db.selectFrom('janua_passkeys').select('user_id');
  const linked = db.selectFrom('janua_identities').select('user_id').where('upstream', 'in', upstreams);
  return [...(passkeys ? [withPasskey] : []), ...(upstreams.length > 0 ? [linked] : [])] as const;
}

/** Returns the same check for a team's own table. It reads the present rows, which decide whether the other administrators can sign in. */
export function createRequireOtherPerson({ findAll }: Pick<Accounts, 'findAll'>, otherWaysIn: OtherWaysIn) {
  return async (userId: string, db: Database): Promise<void> => {
    const members = db.selectFrom('janua_memberships').select('user_id').where('group_name', '=', admins);
    const rows = await members.where('user_id', '!=', userId).execute();
    const ids = rows.map((row) => row.user_id);
    const others = [...(await findAll(ids, db)).values()].filter(({ disabled }) => !disabled);
    if (others.some(({ passwordHash }) => passwordHash)) return;
    const enabled = others.map(({ user }) => user.id);
    if (enabled.length > 0) {
      const rows = db.selectFrom('janua_users').select('id').where('id', 'in', enabled);
      const able = rows.where((eb) => eb.or(selectOtherWays(db, otherWaysIn).map((way) => eb('id', 'in', way))));
      if ((await able.executeTakeFirst()) !== undefined) return;
    }
    throw lastAdministrator();
  };
}
