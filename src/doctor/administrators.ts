import { type Check, ok, warning } from '../../selftest/finding.ts';
import { admins } from '../core/users/scopes.ts';
import { parseMapping } from '../core/users/source/mapping.ts';
import { canonicalUsername } from '../core/users/user.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { sql } from '../ground/database/kysely.ts';

/** Reports whether a user is in the group `admins`, and not disabled. */
export async function* checkAdministrators({ database }: OpenDatabase, settings: Settings): Check {
  const { ADMINISTRATORS, USERS_TABLE, USERS_COLUMNS } = settings;
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  // A column of a team's own table names the administrators, and is not searched.
  if (mapping?.groups !== undefined) return;
  const members = database.selectFrom('janua_memberships').select('user_id').where('group_name', '=', admins);
  const listed = ADMINISTRATORS.map(canonicalUsername);
  const enabled = database
    .selectFrom('janua_users')
    .select('id')
    // Accounts from another source, or of people who have left it, do not count.
    .where(mapping === undefined ? 'login_name' : 'source_key', 'is not', null)
    .where('disabled', '=', 0)
    .where('demo', '=', 0)
    .where((eb) =>
      eb.or([
        eb('id', 'in', members),
        ...(listed.length > 0
          ? [eb.and([eb('username', 'in', listed), eb(sql`coalesce(address_proof, 'mail')`, '=', 'mail')])]
          : []),
      ]),
    );
  const rows = await enabled.limit(1).execute();
  yield rows.length > 0
    ? ok('There is an administrator.')
    : warning(
        'There is no administrator, so that no page shows users, events or settings.',
        mapping === undefined
          ? 'npx janua users add EMAIL --first-name NAME --last-name NAME --group admins'
          : 'npx janua users groups EMAIL --add admins',
      );
}
