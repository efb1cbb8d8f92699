import type { Selectable } from 'kysely';
import type { Database } from '../../ground/database/database.ts';
import { countDeleted, removeInBatches } from '../../ground/database/deletions.ts';
import { sql } from '../../ground/database/kysely.ts';
import { listPages } from '../../ground/database/list-pages.ts';
import type { MailsTable } from '../../ground/database/schema.ts';
import { repeated } from '../../ground/database/transaction.ts';
import type { Held } from '../users/held.ts';
import type { User } from '../users/user.ts';
import type { MailDescription } from './description.ts';
import { mostMails } from './limits.ts';
import { type NewMail, ofOperator } from './queue.ts';
import type { RenderedMail } from './render.ts';

/** A mail in the outbox. Ids are in order of time. Times are milliseconds since 1970. */
export interface QueuedMail extends Omit<NewMail, 'causedBy'> {
  readonly id: string;
  /**
   * The account or the network that caused it: `user:` and an id or address, or a stranger's network. Undefined if an older version added
   * the mail.
   */
  readonly party: string | undefined;
  readonly details: Readonly<Record<string, string>>;
  readonly createdAt: number;
  /** The time of the next attempt. Undefined once the mail is given up, or is in the demo's mailbox. */
  readonly dueAt: number | undefined;
  /** The time when a due mail is given up. Otherwise, the time when its row is removed. */
  readonly expiresAt: number;
  /** How often the mail server has refused the mail. */
  readonly attempts: number;
  /** The reason why the last attempt failed. */
  readonly failure: string | undefined;
}

/** A mail in the demo's mailbox. */
export interface KeptMail extends RenderedMail {
  readonly id: string;
  readonly createdAt: number;
  readonly to: string;
  readonly link?: string | undefined;
}

export interface OutboxOptions {
  readonly database: Database;
  /** The description of each purpose. */
  readonly descriptions: Readonly<Record<string, Pick<MailDescription, 'keepSeconds'>>>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** How long the demo's mailbox keeps its mails, in milliseconds. Mails that were given up are listed seven times as long. */
const keptMilliseconds = 24 * 60 * 60 * 1000;
const givenUpMilliseconds = 7 * keptMilliseconds;

/**
 * Milliseconds between the turns of two mails of the same account or network. A turn is a time that only orders the due mails: a mail whose
 * turn lies in the future is sent at once if no other mail is due. After an outage of an hour, a new mail comes after at most seven mails
 * of each other account or network.
 */
const turnSpacing = 10 * 60 * 1000;

/** How many mails get their turns in one step. */
const arrivedRows = 500;

/** How many mails one step of a list reads. */
const pageRows = 500;

export type Outbox = ReturnType<typeof createOutbox>;

/**
 * Stores the mails to send in a table of the SQL database. A due mail gets a turn, a time by which due mails are ordered: when it became
 * due, but at least `turnSpacing` after the last turn of the same account or network (`party`). So one account or network cannot hold up
 * the others, however many mails it causes. Every method throws `Unavailable` when the database cannot be reached.
 */
export function createOutbox({ database, descriptions, now }: OutboxOptions) {
  const rows = database.selectFrom('janua_mails');
  const due = () => rows.selectAll().where('due_at', '<=', now());
  const inTurn = (stranger: 0 | 1, limit: number) =>
    due().where('stranger', '=', stranger).where('turn_at', '>=', 0).orderBy('turn_at').orderBy('id').limit(limit);
  const changing = (id: string) => database.updateTable('janua_mails').where('id', '=', id);
  const change = (id: string, values: Partial<Selectable<MailsTable>>) => changing(id).set(values).execute();

  /** Gives turns to the mails that have become due. The sender does this and not the request, so that all requests take the same time. */
  async function giveTurns(): Promise<void> {
    const arrived = await database
      .selectFrom('janua_mails as mail')
      .select(({ selectFrom }) => [
        ...(['id', 'party', 'due_at'] as const),
        selectFrom('janua_mails as other')
          .select('turn_at')
          .whereRef('other.party', '=', 'mail.party')
          .where('turn_at', '>=', 0)
          .orderBy('turn_at', 'desc')
          .limit(1)
          .as('latest'),
      ])
      .where('turn_at', 'is', null)
      .where('due_at', '<=', now())
      .orderBy('due_at')
      .orderBy('id')
      .limit(arrivedRows)
      .execute();
    if (arrived.length === 0) return;
    const latest = new Map<string, number>();
    const turns = arrived.map(({ id, party, ...row }) => {
      const before = latest.get(party ?? '') ?? (row.latest === null ? 0 : Number(row.latest));
      const turn = Math.max(Number(row.due_at), before + turnSpacing);
      if (party !== null) latest.set(party, turn);
      return sql`when ${id} then ${turn}`;
    });
    const ids = arrived.map(({ id }) => id);
    await database
      .updateTable('janua_mails')
      // Each id has its own `when`. The `else` only tells PostgreSQL the type.
      .set({ turn_at: sql<number>`case id ${sql.join(turns, sql` `)} else turn_at end` })
      // By ids alone: another condition could lock a range of an index into which requests insert their mails.
      .where('id', 'in', ids)
      .execute();
    if (arrived.length === arrivedRows) await giveTurns();
  }

  return {
    /**
     * Finds the state of the mails of this purpose about the user. `waiting`: one is still to be sent. `ended`: all were given up, or are
     * in the demo's mailbox. Undefined: there are none.
     */
    async find(purpose: string, { user, db }: Pick<Held, 'user' | 'db'>): Promise<'waiting' | 'ended' | undefined> {
      const own = db.selectFrom('janua_mails').select('due_at').where('user_id', '=', user.id);
      const found = await own.where('purpose', '=', purpose).execute();
      if (found.some((mail) => mail.due_at !== null)) return 'waiting';
      return found.length > 0 ? 'ended' : undefined;
    },

    /** Tells whether the mail is still in the table. */
    async has(id: string): Promise<boolean> {
      return (await rows.select('id').where('id', '=', id).executeTakeFirst()) !== undefined;
    },

    /** Removes the mails of this purpose about the user, both waiting and given up. */
    async removeAbout(purpose: string, userId: string): Promise<void> {
      const own = rows.select('id').where('user_id', '=', userId).where('purpose', '=', purpose);
      // By ids, for the reason given in `giveTurns`.
      for (const { id } of await own.where('content', 'is', null).execute())
        await database.deleteFrom('janua_mails').where('id', '=', id).execute();
    },

    hasDue: async (): Promise<boolean> => (await due().orderBy('due_at').limit(1).executeTakeFirst()) !== undefined,

    /**
     * Finds the due mails with the earliest turns. At least half of `limit` is for mails that strangers did not cause. The rest is for
     * mails that strangers caused. Either kind takes the share that the other kind leaves free.
     */
    async findDue(limit: number): Promise<QueuedMail[]> {
      await giveTurns();
      const [known, strangers] = [await inTurn(0, limit).execute(), await inTurn(1, limit).execute()];
      const first = known.slice(0, Math.max(Math.ceil(limit / 2), limit - strangers.length));
      return [...first, ...strangers.slice(0, limit - first.length)].map(fromRow);
    },

    /** Finds waiting mails that have expired. */
    async findExpired(limit: number): Promise<QueuedMail[]> {
      const expired = rows.selectAll().where('expires_at', '<=', now()).where('due_at', 'is not', null);
      return (await expired.orderBy('expires_at').limit(limit).execute()).map(fromRow);
    },

    /**
     * Ends the window in which further notices join a mail. Returns the mail, including these notices. The deletion of the window and a
     * change that adds a notice wait for each other.
     */
    async closeWindow(mail: QueuedMail): Promise<QueuedMail> {
      const window = database.deleteFrom('janua_notices').where('mail_id', '=', mail.id);
      if ((await repeated(() => countDeleted(window))) === 0) return mail;
      const row = await rows.selectAll().where('id', '=', mail.id).executeTakeFirst();
      return row === undefined ? mail : fromRow(row);
    },

    /** Removes mails that were given up, except the latest ones: `mostMails.givenUp` mails that strangers caused, and as many others. */
    async removeGivenUp(): Promise<void> {
      for (const stranger of [0, 1] as const) {
        const givenUp = rows.select('id').where('stranger', '=', stranger).where('due_at', 'is', null);
        const oldest = givenUp.orderBy('id', 'desc').offset(mostMails.givenUp);
        await removeInBatches(async (limit) => {
          const ids = (await oldest.limit(limit).execute()).map(({ id }) => id);
          if (ids.length > 0) await database.deleteFrom('janua_mails').where('id', 'in', ids).execute();
          return ids.length;
        });
      }
    },

    /** Removes a mail that was sent or is not needed any more. */
    async remove(id: string): Promise<void> {
      await database.deleteFrom('janua_mails').where('id', '=', id).execute();
    },

    /** Stores a mail in the demo's mailbox. */
    async keep({ id, ...content }: Omit<KeptMail, 'createdAt'>): Promise<void> {
      const expires_at = now() + keptMilliseconds;
      await change(id, { due_at: null, turn_at: null, expires_at, content: JSON.stringify(content) });
    },

    /**
     * Delays a mail. After a pause, it gets a turn like a new mail. Without a pause, it takes the next turn of its account or network.
     * @param attempts how often the mail server has refused it so far
     */
    async putOff({ id, expiresAt }: QueuedMail, pause: number, attempts: number, failure: string): Promise<void> {
      const turn_at = pause > 0 ? null : sql<number>`turn_at + ${sql.lit(turnSpacing)}`;
      const due_at = Math.min(now() + pause, expiresAt);
      await changing(id).set({ due_at, turn_at, attempts, failure }).execute();
    },

    async giveUp(id: string, failure: string): Promise<void> {
      await change(id, { due_at: null, turn_at: null, expires_at: now() + givenUpMilliseconds, failure });
    },

    /**
     * Makes waiting and given-up mails due, as if they were new. Returns how many there were. Without an id, mails that are due already
     * stay as they are, because a second retry must not rewrite a long queue.
     * @param id of the only mail to retry. Undefined: all mails
     */
    async retry(id?: string, db = database): Promise<number> {
      let count = 0n;
      for (const [purpose, { keepSeconds }] of Object.entries(descriptions)) {
        const retried = { due_at: now(), turn_at: null, expires_at: now() + keepSeconds * 1000, attempts: 0 };
        const update = db.updateTable('janua_mails').set(retried).where('purpose', '=', purpose);
        const ofMails = update.where('content', 'is', null);
        const chosen =
          id === undefined
            ? ofMails.where((eb) => eb.or([eb('due_at', 'is', null), eb('due_at', '>', now())]))
            : ofMails.where('id', '=', id);
        count += (await chosen.executeTakeFirst()).numUpdatedRows;
      }
      return Number(count);
    },

    /** Lists the waiting and given-up mails, oldest first. */
    list: (): AsyncGenerator<QueuedMail> =>
      listPages(
        async (after) => {
          const all = rows.selectAll().where('content', 'is', null).where('id', '>', after);
          return (await all.orderBy('id').limit(pageRows).execute()).map(fromRow);
        },
        ({ id }) => id,
      ),

    /** Lists the waiting and given-up mails to or about a user, oldest first. Limits keep their number small. */
    async listOf({ id, username }: Pick<User, 'id' | 'username'>): Promise<QueuedMail[]> {
      const all = rows.selectAll().where('content', 'is', null).orderBy('id');
      const own = all.where((or) =>
        or.or([or('user_id', '=', id), or.and([or('address', '=', username), or('user_id', 'is', null)])]),
      );
      return (await own.execute()).map(fromRow);
    },

    /** Returns a page of the waiting and given-up mails, newest first. @param before the id of the last mail of the previous page */
    async findPage(limit: number, before: string | undefined): Promise<QueuedMail[]> {
      const all = rows.selectAll().where('content', 'is', null).orderBy('id', 'desc').limit(limit);
      return (await (before === undefined ? all : all.where('id', '<', before)).execute()).map(fromRow);
    },

    /** Lists the demo's mailbox, newest first. */
    async listKept(limit: number): Promise<KeptMail[]> {
      const kept = rows.selectAll().where('content', 'is not', null).orderBy('id', 'desc').limit(limit);
      return (await kept.execute()).map(({ id, created_at, content }) => ({
        id,
        createdAt: Number(created_at),
        ...JSON.parse(content ?? ''),
      }));
    },

    /** Tells whether so many mails to imported users may be added. Other mails do not count, because each party has its own turns. */
    async hasRoomForImports(count: number): Promise<boolean> {
      const waiting = rows.select('id').where('party', '=', ofOperator).where('due_at', 'is not', null);
      const hasRoom = async (mails: typeof waiting, most: number) =>
        (
          await mails
            .limit(1)
            .offset(most - count)
            .execute()
        ).length === 0;
      const due = waiting.where('due_at', '<=', now());
      return (await hasRoom(due, mostMails.dueOfImports)) && hasRoom(waiting, mostMails.ofImports);
    },

    /** Counts the waiting mails. */
    async countQueued(): Promise<number> {
      const queued = rows.where('due_at', 'is not', null);
      const { count } = await queued.select(({ fn }) => fn.countAll().as('count')).executeTakeFirstOrThrow();
      return Number(count);
    },
  };
}

function fromRow(row: Selectable<MailsTable>): QueuedMail {
  const { id, purpose, address, language, attempts } = row;
  return {
    id,
    purpose,
    address,
    language,
    attempts,
    userId: row.user_id ?? undefined,
    stamp: row.stamp ?? undefined,
    requestId: row.request_id ?? undefined,
    details: JSON.parse(row.details),
    createdAt: Number(row.created_at),
    dueAt: row.due_at === null ? undefined : Number(row.due_at),
    expiresAt: Number(row.expires_at),
    failure: row.failure ?? undefined,
    party: row.party ?? undefined,
  };
}
