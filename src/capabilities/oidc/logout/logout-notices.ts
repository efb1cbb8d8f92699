import { hash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { insertNew } from '../../../ground/database/insert-new.ts';
import { claimLease } from '../../../ground/database/lease.ts';
import { asServer } from '../../../ground/faults/requester.ts';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import { createNoticeSender, type LogoutNotice, type NoticeSenderOptions } from './logout-notice-sender.ts';

export interface LogoutNoticesOptions extends NoticeSenderOptions {
  /** Tells whether a session of Janua is alive: it has not ended or expired, and its user may use it. */
  readonly isAlive: (sessionId: string) => Promise<boolean>;
}

export interface ExpectedNotice extends LogoutNotice {
  /** The id of the session in Janua. */
  readonly sessionId: string;
}

/** The session that may have ended, or the user whose sessions may have ended. */
export interface Ending {
  readonly sessionId?: string | undefined;
  readonly userId?: string | undefined;
}

const dayMilliseconds = 24 * 60 * 60 * 1000;

/** Milliseconds for which a notice waits for the end of its session, at most. No session lives longer. */
const waitingMilliseconds = 400 * dayMilliseconds;

/** Milliseconds for which Janua tries to send a notice. */
const sendingMilliseconds = dayMilliseconds;

const removedAtOnce = 100;

/**
 * Most unsent notices to one client about ended sessions of one user. They pile up while the client is unreachable. Beyond the limit, the
 * oldest are given up, and the audit records it.
 */
export const mostDue = 300;

/** Milliseconds between two sweeps. All processes together do one sweep in that time. */
const sweepInterval = 30_000;

/** Most sessions that one sweep checks, and most that it reads by one query. The next sweep continues where this one stopped. */
const sessionsPerSweep = 5_000;
const sessionsPerPage = 500;

/**
 * Tells applications that a session has ended (OpenID Connect Back-Channel Logout). The row of a notice is stored before the application
 * learns of the session, so that no crash loses the notice. `checkNow` finds the end at once in the process that ended the session. A sweep
 * finds sessions that another process ended, or that expired. Work in the background never throws: a later sweep repeats it.
 */
export function createLogoutNotices({ isAlive, ...options }: LogoutNoticesOptions) {
  const { database, now, log } = options;
  const sender = createNoticeSender(options);
  const waiting = () => database.selectFrom('janua_logout_notices').select('session_id').where('due_at', 'is', null);
  const looks = new Set<Promise<void>>();
  let timer: NodeJS.Timeout | undefined;
  /** The id of the session at which the last sweep stopped. Empty: the next sweep begins anew. */
  let position = '';

  async function judge(rows: readonly { readonly session_id: string }[]): Promise<void> {
    const told = new Map<string, { readonly client_id: string; readonly subject: string }>();
    for (const id of new Set(rows.map((row) => row.session_id))) {
      if (await isAlive(id)) continue;
      const time = now();
      const ofSession = database.updateTable('janua_logout_notices').where('session_id', '=', id);
      const ended = ofSession.where('due_at', 'is', null);
      await ended.set({ due_at: time, expires_at: time + sendingMilliseconds }).execute();
      const due = database.selectFrom('janua_logout_notices').where('session_id', '=', id);
      for (const row of await due.select(['client_id', 'subject']).execute())
        told.set(JSON.stringify([row.client_id, row.subject]), row);
      sender.look();
      await setImmediate();
    }
    for (const row of told.values()) await limitDue(row.client_id, row.subject);
  }

  async function limitDue(clientId: string, subject: string): Promise<void> {
    const ofClient = database
      .selectFrom('janua_logout_notices')
      .selectAll()
      .where('subject', '=', subject)
      .where('client_id', '=', clientId)
      .where('due_at', 'is not', null);
    const latest = ofClient.orderBy('expires_at', 'desc').orderBy('id', 'desc');
    const excess = await latest.limit(removedAtOnce).offset(mostDue).execute();
    for (const row of excess) await sender.giveUp(row, 'too-many');
  }

  async function judgeConcerned({ sessionId, userId }: Ending): Promise<void> {
    if (sessionId !== undefined) await judge(await waiting().where('session_id', '=', sessionId).execute());
    if (userId === undefined) return;
    const subjects = database.selectFrom('janua_subjects').select('subject').where('user_id', '=', userId);
    await judge(await waiting().where('subject', 'in', subjects).execute());
  }

  async function sweep(): Promise<void> {
    if (!(await claimLease(database, 'logout-sweep', now(), now() + sweepInterval * 0.9))) return;
    for (let count = 0; count < sessionsPerSweep; count += sessionsPerPage) {
      const page = waiting().distinct().where('session_id', '>', position).orderBy('session_id').limit(sessionsPerPage);
      const rows = await page.execute();
      await judge(rows);
      position = rows.length < sessionsPerPage ? '' : (rows.at(-1)?.session_id ?? '');
      if (position === '') return;
      await setImmediate();
    }
  }

  function run(work: () => Promise<void>): void {
    const look = asServer(work)
      .catch((error: unknown) => {
        // The monitor of the store has logged `Unavailable` already.
        if (!(error instanceof Unavailable))
          log.error({ event: 'logout_notices_failed', err: error }, 'ended sessions could not be looked for');
      })
      .finally(() => looks.delete(look));
    looks.add(look);
  }

  return {
    /** Stores that a client gets a notice when the session ends. May be called again. */
    async expect({ sessionId, clientId, subject, sid }: ExpectedNotice): Promise<void> {
      const id = hash('sha256', JSON.stringify([sessionId, clientId]), 'base64url');
      const rows = database.selectFrom('janua_logout_notices').select('id').where('id', '=', id);
      if ((await rows.executeTakeFirst()) !== undefined) return;
      const notice = { id, session_id: sessionId, client_id: clientId, subject, sid };
      const row = { ...notice, due_at: null, attempts: 0, expires_at: now() + waitingMilliseconds };
      await insertNew(database.insertInto('janua_logout_notices').values(row));
    },

    /**
     * Checks at once whether the session, or sessions of the user, have ended. A removed user has no subject any more, so only the sweep
     * finds the sessions.
     */
    checkNow: (ending: Ending): void => run(() => judgeConcerned(ending)),

    start(): void {
      timer ??= setInterval(() => run(sweep), sweepInterval).unref();
      run(sweep);
      sender.start();
    },

    /** Resolves when all checks are done, and this process has no due notice to send. */
    async settled(): Promise<void> {
      while (looks.size > 0) await Promise.all(looks);
      await sender.settled();
    },

    /** Waits for the notices that are being sent. The other notices stay. */
    async close(): Promise<void> {
      clearInterval(timer);
      await Promise.all([...looks, sender.close()]);
    },
  };
}
