import { parseMapping } from '../core/users/source/mapping.ts';
import { loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import type { Settings } from '../ground/config/settings.ts';
import { showSettings } from '../ground/config/shown-settings.ts';
import { engineOf } from '../ground/database/database.ts';
import { faultsOf, Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { parseRedisUrl } from '../ground/redis/redis-url.ts';
import { list } from './list.ts';

/**
 * Prints every setting as `janua serve` would read it, with its source. Opens no store, and shows no passwords.
 * @throws {Misconfiguration} with every wrong value, else every unsafe setting, else every wrong address and mapping
 */
export async function printConfiguration({ json = false }: { json?: boolean }): Promise<void> {
  const settings = loadSettings();
  requireSafeExposure(settings, 'serve');
  requireReadable(settings);
  const table = await list(showSettings(settings), {
    json,
    none: '',
    heading: ['SETTING', 'VALUE', 'FROM'],
    toRows: (shown) => shown.map(({ setting, value, from }) => [setting, [value ?? ''].flat().join(', '), from]),
  });
  if (!json) process.stdout.write(`${table}\n`);
}

/** Refuses invalid addresses and names, as `serve` does at its start. */
function requireReadable({ DATABASE_URL, REDIS_URL, USERS_TABLE, USERS_COLUMNS }: Settings): void {
  const faults = [
    () => engineOf(DATABASE_URL),
    () => REDIS_URL !== undefined && parseRedisUrl(REDIS_URL),
    () => parseMapping(USERS_TABLE, USERS_COLUMNS),
  ].flatMap(faultsOf);
  if (faults.length > 0) throw new Misconfiguration(...faults);
}
