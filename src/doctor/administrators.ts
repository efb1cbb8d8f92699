import { type Check, type Finding, ok, warning } from '../../selftest/finding.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { createDirectory } from '../core/users/directory.ts';
import { findAdministrators, findOtherWaysIn } from '../core/users/last-administrator.ts';
import { parseMapping, type UserMapping } from '../core/users/source/mapping.ts';
import { readTable } from '../core/users/source/open-source.ts';
import { canonicalUsername } from '../core/users/user.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';

/**
 * Reports whether a user is in the group `admins`, is not disabled, and can sign in.
 * @param ofFile the administrators of `APPLY_FILE`, by their user names
 */
export async function* checkAdministrators(
  opened: OpenDatabase,
  settings: Settings,
  ofFile: readonly string[] = [],
): Check {
  const { USERS_TABLE, USERS_COLUMNS } = settings;
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  const found = await (mapping === undefined ? hasOwn(opened, settings) : hasPerson(opened, mapping, settings));
  if (found === undefined) return;
  if (found) {
    yield ok('There is an administrator.');
    return;
  }
  yield (mapping === undefined ? await expectOf(ofFile, opened) : undefined) ??
    warning(
      'There is no administrator, so that no page shows users, events or settings.',
      mapping === undefined
        ? './bin/janua users add EMAIL --first-name NAME --last-name NAME --group admins'
        : './bin/janua users groups EMAIL --add admins',
    );
}

/** Describes the administrator of `APPLY_FILE` who will be able to sign in. Undefined if there is none. */
async function expectOf(ofFile: readonly string[], { database }: OpenDatabase): Promise<Finding | undefined> {
  for (const user of ofFile) {
    const named = database.selectFrom('janua_users').select('disabled').where('login_name', '=', user);
    const found = await named.executeTakeFirst();
    if (found === undefined)
      return ok('There is no administrator yet. At its start, the server adds {user} by APPLY_FILE.', { user });
    if (!found.disabled)
      return warning(
        'No administrator can sign in yet: {user} of APPLY_FILE has not chosen a password.',
        "Open the link in the log of the server's first start. Without it: ./bin/janua users set-password {user}",
        { user },
      );
  }
  return undefined;
}

/** @throws {Misconfiguration} if a team's own table has a fault */
export async function openDirectory(opened: OpenDatabase, mapping: UserMapping | undefined, settings: Settings) {
  const options = { rehashes: false, hasPermanentIds: settings.USERS_ID === 'permanent', log: { warn() {} } };
  const source = mapping && (await readTable(opened, mapping, options)).source;
  const administrators = new Set(settings.ADMINISTRATORS.map(canonicalUsername));
  return createDirectory(opened, { demoUsers: false, administrators, source, otherWaysIn: findOtherWaysIn(settings) });
}

async function hasOwn({ database }: OpenDatabase, settings: Settings): Promise<boolean> {
  const administrators = new Set(settings.ADMINISTRATORS.map(canonicalUsername));
  const options = { demoUsers: false, administrators, otherWaysIn: findOtherWaysIn(settings) };
  const { inGroup, listed } = await findAdministrators(database, options);
  return inGroup.length + listed.length > 0;
}

/**
 * Reads the present rows of a team's own table, which decide whether an administrator can sign in. Undefined if the table has a fault,
 * which `checkUsers` reports.
 */
async function hasPerson(opened: OpenDatabase, mapping: UserMapping, settings: Settings): Promise<boolean | undefined> {
  try {
    const { users } = await openDirectory(opened, mapping, settings);
    await users.requireOtherAdministrator('', opened.database);
    return true;
  } catch (error) {
    if (error instanceof ChangeRefused) return false;
    if (error instanceof Misconfiguration) return undefined;
    throw error;
  }
}
