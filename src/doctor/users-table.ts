import { type Check, type Finding, needing, ok, warning, wrong } from '../../selftest/finding.ts';
import { parseStoredPassword } from '../core/passwords/schemes/stored-password.ts';
import { parseMapping, type UserMapping } from '../core/users/source/mapping.ts';
import { openSource } from '../core/users/source/open-source.ts';
import { compareOrigin } from '../core/users/source/origin.ts';
import { samplePasswordHashes } from '../core/users/source/source.ts';
import { findRefusedSync } from '../core/users/source/user-sync.ts';
import type { Settings } from '../ground/config/settings.ts';
import type { OpenDatabase } from '../ground/database/database.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { Unavailable } from '../ground/faults/unavailable.ts';
import { findingsOf } from './fault-findings.ts';

export async function* checkUsers(
  { USERS_TABLE, USERS_COLUMNS, USERS_ID, PASSWORD_REHASH }: Settings,
  opened: OpenDatabase | undefined,
): Check {
  const mapping = parseMapping(USERS_TABLE, USERS_COLUMNS);
  if (mapping === undefined) yield ok("Users are in Janua's own table.");
  else
    yield* needing(opened, 'the database could not be used', (database) =>
      checkUsersTable(database, mapping, {
        rehashes: PASSWORD_REHASH === 'on',
        hasPermanentIds: USERS_ID === 'permanent',
      }),
    );
}

/** Reports that the last sync found too many users gone, and ended no account. */
export async function* checkSync({ database }: Pick<OpenDatabase, 'database'>): Check {
  const refused = await findRefusedSync(database);
  if (refused !== undefined)
    yield warning(
      `At the sync of ${new Date(refused).toISOString()}, many accounts had no row in USERS_TABLE, or one with another name. Janua keeps them.`,
      'If they have left: ./bin/janua users sync --force',
    );
}

async function* checkUsersTable(
  opened: OpenDatabase,
  mapping: UserMapping,
  { rehashes, hasPermanentIds }: { readonly rehashes: boolean; readonly hasPermanentIds: boolean },
): Check {
  // `openSource` allows a minute for reading all rows, as `janua serve` needs it. This command keeps to its own shorter limit.
  const hurried: OpenDatabase = { ...opened, withTimeout: (_milliseconds, work) => work() };
  try {
    const { origin, warnings } = await openSource(hurried, mapping, { rehashes, hasPermanentIds, log: { warn() {} } });
    await compareOrigin(opened.database, origin);
    yield ok(`Users are in the table ${mapping.table}.`);
    for (const { message, fix } of warnings) yield warning(message, fix);
  } catch (error) {
    if (error instanceof Misconfiguration) {
      yield* findingsOf(error.faults, 'Correct USERS_TABLE or USERS_COLUMNS.');
      return;
    }
    if (!isTimeout(error)) throw error;
    const message = `Janua could not read all rows of ${mapping.table} in time.`;
    yield warning(message, 'STORE_TIMEOUT_SECONDS=60 ./bin/janua doctor');
  }
  yield* judgeStoredPasswords(await samplePasswordHashes(opened, mapping));
}

const isTimeout = (error: unknown) =>
  error instanceof Unavailable && error.cause instanceof Error && error.cause.message.startsWith('no answer within');

function judgeStoredPasswords(passwords: readonly string[]): Finding[] {
  if (passwords.length === 0) return [ok('No passwords are stored yet.')];
  const broken = passwords.map(parseStoredPassword).filter((stored) => stored.state === 'broken');
  const unusable = broken.length;
  const checked = `Of ${passwords.length} stored passwords`;
  if (unusable === 0) return [ok(`${checked}, Janua can verify all.`)];
  const groups = Map.groupBy(broken, ({ scheme }) => scheme);
  const kinds = Array.from(groups, ([scheme, { length }]) => `${length} ${scheme}`).join(', ');
  const message = `${checked}, Janua cannot verify ${unusable} (${kinds}): these users cannot sign in by password.`;
  const fix = 'Let them set a new password in your application, with a scheme that Janua supports.';
  return [unusable === passwords.length ? wrong(message, fix) : warning(message, fix)];
}
