import type { Database } from '../../ground/database/database.ts';
import { createEventIds } from '../audit/event-id.ts';
import type { MailDescription } from './description.ts';
import { mostMails } from './limits.ts';

/** A mail to add. Its row is the same whether or not the address has an account, so the time of a request does not reveal that. */
export interface NewMail {
  /** A key of the descriptions. */
  readonly purpose: string;
  readonly address: string;
  /** Used unless the user has chosen one. */
  readonly language: string;
  readonly userId?: string | undefined;
  /** The stamp of the account when its owner asked for the mail. A link in it counts only under this stamp. */
  readonly stamp?: string | undefined;
  /** The request that caused it, for `janua explain`. */
  readonly requestId?: string | undefined;
  /** What the mail tells. */
  readonly details?: Readonly<Record<string, string>> | undefined;
  /** Default: its user. */
  readonly causedBy?: Cause | undefined;
}

/** A user who has proved their identity, or `operator` for a command; or the network of a stranger, as `endSiteOf` gives it. */
export type Cause = { readonly userId: string } | { readonly network: string };

export interface QueueOptions {
  readonly database: Database;
  /** Every purpose, and how long its mails are tried. */
  readonly descriptions: Readonly<Record<string, Pick<MailDescription, 'keepSeconds' | 'limit'>>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  /** Called soon after each new mail. */
  onAdded(): void;
}

/**
 * How long the sender waits for a new mail, in milliseconds. Within this time the request has its answer, whose time must not tell
 * whether there is a mail to make (ASVS 6.3.8), and a transaction is committed.
 */
const addedMilliseconds = 50;

/** Of a full queue, how long nothing is counted again, in milliseconds. */
const fullMilliseconds = 1000;

/** The part of the room left that this process may use before it counts again. So up to ten processes stay within the bound. */
const share = 1 / 10;

const ofOperator = 'user:operator';

export type Queue = ReturnType<typeof createQueue>;

/** Adds mails to the outbox, while there is room. Only `createMailer` has it. Throws `Unavailable` when the database cannot be reached. */
export function createQueue({ database, descriptions, now, onAdded }: QueueOptions) {
  const createId = createEventIds();
  const waitingIn = (db: Database) => db.selectFrom('janua_mails').where('due_at', 'is not', null);

  const reaches = async (mails: ReturnType<typeof waitingIn>, most: number): Promise<boolean> =>
    (await mails.select('id').limit(most).execute()).length === most;

  /** Room for mails of a kind, whose rows are counted only now and then. */
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
     * Adds a mail, and gives its id. Undefined if too many wait.
     * @param within the transaction of what the mail is about
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
      const isRequest = 'counted' in description.limit && !description.limit.tells;
      const requests = isStranger ? rooms.stranger : rooms.request;
      const hasRoom = isRequest ? requests : rooms.notice;
      const most = isRequest ? mostMails.ofParty : mostMails.withNotices;
      const waiting = waitingIn(within);
      // Operators invite many users at once.
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
