import type { Check } from '../../selftest/finding.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { findBackupState } from '../ground/database/kept-backups.ts';
import { ok, warning } from './finding.ts';

/** Reports the last `janua backup`. Reports nothing if there was none, because the operator may copy the database by other means. */
export async function* checkBackups(opened: OpenDatabase, now = Date.now()): Check {
  const state = await findBackupState(opened, now);
  if (state === undefined) return;
  const { succeededAt, fault } = state;
  const last = { time: new Date(succeededAt ?? 0).toISOString() };
  const fix = 'Run it, and correct what it reports: ./bin/janua backup --keep 7 FOLDER';
  if (fault === undefined) yield ok('The database is backed up: the last one is of {time}.', last);
  else if (succeededAt === undefined) yield warning(noBackup[fault], fix);
  else yield warning(oldBackup[fault], fix, last);
}

const noBackup = {
  failed: 'The last backup failed; there is none.',
  old: 'There is no backup of the last day; there is none.',
} as const;

const oldBackup = {
  failed: 'The last backup failed; the last one is of {time}.',
  old: 'There is no backup of the last day; the last one is of {time}.',
} as const;
