import { readSettings, requireSafeExposure, type SourcedSettings } from '../config/load.ts';
import { type SettingSchema, type Settings, settingsSchema } from '../config/settings.ts';
import { shownUrl } from '../config/shown-url.ts';
import { engineOf } from '../database/database.ts';
import { faultsOf, Misconfiguration } from '../faults/misconfiguration.ts';
import { parseRedisUrl } from '../redis/redis-url.ts';
import { jsonLine } from '../text/printable.ts';
import { parseMapping } from '../users/mapped/mapping.ts';
import { formatTable } from './table.ts';

/**
 * Prints every setting as `janua serve` would read it, with its source. It opens no store, and shows no passwords.
 * @throws {Misconfiguration} with every fault at once
 */
export function printConfiguration({ json = false }: { json?: boolean }): void {
  const read = readSettings();
  requireSafeExposure(read.settings, 'serve');
  requireReadable(read.settings);
  const lines = linesOf(read);
  const text = json
    ? lines.map(jsonLine).join('')
    : `${formatTable([
        ['SETTING', 'VALUE', 'FROM'],
        ...lines.map(({ setting, value, from }) => [setting, [value ?? ''].flat().join(', '), from]),
      ])}\n`;
  process.stdout.write(text);
}

function linesOf({ settings, sources }: SourcedSettings) {
  return Object.entries<SettingSchema>(settingsSchema.properties).map(([setting, { format }]) => {
    const value = settings[setting as keyof Settings] ?? null;
    return {
      setting,
      value: format === 'password' && value !== null ? shownUrl(String(value)) : value,
      from: sources.get(setting) ?? 'default',
    };
  });
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
