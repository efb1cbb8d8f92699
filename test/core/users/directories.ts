import assert from 'node:assert/strict';
import { createDirectory, type DirectoryOptions } from '../../../src/core/users/directory.ts';
import type { UserMapping } from '../../../src/core/users/source/mapping.ts';
import { openSource } from '../../../src/core/users/source/open-source.ts';
import type { OpenDatabase } from '../../../src/ground/database/database.ts';

const otherWaysIn = { passkeys: true, upstreams: ['google'] };

/** Janua's own accounts, with all that reads and changes them. */
export function openOwnAccounts(opened: OpenDatabase, options: Partial<DirectoryOptions> = {}) {
  const { users, registry } = createDirectory(opened, { demoUsers: false, otherWaysIn, ...options });
  assert.ok(registry);
  return { ...users, ...registry };
}

/** Accounts of the people in a team's own table. */
export async function openPeople(
  opened: OpenDatabase,
  mapping: UserMapping,
  options: Parameters<typeof openSource>[2] = { rehashes: true, hasPermanentIds: false, log: { warn() {} } },
) {
  const { source, warnings } = await openSource(opened, mapping, options);
  const { users } = createDirectory(opened, { demoUsers: false, otherWaysIn, source });
  return { users, source, warnings };
}
