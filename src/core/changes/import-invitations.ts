import type { Database } from '../../ground/database/database.ts';
import { sql } from '../../ground/database/kysely.ts';
import { createLeasedWork } from '../../ground/database/leased-work.ts';
import { inTransaction } from '../../ground/database/transaction.ts';
import type { Log } from '../../ground/faults/log.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import type { Audit } from '../audit/audit.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { AdmitInvitation } from '../ports.ts';
import { rightsOfAccount } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Held, HoldAny } from '../users/held.ts';
import { isUsed } from '../users/imports.ts';
import { type createMayGive, type FindAccount, operator } from '../users/may-give.ts';

/** How many users one step reads. */
const readAtOnce = 50;

/** Milliseconds between two looks at the users who await an invitation. */
const lookInterval = 10_000;

/** How long a maker pauses after a refused invitation, in milliseconds. For an administrator, until the limit admits another mail. */
const pauses = { operator: 60_000, administrator: 180_000 } as const;

export interface ImportInvitationOptions {
  readonly database: Database;
  readonly holdAny: HoldAny;
  readonly findAccount: FindAccount;
  readonly mayGive: ReturnType<typeof createMayGive>;
  /** Undefined if the server sends no mail. Users then wait until it does. */
  readonly findAdmit: () => AdmitInvitation | undefined;
  readonly outbox: Pick<Outbox, 'hasRoomForImports'>;
  readonly audit: Pick<Audit<never, 'user-invited'>, 'recordIn'>;
  readonly log: Pick<Log, 'error'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The user can sign in by now, is disabled, or the administrator who imported may not invite the user. The transaction changed nothing. */
class InvitationOver extends Error {
  override readonly name = 'InvitationOver';
}

/**
 * Mails an invitation to each user whom an import with `--invite` added (`janua_users.invite_by`). The mark of a user is removed in the
 * transaction that queues the mail, so that each user is invited once, whichever process stops or works beside this one.
 */
export function createImportInvitations(options: ImportInvitationOptions) {
  const { database, holdAny, findAccount, mayGive, findAdmit, outbox, audit, log, now } = options;
  /** The makers who pause, and the user with whom they paused. The next turn begins after that user, who may be refused for an hour. */
  const paused = new Map<string, { readonly after: string; readonly until: number }>();
  const marked = (db: Database, maker: string) => db.updateTable('janua_users').where('invite_by', '=', maker);
  const isOver = sql<number | boolean>`(disabled = 1 or password <> '' or ${isUsed})`;
  const waiting = database.selectFrom('janua_users').where('invite_by', 'is not', null);

  const readWaiting = (maker: string, after: string) =>
    waiting
      .select(['id', 'username', 'import_id', isOver.as('over')])
      .where('invite_by', '=', maker)
      .where('id', '>', after)
      .orderBy('id')
      .limit(readAtOnce)
      .execute();

  const noteFault = (err: unknown) =>
    log.error({ event: 'invitations_failed', err }, 'imported users could not be invited');

  type Waiting = Awaited<ReturnType<typeof readWaiting>>[number];

  const end = (maker: string, ids: readonly string[]) =>
    inTransaction(database, (db) => marked(db, maker).set({ invite_by: null }).where('id', 'in', ids).execute());

  /** Finds the actor of the audit event. Without a limit of its own, an operator would count as a stranger. */
  async function actorOf(maker: string, importId: string | null) {
    const route = 'janua users import';
    if (maker !== operator) return { actorId: maker, caller: { route } };
    const imports = database.selectFrom('janua_imports').select('operator').where('id', '=', importId);
    return { caller: { route, operator: (await imports.executeTakeFirst())?.operator ?? 'unknown' } };
  }

  /** Checks the user under the lock of the account, because the user may have changed since the list was read. */
  async function requireInvitable({ user, db }: Held, maker: string): Promise<void> {
    const over = db.selectFrom('janua_users').select('id').where('id', '=', user.id).where(sql<boolean>`${isOver}`);
    if ((await over.executeTakeFirst()) !== undefined) throw new InvitationOver();
    // The link is mailed, so its user proves the address. ADMINISTRATORS may list it, which gives the user rights.
    const proof = db.updateTable('janua_users').set({ address_proof: 'mail' }).where('id', '=', user.id);
    await proof.where('address_proof', '=', 'import').execute();
    const account = await findAccount(user.id, db);
    if (account === undefined || !(await mayGive(maker, rightsOfAccount(account), db))) throw new InvitationOver();
  }

  /** @throws {ChangeRefused} if too many mails were sent */
  async function invite(maker: string, { id: userId, username, import_id }: Waiting, admit: AdmitInvitation) {
    const actor = await actorOf(maker, import_id);
    const queue = await admit(username, actor, userId);
    const work = async (held: Held) => {
      const { account, user, db } = held;
      // The mail counts for the former address. The next turn takes the new one.
      if (user.username !== username) return;
      const { numUpdatedRows } = await marked(db, maker)
        .set({ invite_by: null })
        .where('id', '=', userId)
        .executeTakeFirst();
      if (numUpdatedRows === 0n) return;
      await requireInvitable(held, maker);
      await queue(account, db);
      const invited = sql<number>`coalesce(invited, 0) + 1`;
      await db.updateTable('janua_imports').set({ invited }).where('id', '=', import_id).execute();
      const about = import_id ?? undefined;
      await audit.recordIn(db, { kind: 'user-invited', ...actor, userId, reason: 'imported', about });
    };
    // The lock of all groups keeps the rights of an administrator as they are meanwhile.
    await holdAny(userId, work, { groups: maker !== operator }).catch(async (error: unknown) => {
      if (error instanceof InvitationOver) await end(maker, [userId]);
      else if (!(error instanceof ChangeRefused && error.code === 'no-such-user')) throw error;
    });
  }

  /** Invites the users of a maker while there is room for their mails. */
  async function inviteFor(maker: string, admit: AdmitInvitation, mayGoOn: () => boolean): Promise<void> {
    let { after, until } = paused.get(maker) ?? { after: '', until: 0 };
    if (until > now()) return;
    while (await outbox.hasRoomForImports(readAtOnce)) {
      const found = await readWaiting(maker, after);
      if (found.length === 0) break;
      const isMakerGone = !(await mayGive(maker, { groups: [], scopes: [] }));
      const over = found.filter((user) => isMakerGone || Boolean(user.over));
      if (over.length > 0) await end(maker, over.map(({ id }) => id)); // biome-ignore format: one step
      for (const user of found.filter((each) => !over.includes(each))) {
        if (!mayGoOn()) return;
        try {
          await invite(maker, user, admit);
        } catch (error) {
          if (error instanceof Unavailable) throw error;
          if (!(error instanceof ChangeRefused)) {
            noteFault(error);
            continue;
          }
          const pause = maker === operator ? pauses.operator : pauses.administrator;
          paused.set(maker, { after: user.id, until: now() + pause });
          return;
        }
      }
      after = found.at(-1)?.id ?? after;
    }
    paused.delete(maker);
  }

  async function work(mayGoOn: () => boolean): Promise<void> {
    const admit = findAdmit();
    if (admit === undefined) return;
    const makers = await waiting.select('invite_by').distinct().execute();
    for (const { invite_by: maker } of makers) if (maker !== null) await inviteFor(maker, admit, mayGoOn);
  }

  return createLeasedWork({
    ...{ database, name: 'import-invitations', lookInterval, work, now },
    hasDue: async () => findAdmit() !== undefined && (await waiting.select('id').limit(1).execute()).length > 0,
    onFault: noteFault,
  });
}
