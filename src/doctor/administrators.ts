import { type Check, ok, warning } from '../../selftest/finding.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { createDirectory } from '../core/users/directory.ts';
import { admins } from '../core/users/scopes.ts';
import { parseMapping, type UserMapping } from '../core/users/source/mapping.ts';
import { readTable } from '../core/users/source/open-source.ts';
import { canonicalUsername } from '../core/users/user.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { sql } from '../ground/database/kysely.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

/** Reports whether a user is in the group `admins`, and not disabled. */
export async function* checkAdministrators(opened: OpenDatabase, settings: Settings): Check {
  const { USERS_TABLE, USERS_COLUMNS } = settings;
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  const found = await (mapping === undefined ? hasOwn(opened, settings) : hasPerson(opened, mapping, settings));
  if (found === undefined) return;
  yield found
    ? ok('There is an administrator.')
    : warning(
        'There is no administrator, so that no page shows users, events or settings.',
        mapping === undefined
          ? 'npx janua users add EMAIL --first-name NAME --last-name NAME --group admins'
          : 'npx janua users groups EMAIL --add admins',
      );
}

async function hasOwn({ database }: OpenDatabase, { ADMINISTRATORS }: Settings): Promise<boolean> {
  const members = database.selectFrom('janua_memberships').select('user_id').where('group_name', '=', admins);
  const listed = ADMINISTRATORS.map(canonicalUsername);
  const enabled = database
    .selectFrom('janua_users')
    .select('id')
    // Accounts from a team's own table do not count.
    .where('login_name', 'is not', null)
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
  return (await enabled.limit(1).execute()).length > 0;
}

/** Only the present rows of a team's own table tell who is an administrator. Undefined if the check of the table reports a fault. */
async function hasPerson(
  opened: OpenDatabase,
  mapping: UserMapping,
  { USERS_ID }: Settings,
): Promise<boolean | undefined> {
  try {
    const options = { rehashes: false, hasPermanentIds: USERS_ID === 'permanent', log: { warn() {} } };
    const { source } = await readTable(opened, mapping, options);
    await createDirectory(opened, { demoUsers: false, source }).users.requireOtherAdministrator('', opened.database);
    return true;
  } catch (error) {
    if (error instanceof ChangeRefused) return false;
    if (error instanceof Misconfiguration) return undefined;
    throw error;
  }
}
