import type { Database } from '../../../ground/database/database.ts';
import { holdLease } from '../../../ground/database/lease.ts';
import { createLeasedWork } from '../../../ground/database/leased-work.ts';
import { findTime, setTime } from '../../../ground/database/times.ts';
import type { Log } from '../../../ground/faults/log.ts';
import type { Audit } from '../../audit/audit.ts';
import type { Caller } from '../../audit/event.ts';
import { ChangeRefused } from '../change-refused.ts';
import type { Moved } from './origin.ts';
import type { createSync, Synced, SyncRun } from './sync.ts';

const leaseName = 'users-sync';

/** The names of two times: of the last sync, and of the last one that found too many users gone. */
const [lastSync, refusedSync] = ['users-sync', 'users-sync-refused'];

/** Milliseconds between two checks whether a sync is due. */
const lookInterval = 60_000;

interface UserSyncOptions {
  readonly database: Database;
  readonly sync: ReturnType<typeof createSync>;
  readonly move: (force: boolean) => Promise<Moved>;
  readonly audit: Audit<'users-synced'>;
  readonly caller: Caller;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Hours between two syncs. 0: only by command. */
  readonly intervalHours: number;
}

/**
 * Finds when a sync last kept accounts because too many would have ended, in milliseconds since 1970. Undefined if the last sync did not.
 */
export const findRefusedSync = async (database: Database): Promise<number | undefined> =>
  (await findTime(database, refusedSync)) || undefined;

/** Syncs with a team's own table: at intervals, in one process at a time, and by command. */
export function createUserSync(options: UserSyncOptions) {
  const { database, sync, move, audit, caller, log, now, intervalHours } = options;
  const interval = intervalHours * 60 * 60 * 1000;

  async function syncOnce(how: SyncRun): Promise<Synced> {
    const synced = await sync(how);
    const { added, changed, left, tooMany, isCutOff } = synced;
    if (added + changed + left > 0)
      await audit.recordIfPossible({
        kind: 'users-synced',
        caller,
        about: `added ${added}, changed ${changed}, left ${left}`,
      });
    if (tooMany !== undefined)
      log.warn(
        { event: 'users_sync_refused', leaving: tooMany },
        'many accounts have no row in USERS_TABLE, or one with another name, and are kept; if these users have left, run: ./bin/janua users sync --force',
      );
    // After a sync that was cut off, no times are stored, so the next check starts another sync.
    if (isCutOff) return synced;
    await setTime(database, refusedSync, tooMany === undefined ? 0 : now());
    await setTime(database, lastSync, now());
    return synced;
  }

  const work = createLeasedWork({
    database,
    name: leaseName,
    lookInterval,
    hasDue: async () => interval > 0 && now() - ((await findTime(database, lastSync)) ?? 0) >= interval,
    async work(mayGoOn) {
      await syncOnce({ mayGoOn });
    },
    onFault: (err) =>
      log.error({ event: 'users_sync_failed', err }, 'the accounts could not be synced with USERS_TABLE'),
    now,
  });

  /** @throws {ChangeRefused} while another process syncs */
  async function requireLease() {
    const lease = await holdLease(database, leaseName, now);
    if (lease !== undefined) return lease;
    throw new ChangeRefused('Another process syncs with USERS_TABLE now. Run the command again when it is done.');
  }

  return {
    /**
     * Runs a sync for a command. Two syncs at once could end twice as many accounts as one may.
     * @throws {ChangeRefused} while another process syncs
     */
    async run({ force = false }: Pick<SyncRun, 'force'> = {}): Promise<Synced> {
      await using lease = await requireLease();
      return await syncOnce({ force, mayGoOn: lease.isHeld });
    },

    /**
     * Accepts the present table as the one that the accounts came from (`moveAccounts`).
     * @throws {ChangeRefused} while another process syncs; without `force`, if accounts would end
     */
    async move({ force = false }: { readonly force?: boolean }): Promise<Moved> {
      await using _lease = await requireLease();
      const moved = await move(force);
      const about = `moved to ${moved.table}, with ${moved.ids} ids, left ${moved.ended}`;
      await audit.recordIfPossible({ kind: 'users-synced', caller, about });
      return moved;
    },
    start: work.start,
    close: work.close,
  };
}
