import type { Settings } from '../../ground/config/settings.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import type { Log } from '../../ground/faults/log.ts';
import { lineOf } from '../../ground/faults/misconfiguration.ts';
import { createGroups } from './groups.ts';
import { createHold } from './held.ts';
import { openMappedDirectory, samplePasswordHashes } from './mapped/mapped-directory.ts';
import type { UserMapping } from './mapped/mapping.ts';
import { createSqlDirectory } from './sql-directory.ts';
import { canonicalUsername } from './user.ts';
import type { SearchableDirectory, UserRegistry } from './user-directory.ts';

interface OpenUsersOptions {
  readonly settings: Settings;
  readonly opened: OpenDatabase;
  /** The team's own table, if users are there. */
  readonly mapping: UserMapping | undefined;
  readonly demoUsers: boolean;
  readonly log: Log;
  /** Measures what a store does. */
  readonly watch: <Store extends object>(store: Store) => Store;
  /** Measures how long the stored hashes take. Undefined where no user logs in. */
  readonly calibrate: ((hashes: readonly string[]) => Promise<void>) | undefined;
}

/**
 * The users, in Janua's own table or a team's.
 * @throws {Misconfiguration} when the team's table cannot work
 */
export async function openUsers(options: OpenUsersOptions) {
  const { settings, opened, mapping, demoUsers, log, watch } = options;
  const { database } = opened;
  const administrators = new Set(settings.ADMINISTRATORS.map(canonicalUsername));
  const directoryOptions = { demoUsers, administrators };

  async function open(): Promise<{ users: SearchableDirectory; registry: UserRegistry | undefined }> {
    if (mapping === undefined) {
      const own = watch(createSqlDirectory(opened, directoryOptions));
      return { users: own, registry: own };
    }
    const { directory, warnings } = await openMappedDirectory(opened, mapping, {
      rehashes: settings.PASSWORD_REHASH === 'on',
      log,
    });
    for (const warning of warnings) log.warn({ event: 'users_table' }, lineOf(warning));
    await options.calibrate?.(await samplePasswordHashes(opened, mapping));
    return { users: watch(directory), registry: undefined };
  }

  const { users, registry } = await open();
  const groupsInColumn = mapping?.groups !== undefined;
  return {
    users,
    /** The same directory, if this server may change it. */
    registry,
    groups: createGroups(database, {
      ownUsers: registry !== undefined,
      applicationScopes: settings.SCOPES,
      inColumn: groupsInColumn,
      requireOther: users.requireOtherAdministrator,
    }),
    groupsInColumn,
    ...createHold(database, users, registry),
  };
}
