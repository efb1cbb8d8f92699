import type { Settings } from '../../ground/config/settings.ts';
import type { OpenDatabase } from '../../ground/database/database.ts';
import type { Log } from '../../ground/faults/log.ts';
import { lineOf } from '../../ground/faults/misconfiguration.ts';
import { createDirectory } from './directory.ts';
import { createGroups } from './groups.ts';
import { createHold } from './held.ts';
import { findOtherWaysIn } from './last-administrator.ts';
import type { RecordLeft } from './source/adoption.ts';
import type { UserMapping } from './source/mapping.ts';
import { openSource } from './source/open-source.ts';
import { requireOrigin } from './source/origin.ts';
import { samplePasswordHashes } from './source/source.ts';
import { canonicalUsername } from './user.ts';

interface OpenUsersOptions {
  readonly settings: Settings;
  readonly opened: OpenDatabase;
  /** A team's own table of users (`USERS_TABLE`), if there is one. */
  readonly mapping: UserMapping | undefined;
  readonly demoUsers: boolean;
  readonly log: Log;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Wraps a store so that its calls are measured. */
  readonly watch: <Store extends object>(store: Store) => Store;
  /** Measures how long passwords take to verify with the stored hashes. Undefined in a process that takes no logins, such as a command. */
  readonly calibrate: ((hashes: readonly string[]) => Promise<void>) | undefined;
  readonly recordLeft: RecordLeft;
  /** Whether the configured table may differ from the one that the accounts were created from, as for `janua users moved`. */
  readonly acceptsOrigin: boolean;
}

/** Opens the users of Janua's own table, or of a team's own table. @throws {Misconfiguration} when the team's table cannot work */
export async function openUsers(options: OpenUsersOptions) {
  const { settings, opened, mapping, demoUsers, log, now, watch, recordLeft } = options;
  const administrators = new Set(settings.ADMINISTRATORS.map(canonicalUsername));

  async function open() {
    if (mapping === undefined) return undefined;
    const rehashes = settings.PASSWORD_REHASH === 'on';
    const hasPermanentIds = settings.USERS_ID === 'permanent';
    const {
      source,
      origin,
      mapping: found,
      warnings,
    } = await openSource(opened, mapping, {
      rehashes,
      hasPermanentIds,
      log,
    });
    if (!options.acceptsOrigin) await requireOrigin(opened.database, origin);
    for (const warning of warnings) log.warn({ event: 'users_table' }, lineOf(warning));
    await options.calibrate?.(await samplePasswordHashes(opened, found));
    return { source, origin };
  }

  const team = await open();
  const source = team?.source;
  const otherWaysIn = findOtherWaysIn(settings);
  const directory = createDirectory(opened, { demoUsers, administrators, otherWaysIn, source, now, recordLeft });
  const users = watch(directory.users);
  const registry = directory.registry && watch(directory.registry);
  return {
    users,
    /** Undefined with a team's own table, whose users Janua does not change. */
    registry,
    source,
    team,
    groups: createGroups(opened.database, {
      applicationScopes: settings.SCOPES,
      inColumn: source?.hasGroups ?? false,
      requireOther: users.requireOtherAdministrator,
    }),
    groupsInColumn: source?.hasGroups ?? false,
    ...createHold(opened.database, users, registry),
  };
}
