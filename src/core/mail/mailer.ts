import { hash } from 'node:crypto';
import type { Database, OpenDatabase } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import { endSiteOf, networkOf } from '../../ground/text/networks.ts';
import type { AuditOf } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Throttle } from '../throttle/throttle.ts';
import type { MailDescription } from './description.ts';
import type { events } from './events.ts';
import { type Count, type Merging, perClient, perEndSite, perHour, perMinute, perTarget } from './limits.ts';
import type { NewMail, Queue } from './queue.ts';

/** Adds a mail that `admit` has counted. Returns whether there was room. @param about the account, if it was unknown to `admit` */
export type Permit = (about?: Pick<NewMail, 'userId' | 'stamp'>, db?: Database) => Promise<boolean>;

type RequestedMail = Omit<NewMail, 'requestId'>;

export interface MailerOptions extends Pick<OpenDatabase, 'database' | 'engine'> {
  readonly queue: Queue;
  /** By purpose. */
  readonly descriptions: Readonly<Record<string, Pick<MailDescription, 'limit'>>>;
  readonly throttle: Pick<Throttle, 'take'>;
  readonly audit: AuditOf<typeof events>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

export type Mailer = ReturnType<typeof createMailer>;

/**
 * Adds mails to the outbox. Only this object does so, so that no mail escapes its limit. The limit is in the description of each purpose.
 */
export function createMailer({ database, engine, queue, descriptions, throttle, audit, now }: MailerOptions) {
  function limitOf(purpose: string) {
    const limit = descriptions[purpose]?.limit;
    if (limit === undefined) throw new TypeError(`there is no mail ${purpose}`);
    return limit;
  }

  function describeRefusal(
    { address, userId }: RequestedMail,
    caller: Caller,
    reason: 'too-many' | 'too-many-by-administrator' | 'too-many-waiting',
    actor?: string,
  ) {
    const about = userId === undefined ? { nameDigest: audit.digestName(address) } : { userId };
    const actorId = actor === 'operator' ? undefined : actor;
    return { kind: 'mail-not-sent', reason, caller, actorId, ...about } as const;
  }

  /**
   * Counts a mail that may be requested repeatedly. Returns undefined if there were too many. Callers must hide that from the requester,
   * unless it is an administrator (`causedBy`). Call this before the transaction of a change, because the throttle has a transaction of its
   * own.
   * @param mail has a `userId` only if the user has proved their identity, or an administrator acts on the account. Otherwise the mail
   * counts as a stranger's
   */
  async function admit(mail: RequestedMail, caller: Caller): Promise<Permit | undefined> {
    const limit = limitOf(mail.purpose);
    if (!('counted' in limit)) throw new TypeError(`the mail ${mail.purpose} is not requested`);
    const { purpose, address, userId, causedBy: cause } = mail;
    // The id of an administrator, or `operator`, if either acts on the account.
    const actor = cause && 'userId' in cause ? cause.userId : undefined;
    const nameDigest = audit.digestName(address);
    const network = endSiteOf(caller.address);
    // Separate counts, because strangers must not use up the limits of administrators, nor those of signed-in users at the same client
    // address.
    const to = `${actor === undefined ? '' : 'administrator:'}${purpose}:${nameDigest}`;
    const strangers = [
      { key: `mail-client:${networkOf(caller.address, 64) ?? 'unknown'}`, policy: perClient },
      { key: `mail-end-site:${network}`, policy: perEndSite },
    ];
    const administrators = [
      ...(actor === 'operator' ? [] : [{ key: `mail-client:user:${actor}`, policy: perClient }]),
      ...(userId === undefined ? [] : [{ key: `mail-target:${userId}`, policy: perTarget }]),
    ];
    const users = [{ key: `mail-client:user:${userId}`, policy: perClient }];
    const known = actor === undefined ? users : administrators;
    const keys: Readonly<Record<Count, typeof users>> = {
      minute: [{ key: `mail-minute:${to}`, policy: perMinute }],
      hour: [{ key: `mail-hour:${to}`, policy: perHour }],
      party: userId === undefined && actor === undefined ? strangers : known,
    };
    if (!(await throttle.take(limit.counted.flatMap((count) => keys[count])))) {
      const reason = actor === undefined ? 'too-many' : 'too-many-by-administrator';
      await audit.recordIfPossible(describeRefusal(mail, caller, reason, actor));
      return undefined;
    }
    const causedBy = cause ?? (userId === undefined ? { network } : { userId });
    return async (about, db) => {
      const added = await queue.add({ ...mail, ...about, causedBy, requestId: caller.requestId }, db);
      if (added !== undefined) return true;
      // Recorded outside the transaction, because the refusal rolls the transaction back. SQLite stores the event only after the
      // transaction, so the transaction must not wait for that.
      const recorded = audit.recordIfPossible(describeRefusal(mail, caller, 'too-many-waiting', actor));
      if (db === undefined) await recorded;
      return false;
    };
  }

  /** Adds a notice, or merges it into the waiting one. Returns whether there was room. */
  async function addMerged(mail: NewMail, merging: Merging, db: Database): Promise<boolean> {
    const { purpose, address, userId = address, details = {} } = mail;
    const id = hash('sha256', JSON.stringify([userId, address]), 'base64url');
    const window = await lockWindow(db, engine, { id, userId });
    const change = (values: {
      readonly kinds?: string;
      readonly mail_id?: string | null;
      readonly expires_at: number;
    }) => db.updateTable('janua_notices').set(values).where('id', '=', id).execute();
    const isOpen = window.mailId !== undefined || window.endsAt > now();
    const kinds = isOpen ? window.kinds : [];
    const kind = details.what ?? purpose;
    const expires_at = isOpen ? window.endsAt : now() + merging.windowSeconds * 1000;
    if (!kinds.includes(kind) && (await queue.add(mail, db)) !== undefined) {
      await change({ kinds: JSON.stringify([...kinds, kind]), expires_at });
      return true;
    }
    const waiting = window.mailId === undefined ? undefined : await findDetails(db, window.mailId);
    const collected = merging.collect(waiting, details, purpose);
    if (waiting !== undefined) {
      const row = db.updateTable('janua_mails').set({ details: JSON.stringify(collected) });
      await row.where('id', '=', window.mailId ?? '').execute();
      return true;
    }
    const merged = { ...mail, purpose: merging.mergedPurpose, details: collected };
    const mailId = await queue.add(merged, db, Math.max(expires_at, now()));
    await change({ kinds: JSON.stringify(kinds), mail_id: mailId ?? null, expires_at });
    return mailId !== undefined;
  }

  async function addNotice(mail: NewMail, caller: Caller, db: Database): Promise<void> {
    const limit = limitOf(mail.purpose);
    if ('counted' in limit) throw new TypeError(`the mail ${mail.purpose} has to be requested`);
    const withRequest = { ...mail, requestId: caller.requestId };
    const added =
      'merged' in limit
        ? await addMerged(withRequest, limit.merged, db)
        : (await queue.add(withRequest, db)) !== undefined;
    if (!added) await audit.recordIn(db, describeRefusal(mail, caller, 'too-many-waiting'), false);
  }

  return {
    admit,

    /** Adds a mail that may be requested repeatedly, unless there were too many. Returns whether it was added. @param mail see `admit` */
    async request(mail: RequestedMail, caller: Caller): Promise<boolean> {
      const permit = await admit(mail, caller);
      return permit !== undefined && (await permit());
    },

    /**
     * Adds a notice of something that has happened. A notice whose limit is `merged` joins those that wait. A notice is left out only if
     * too many mails of the account, or in all, wait (`mostMails`).
     * @param within the transaction of the change that the mail reports
     */
    notify: (mail: Omit<NewMail, 'requestId'>, caller: Caller, within?: Database): Promise<void> =>
      within === undefined
        ? inTransaction(database, (db) => addNotice(mail, caller, db))
        : addNotice(mail, caller, within),
  };
}

interface NoticeWindow {
  readonly kinds: readonly string[];
  /** The id of the merged mail, which is sent when the window ends. Undefined if there is none yet. */
  readonly mailId: string | undefined;
  /** The end of the window, in milliseconds since 1970. */
  readonly endsAt: number;
}

/**
 * Locks the notices of an account to an address until the end of the transaction. The lock is an update, because the servers of a database
 * cluster see no other lock.
 */
async function lockWindow(
  db: Database,
  engine: OpenDatabase['engine'],
  { id, userId }: { readonly id: string; readonly userId: string },
): Promise<NoticeWindow> {
  const row = db.insertInto('janua_notices').values({ id, user_id: userId, kinds: '[]', expires_at: 0 });
  const add = engine === 'mysql' ? row.ignore() : row.onConflict((conflict) => conflict.doNothing());
  const lock = db.updateTable('janua_notices').set({ changes: sql<number>`changes + 1` }).where('id', '=', id);
  let locked = 0n;
  // The sender may delete the row between the two statements.
  while (locked === 0n) {
    await add.execute();
    locked = (await lock.executeTakeFirst()).numUpdatedRows;
  }
  const found = await db.selectFrom('janua_notices').selectAll().where('id', '=', id).executeTakeFirstOrThrow();
  return { kinds: JSON.parse(found.kinds), mailId: found.mail_id ?? undefined, endsAt: Number(found.expires_at) };
}

/** Finds the details of a waiting mail. Undefined once the mail is sent or given up. */
async function findDetails(db: Database, id: string): Promise<Readonly<Record<string, string>> | undefined> {
  const mail = db.selectFrom('janua_mails').select('details').where('id', '=', id).where('due_at', 'is not', null);
  const found = await mail.executeTakeFirst();
  return found && JSON.parse(found.details);
}
