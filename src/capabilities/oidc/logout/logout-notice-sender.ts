import type { AuditOf } from '../../../core/audit/audit.ts';
import type { Database } from '../../../ground/database/database.ts';
import { createLeasedWork } from '../../../ground/database/leased-work.ts';
import type { Tables } from '../../../ground/database/schema.ts';
import { repeated } from '../../../ground/database/transaction.ts';
import type { Log } from '../../../ground/faults/log.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { Client } from '../clients/clients.ts';
import { outsideLimits } from '../clients/guarded-fetch.ts';
import { aboutClient } from '../clients/library-client.ts';
import { outsidePart } from '../clients/outside-thread.ts';
import type { events } from '../events.ts';

/** The content of a notice to an application. */
export interface LogoutNotice {
  readonly clientId: string;
  readonly subject: string;
  /** The id by which the application knows the session. */
  readonly sid: string;
}

export interface NoticeSenderOptions {
  readonly database: Database;
  /**
   * Sends a notice. Does nothing for a client that takes no notices any more.
   * @throws {Error} if the client does not accept it in time
   */
  readonly send: (notice: LogoutNotice) => Promise<void>;
  /** Finds the id of the user whom applications know by this subject. */
  readonly userIdOf: (subject: string) => Promise<string | undefined>;
  /** Undefined if the client was removed. */
  readonly findClient: (clientId: string) => Promise<Pick<Client, 'name' | 'backchannelLogoutUri'> | undefined>;
  readonly audit: Pick<AuditOf<typeof events>, 'recordIfPossible'>;
  readonly log: Pick<Log, 'warn' | 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Milliseconds between two looks for notices that another process made due, or that are due again. */
const lookInterval = 2_000;

/** Milliseconds between two attempts to send a notice. After the last of `pauses`, each pause is `longestPause`. */
const firstPause = 5_000;
const pauses = [firstPause, 30_000, 120_000, 600_000];
const longestPause = 3_600_000;

/** Most hosts to which notices are sent at the same time, and most notices that each host gets at the same time. */
const { atOnce: hostsAtOnce, ofHost: noticesAtOnce } = outsideLimits;

/** Most notices that one call of `tell` sends. Each call costs a query of all due notices. */
const noticesPerLook = 50;

/** Milliseconds for which `close` waits for notices that are being sent. */
const closingMilliseconds = 5_000;

type Row = Tables['janua_logout_notices'];

/**
 * Sends the notices that are due. Only one process sends at a time. If it crashes, another one continues within 15 seconds. After a crash,
 * a notice may be sent twice, but none is lost. A host that answers slowly delays only the notices to its own clients.
 */
export function createNoticeSender({ database, send, userIdOf, findClient, audit, log, now }: NoticeSenderOptions) {
  /** The calls of `tell` that are under way, by host. */
  const busy = new Map<string, Promise<void>>();
  /** The time at which `tell` was last called for each host, in milliseconds since 1970. */
  const lastTurns = new Map<string, number>();
  /** The hosts by client. `sendAll` empties the map, because addresses of clients may change. */
  const hosts = new Map<string, string>();
  let woken = Promise.withResolvers<void>();

  const due = () => database.selectFrom('janua_logout_notices').where('due_at', '<=', now());
  const hasDue = async () => (await due().select('id').limit(1).executeTakeFirst()) !== undefined;

  const sending = createLeasedWork({
    database,
    name: 'logout-notices',
    lookInterval,
    hasDue,
    work: sendAll,
    now,
    onFault: (error) =>
      log.error({ event: 'logout_notices_failed', err: error }, 'notices of logouts could not be sent'),
  });

  function look(): void {
    woken.resolve();
    sending.look();
  }

  /** Sends until no notice is due. */
  async function sendAll(mayGoOn: () => boolean): Promise<void> {
    hosts.clear();
    try {
      do {
        woken = Promise.withResolvers();
        if (mayGoOn()) await startHosts(mayGoOn);
        await Promise.race([...busy.values(), busy.size > 0 && woken.promise]);
      } while (busy.size > 0 || (mayGoOn() && (await hasDue())));
    } finally {
      await Promise.allSettled(busy.values());
    }
  }

  async function findHost(clientId: string): Promise<string> {
    const host = hosts.get(clientId) ?? URL.parse((await findClient(clientId))?.backchannelLogoutUri ?? '')?.hostname;
    hosts.set(clientId, host ?? clientId);
    return host ?? clientId;
  }

  /**
   * Calls `tell` for hosts that have due notices and no call under way, once for each host, with one of its clients. The host that has
   * waited longest since its last call comes first, so that none holds up the others. Hosts without a call yet come before all others, in
   * the order in which their notices are due.
   */
  async function startHosts(mayGoOn: () => boolean): Promise<void> {
    if (busy.size === hostsAtOnce) return;
    const waiting = due().select('client_id').groupBy('client_id');
    const clients = new Map<string, string>();
    for (const { client_id } of await waiting.orderBy(({ fn }) => fn.min('due_at')).execute()) {
      const host = await findHost(client_id);
      if (!busy.has(host) && !clients.has(host)) clients.set(host, client_id);
    }
    const lastTurn = (host: string) => lastTurns.get(host) ?? 0;
    const ordered = [...clients].sort(([one], [other]) => lastTurn(one) - lastTurn(other));
    for (const [host, clientId] of ordered.slice(0, hostsAtOnce - busy.size)) {
      lastTurns.set(host, now());
      busy.set(
        host,
        tell(clientId, mayGoOn).finally(() => busy.delete(host)),
      );
    }
  }

  /** Sends at most `noticesPerLook` due notices to a client. */
  async function tell(clientId: string, mayGoOn: () => boolean): Promise<void> {
    const ofClient = due().where('client_id', '=', clientId);
    const rows = await ofClient.selectAll().orderBy('due_at').limit(noticesPerLook).execute();
    let isAway = false;
    while (rows.length > 0 && !isAway && mayGoOn())
      isAway = (await Promise.all(rows.splice(0, noticesAtOnce).map(attempt))).includes(false);
    if (!isAway) return;
    // The client is unreachable, so its other due notices are put off without an attempt.
    const ofIt = database.updateTable('janua_logout_notices').where('client_id', '=', clientId);
    const others = ofIt.set({ due_at: now() + firstPause }).where('due_at', '<=', now());
    // `giveUp` may lock the same rows in another order at the same time, and deadlock.
    await repeated(() => others.execute());
  }

  async function remove({ id }: Row): Promise<void> {
    await repeated(() => database.deleteFrom('janua_logout_notices').where('id', '=', id).execute());
  }

  /** False if the client did not accept the notice. */
  async function attempt(row: Row): Promise<boolean> {
    const { client_id: clientId, subject, sid } = row;
    try {
      await send({ clientId, subject, sid });
    } catch (error) {
      if (error instanceof Unavailable && error.part !== outsidePart) throw error;
      // `guarded-fetch.ts` had no free connection in time, so nothing was sent. The notices are put off, and no failure of the client is
      // counted.
      if (error instanceof Unavailable) return false;
      await noteFailure(row, error instanceof Error ? error.message : undefined);
      return false;
    }
    await remove(row);
    return true;
  }

  const detailsOf = ({ session_id: sessionId, client_id: clientId }: Row) =>
    ({ event: 'logout_notice_failed', clientId, sessionId }) as const;

  async function noteFailure(row: Row, reason: string | undefined): Promise<void> {
    if (Number(row.expires_at) <= now()) return giveUp(row, undefined, reason);
    if (row.attempts === 0)
      log.warn({ ...detailsOf(row), reason }, 'an application did not accept the notice of a logout; it is sent again');
    const again = { due_at: now() + (pauses[row.attempts] ?? longestPause), attempts: row.attempts + 1 };
    await database.updateTable('janua_logout_notices').set(again).where('id', '=', row.id).execute();
  }

  /** @param why reason in the audit event @param reason reason in the log */
  async function giveUp(row: Row, why: 'too-many' | undefined, reason: string | undefined = why): Promise<void> {
    log.warn({ ...detailsOf(row), reason }, 'an application was not told of a logout');
    const { session_id: sessionId, client_id: clientId } = row;
    const about = aboutClient({ clientId, clientName: (await findClient(clientId))?.name });
    const event = { kind: 'logout-notice-failed', reason: why, sessionId, ...about } as const;
    const userId = await userIdOf(row.subject);
    await audit.recordIfPossible({ ...event, userId, caller: { route: 'logout-notice' } });
    await remove(row);
  }

  return {
    start: sending.start,
    /** Looks for due notices at once. */
    look,
    giveUp,
    /** Resolves when no notice is due, or another process sends. */
    async settled(): Promise<void> {
      look();
      await sending.settled();
    },
    /** Waits for the notices that are being sent. */
    close: (): Promise<void> => sending.close(closingMilliseconds),
  };
}
