import type { Database } from '../../ground/database/database.ts';
import { readNames } from '../users/scopes.ts';

/** Versions of one file that Janua remembers. */
const mostVersions = 50;

/** Returns the versions of a file that were applied, as hashes, the latest first. */
export async function findAppliedVersions(db: Database, name: string): Promise<readonly string[]> {
  const row = await db.selectFrom('janua_applied_files').select('versions').where('name', '=', name).executeTakeFirst();
  return readNames(row?.versions);
}

/**
 * Notes the version that was applied last.
 * @param db the transaction of the changes
 * @param former the result of `findAppliedVersions` in the same transaction
 */
export async function noteAppliedVersion(
  db: Database,
  name: string,
  version: string,
  former: readonly string[],
): Promise<void> {
  if (former[0] === version) return;
  const versions = [version, ...former.filter((one) => one !== version)].slice(0, mostVersions).join(' ');
  if (former.length === 0) await db.insertInto('janua_applied_files').values({ name, versions }).execute();
  else await db.updateTable('janua_applied_files').set({ versions }).where('name', '=', name).execute();
}
