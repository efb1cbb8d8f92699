import { loadSettings, requireSafeExposure } from '../ground/config/load.ts';
import { withOwnCommand } from '../ground/config/own-command.ts';
import type { Settings } from '../ground/config/settings.ts';
import { findTraceSettings } from '../ground/config/traces.ts';
import { describeUnknown, findUnknownSettings } from '../ground/config/unknown-settings.ts';
import type { Log } from '../ground/faults/log.ts';
import { endsWithTerminal } from './launcher.ts';
import { hearOrders, listen, type Orders, type ServerAddress } from './listen.ts';
import { supervise } from './supervise.ts';
import { obeyPrimary } from './worker.ts';

interface ServeOptions {
  /** Whether this process is a worker under a primary. */
  readonly worker?: boolean;
  /** Whether to create or update the tables first, as a container does at each start. */
  readonly migrate?: boolean;
}

/** Serves in production. Refuses settings that put passwords at risk. */
export async function serve({ worker = false, migrate: migrates = false }: ServeOptions): Promise<void> {
  if (worker) await obeyPrimary(run);
  else await run(undefined, undefined, migrates);
}

async function run(
  orders?: Orders,
  onReady?: (address: ServerAddress) => void,
  migrates: boolean = false,
): Promise<void> {
  const settings = loadSettings();
  requireSafeExposure(settings, 'serve');
  const administratorLink = migrates ? await updateTables(settings) : undefined;
  function tellAtStart(log: Log): void {
    warnOfUnknown(log);
    if (administratorLink !== undefined) log.warn({ event: 'no_administrator' }, administratorLink);
  }
  const isWorker = orders !== undefined;
  if (settings.WORKERS > 1 && !isWorker) return supervise(settings, tellAtStart);
  // Imported late, because the primary does not need it.
  const { compose } = await import('../compose.ts');
  const composition = await compose(settings, { traces: findTraceSettings() });
  if (!isWorker) tellAtStart(composition.log);
  function announce(address: ServerAddress): void {
    composition.log.info(address, 'ready');
    if (endsWithTerminal) return;
    process.on('SIGHUP', () => {
      composition.log.warn({ event: 'reload_failed' }, 'a server of one process cannot reload: restart it');
    });
  }
  await listen(composition, settings, orders ?? hearOrders(), onReady ?? announce);
}

/** @returns a line for the log, with the link that makes the first administrator. Undefined if no link is needed */
async function updateTables(settings: Settings): Promise<string | undefined> {
  // Imported late, because a server without `--migrate` does not need them.
  const migrate = await import('./migrate.ts');
  const first = await import('../core/changes/first-administrator.ts');
  let token: string | undefined;
  await migrate.updateTables(settings, async (database) => {
    if (settings.ADMINISTRATORS.length === 0 && settings.USERS_TABLE === undefined)
      token = await first.issueFirstAdministrator(database);
  });
  const { PUBLIC_URL = `http://localhost:${settings.PORT}` } = settings;
  return token === undefined
    ? undefined
    : `There is no administrator yet. This link makes the first one, once, within ${first.firstAdministratorMinutes} minutes: ${PUBLIC_URL}/auth/first-administrator?token=${token}`;
}

/** Only warns, because the name may belong to another program. A server that has run with a misspelled setting goes on. */
function warnOfUnknown(log: Log): void {
  for (const unknown of findUnknownSettings()) {
    const { message, fix } = describeUnknown(unknown);
    log.warn({ event: 'setting_unknown', setting: unknown.name }, withOwnCommand(`${message} ${fix}`));
  }
}
