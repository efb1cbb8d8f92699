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
  const isWorker = orders !== undefined;
  // Workers come and go, and the primary has done this already.
  const tellOfStart = isWorker ? () => {} : await prepareDatabase(settings, migrates);
  function tellAtStart(log: Log): void {
    warnOfUnknown(log);
    tellOfStart(log);
  }
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

type TellAtStart = (log: Log) => void;

/** Updates the tables and applies `APPLY_FILE`, as far as they are asked for. @returns a function that logs the results */
async function prepareDatabase(settings: Settings, migrates: boolean): Promise<TellAtStart> {
  const { APPLY_FILE } = settings;
  const apply = async (): Promise<TellAtStart> =>
    APPLY_FILE === undefined ? () => {} : (await import('./apply.ts')).applyAtStart(settings, APPLY_FILE);
  return migrates ? updateTables(settings, apply) : apply();
}

/** @param apply runs once there are tables, and before the link for the first administrator. The file may add that administrator */
async function updateTables(settings: Settings, apply: () => Promise<TellAtStart>): Promise<TellAtStart> {
  // Imported late, because a server without `--migrate` does not need them.
  const migrate = await import('./migrate.ts');
  const first = await import('../core/changes/first-administrator.ts');
  let token: string | undefined;
  let tell: TellAtStart = () => {};
  await migrate.updateTables(settings, async (database) => {
    tell = await apply();
    if (settings.ADMINISTRATORS.length === 0 && settings.USERS_TABLE === undefined)
      token = await first.issueFirstAdministrator(database);
  });
  const { PUBLIC_URL = `http://localhost:${settings.PORT}` } = settings;
  return (log) => {
    tell(log);
    if (token === undefined) return;
    log.warn(
      { event: 'no_administrator' },
      `There is no administrator yet. This link makes the first one, once, within ${first.firstAdministratorMinutes} minutes: ${PUBLIC_URL}/auth/first-administrator?token=${token}`,
    );
  };
}

/** Only warns, because the name may belong to another program. A server that has run with a misspelled setting goes on. */
function warnOfUnknown(log: Log): void {
  for (const unknown of findUnknownSettings()) {
    const { message, fix } = describeUnknown(unknown);
    log.warn({ event: 'setting_unknown', setting: unknown.name }, withOwnCommand(`${message} ${fix}`));
  }
}
