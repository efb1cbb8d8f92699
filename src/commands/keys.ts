import { loadSettings } from '../config/load.ts';
import { openDatabase } from '../database/database.ts';
import { type KeyName, keyNames, replaceKey } from '../database/keys.ts';
import { requireCurrentSchema } from '../database/migrations.ts';
import { Misconfiguration } from '../misconfiguration.ts';
import { unwatched } from '../store-watch.ts';

/** What ends with a key. */
const endings: Readonly<Record<KeyName, string>> = {
  'browser-cookie': 'every browser counts as new to the throttle',
  'audit-names': 'names that are no user are no longer found in older events, and no longer waited for',
  'forward-auth': 'every other host asks Janua once more who is signed in, and whoever is need not sign in again',
};

/** Makes a new key in place of one. Each process keeps the old one until it is restarted. */
export async function rotateKey(name: string): Promise<void> {
  const key = keyNames.find((known) => known === name);
  if (key === undefined) throw new Misconfiguration(`There is no key ${JSON.stringify(name)}: ${keyNames.join(', ')}.`);
  const settings = loadSettings();
  const opened = await openDatabase(settings.DATABASE_URL, {
    connections: 1,
    timeout: settings.STORE_TIMEOUT_SECONDS * 1000,
    watch: unwatched,
    mustExist: true,
  });
  try {
    await requireCurrentSchema(opened);
    await replaceKey(opened.database, key);
  } finally {
    await opened.database.destroy();
  }
  process.stdout.write(`There is a new key. Restart every process: from then on ${endings[key]}.\n`);
}
