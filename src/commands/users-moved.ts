import { parseMapping } from '../core/users/source/mapping.ts';
import { openSource } from '../core/users/source/open-source.ts';
import { moveAccounts } from '../core/users/source/origin.ts';
import { loadSettings } from '../ground/config/load.ts';
import { openDatabase } from '../ground/database/database.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { unwatched } from '../ground/faults/store-watch.ts';

/** Accepts the present USERS_TABLE as the one that the accounts came from. */
export async function noteMoved({ force = false }: { readonly force?: boolean }): Promise<void> {
  const settings = loadSettings();
  const mapping = parseMapping(settings.USERS_TABLE, settings.USERS_COLUMNS);
  if (mapping === undefined) throw new Misconfiguration('USERS_TABLE is not set.');
  const opened = await openDatabase(settings.DATABASE_URL, {
    connections: 1,
    timeoutMilliseconds: settings.STORE_TIMEOUT_SECONDS * 1000,
    watch: unwatched,
  });
  await using closing = new AsyncDisposableStack();
  closing.defer(() => opened.database.destroy());
  const { source, origin } = await openSource(opened, mapping, {
    rehashes: settings.PASSWORD_REHASH === 'on',
    hasPermanentIds: settings.USERS_ID === 'permanent',
    log: { warn() {} },
  });
  const ended = await moveAccounts({ database: opened.database, source, origin, force, now: Date.now() });
  const done = ended > 0 ? ` Ended: ${ended}.` : '';
  process.stdout.write(`The accounts belong to ${origin.users}, with ${origin['users-id']} ids.${done}\n`);
}
