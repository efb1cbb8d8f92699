import type { Database } from '../../ground/database/database.ts';
import { findTime, setTime } from '../../ground/database/times.ts';
import { createTokens } from '../tokens/tokens.ts';
import { inGroupsTransaction } from '../users/groups.ts';
import { admins } from '../users/scopes.ts';

/** The purpose of the link that makes the first administrator. */
export const firstAdministrator = 'first-administrator';

/** Minutes for which the link works. The operator has just started the server, and reads its log. */
export const firstAdministratorMinutes = 60;

/** The name in `janua_times` of the time at which a setting last named administrators, or a team's own table of users. */
const namedBySetting = 'administrators-named';

/** Notes that settings name administrators. Without the note, such a server could offer the link once the settings are gone. */
export const noteNamedAdministrators = (database: Database, now: number): Promise<void> =>
  setTime(database, namedBySetting, now);

/**
 * Tells whether there never was an administrator who could sign in. Janua keeps the last of these, so a database that ever had one has one.
 * The administrator of the demo does not count, because users of the demo cannot sign in elsewhere.
 * @param db the transaction of `inGroupsTransaction`, during which no other administrator is made
 */
export async function lacksAdministrator(db: Database): Promise<boolean> {
  const members = db
    .selectFrom('janua_memberships')
    .innerJoin('janua_users', 'janua_users.id', 'user_id')
    .select('user_id')
    .where('group_name', '=', admins)
    .where('demo', '=', 0)
    .limit(1);
  return (await findTime(db, namedBySetting)) === undefined && (await members.executeTakeFirst()) === undefined;
}

/**
 * Makes the token of the link, unless there was an administrator. It replaces the token of an earlier start, so that only one link works.
 * @param now the clock, in milliseconds since 1970
 */
export const issueFirstAdministrator = (database: Database, now = Date.now): Promise<string | undefined> =>
  inGroupsTransaction(database, async (db) => {
    await db.deleteFrom('janua_tokens').where('purpose', '=', firstAdministrator).execute();
    if (!(await lacksAdministrator(db))) return undefined;
    const expiresAt = now() + firstAdministratorMinutes * 60_000;
    const token = { purpose: firstAdministrator, userId: undefined, address: '', expiresAt };
    return createTokens(db, now).issue(token);
  });
