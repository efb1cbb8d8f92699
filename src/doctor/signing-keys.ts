import type { Check } from '../../selftest/finding.ts';
import type { Database, OpenDatabase } from '../ground/database/database.ts';
import { ok, warning } from './finding.ts';

const dayMilliseconds = 86_400_000;

/** Days after which the signing keys should be replaced. */
const oldDays = 400;

/**
 * Tells whether applications sign their users in here. Clients that are identified by the URL of a metadata document are not stored, so
 * only the signing keys reveal them.
 */
export async function hasApplications(database: Database): Promise<boolean> {
  for (const table of ['janua_clients', 'janua_signing_keys'] as const)
    if ((await database.selectFrom(table).select('id').limit(1).executeTakeFirst()) !== undefined) return true;
  return false;
}

/** Reports the age of the signing keys. Finds nothing without applications that sign their users in here. */
export async function* checkSigningKeys({ database }: Pick<OpenDatabase, 'database'>, now = Date.now()): Check {
  if (!(await hasApplications(database))) return;
  const used = database.selectFrom('janua_signing_keys').where('retired_at', 'is', null);
  const oldest = await used.select(({ fn }) => fn.min('created_at').as('at')).executeTakeFirst();
  if (!oldest?.at) return yield ok('Janua makes the signing keys when an application first needs them.');
  const days = Math.floor((now - Number(oldest.at)) / dayMilliseconds);
  if (days > oldDays)
    yield warning('The signing keys are {days} days old.', 'Run: ./bin/janua keys rotate signing', { days });
  else yield ok('The age of the signing keys is {days} days.', { days });
}
