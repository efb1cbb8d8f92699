import { type Check, ok, warning } from '../../selftest/finding.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { findBackupState } from '../ground/database/kept-backups.ts';

/** Finds nothing if no backup is known: the operator may copy the file by other means. */
export async function* checkBackups(opened: OpenDatabase, now = Date.now()): Check {
  const state = await findBackupState(opened, now);
  if (state === undefined) return;
  const { succeededAt, fault } = state;
  const last =
    succeededAt === undefined ? 'there is none' : `the last one is of ${new Date(succeededAt).toISOString()}`;
  const fix = 'Run it, and correct what it reports: npx janua backup --keep 7 FOLDER';
  if (fault === 'failed') yield warning(`The last backup failed; ${last}.`, fix);
  else if (fault === 'old') yield warning(`There is no backup of the last day; ${last}.`, fix);
  else yield ok(`The database is backed up: ${last}.`);
}
