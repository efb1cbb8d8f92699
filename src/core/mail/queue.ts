import type { Database } from '../../ground/database/database.ts';
import { createEventIds } from '../audit/event-id.ts';
import type { MailDescription } from './description.ts';
import { mostMails } from './limits.ts';

/** A mail to add. Its row is the same whether or not the address has an account, so the time of a request does not reveal that. */
export interface NewMail {
  /** A key of `descriptions`. */
  readonly purpose: string;
  readonly address: string;
  /** The language of the mail, unless the user has chosen another one. */
  readonly language: string;
  readonly userId?: string | undefined;
  /** The account's stamp (`stampOf`) when its user requested the mail. A link in the mail works only while the account has this stamp. */
  readonly stamp?: string | undefined;
  /** The request that caused it, for `janua explain`. */
  readonly requestId?: string | undefined;
  /** The values that the mail shows. */
  readonly details?: Readonly<Record<string, string>> | undefined;
  /** Default: the user of the mail, or its address if it has no user. */
  readonly causedBy?: Cause | undefined;
}

/**
 * The cause of a mail. All mails of the same cause share a limit (`mostMails.ofParty`). It is the id of a user who has proved their
 * identity or of an administrator, or a stranger's network (`endSiteOf`). The id `operator` stands for a command, and has no limit.
 */
export type Cause = { readonly userId: string } | { readonly network: string };

export interface QueueOptions {
  readonly database: Database;
  /** The description of each purpose. */
  readonly descriptions: Readonly<Record<string, Pick<MailDescription, 'keepSeconds' | 'limit'>>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called soon after each new mail. */
  onAdded(): void;
}

/**
 * How long the sender waits after a new mail is added, in milliseconds. By then, the request is answered, so its time does not reveal
 * whether there is a mail to make (ASVS 6.3.8). The transaction is committed, too.
 */
const addedMilliseconds = 50;

/** How long a full queue is not counted again, in milliseconds. */
const fullMilliseconds = 1000;

/** The share of the free room that this process may use before it counts again. So up to ten processes stay within the limit. */
const share = 1 / 10;

/** The party of mails that commands cause. */
export const ofOperator = 'user:operator';

export type Queue = ReturnType<typeof createQueue>;

/** Adds mails to the outbox while there is room. Only `createMailer` uses it. Throws `Unavailable` when the database cannot be reached. */
export function createQueue({ database, descriptions, now, onAdded }: QueueOptions) {
  const createId = createEventIds();
  const waitingIn = (db: Database) => db.selectFrom('janua_mails').where('due_at', 'is not', null);

  const reaches = async (mails: ReturnType<typeof waitingIn>, most: number): Promise<boolean> =>
    (await mails.select('id').limit(most).execute()).length === most;

  /** Returns a function that takes a place for a mail. It counts the rows only now and then. */
  const roomOf = (most: number, select: (db: Database) => ReturnType<typeof waitingIn>) => {
    let left = 0;
    let isFullUntil = 0;
    return async (db: Database): Promise<boolean> => {
      if (left === 0 && now() >= isFullUntil) {
        const { count } = await select(db)
          .select(({ fn }) => fn.countAll().as('count'))
          .executeTakeFirstOrThrow();
        left = Math.ceil(Math.max(0, most - Number(count)) * share);
        if (left === 0) isFullUntil = now() + fullMilliseconds;
      }
      if (left === 0) return false;
      left -= 1;
      return true;
    };
  };

  const rooms = {
    stranger: roomOf(mostMails.ofStrangers, (db) => waitingIn(db).where('stranger', '=', 1)),
    request: roomOf(mostMails.ofRequests, waitingIn),
    notice: roomOf(mostMails.inAll, waitingIn),
  };

  return {
    /**
     * Adds a mail, and returns its id. Undefined if too many mails wait.
     * @param within the transaction of the change that the mail is about
     * @param dueAt when it is sent, in milliseconds since 1970. Default: now
     */
    async add(
      { purpose, address, language, ...mail }: NewMail,
      within: Database = database,
      dueAt?: number,
    ): Promise<string | undefined> {
      const description = descriptions[purpose];
      if (description === undefined) throw new TypeError(`there is no mail ${purpose}`);
      const time = now();
      const { userId = address, causedBy = { userId } } = mail;
      const isStranger = 'network' in causedBy;
      const stranger = isStranger ? 1 : 0;
      const party = isStranger ? causedBy.network : `user:${causedBy.userId}`;
      const isRequest = 'counted' in description.limit && !description.limit.reportsEvent;
      const requests = isStranger ? rooms.stranger : rooms.request;
      const hasRoom = isRequest ? requests : rooms.notice;
      const most = isRequest ? mostMails.ofParty : mostMails.withNotices;
      const waiting = waitingIn(within);
      // The operator has no such limit, and may invite many users at once.
      if (party !== ofOperator && (await reaches(waiting.where('party', '=', party), most))) return undefined;
      const toAddress = waiting.where('address', '=', address).where('stranger', '=', stranger);
      if (isRequest && (await reaches(toAddress, mostMails.toAddress))) return undefined;
      if (!(await hasRoom(within))) return undefined;
      const row = {
        id: createId(time),
        purpose,
        address,
        language,
        details: JSON.stringify(mail.details ?? {}),
        user_id: mail.userId ?? null,
        stamp: mail.stamp ?? null,
        request_id: mail.requestId ?? null,
        created_at: time,
        due_at: dueAt ?? time,
        expires_at: (dueAt ?? time) + description.keepSeconds * 1000,
        stranger,
        party,
      };
      await within.insertInto('janua_mails').values(row).execute();
      setTimeout(onAdded, addedMilliseconds).unref();
      return row.id;
    },
  };
}
