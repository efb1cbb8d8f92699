import type { Database } from '../../ground/database/database.ts';
import { stampedTables, unstampedTables } from '../../ground/database/tables.ts';
import type { Log } from '../../ground/faults/log.ts';
import type { Audit } from '../audit/audit.ts';
import type { AuditEvent, Caller } from '../audit/event.ts';
import type { Mailer } from '../mail/mailer.ts';
import { originOf } from '../mail/notice.ts';
import type { RenewedSession, Session, Sessions } from '../sessions/sessions.ts';
import { type Account, hasForeignPassword, stampOf } from '../users/account.ts';
import type { Held, Hold, HoldAny, HoldOptions, Proved } from '../users/held.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import { type ChangeKind, changeRules } from './change-rules.ts';

/** The author of a change, and the request. */
export interface ChangeBy {
  readonly caller: Caller;
  /** The id of the administrator. Undefined for the owner or an operator. */
  readonly actorId?: string | undefined;
  /** The language of the request. Notices use it, unless the user has chosen another one. */
  readonly language?: string | undefined;
  /** The session of the owner. If the change ends the other sessions, this one continues with new credentials. */
  readonly session?: Session | undefined;
  /** The methods by which the change itself has proved the owner's identity, besides those of the session. */
  readonly proved?: Session['methods'];
}

/** The event of a change, with options for its effects. */
export interface ChangeEvent<Result> extends Pick<AuditEvent, 'reason' | 'count'> {
  readonly kind: ChangeKind;
  readonly about?: string | ((made: Result) => string);
  /** Returns whether the work has changed anything. If not, nothing is ended, mailed or recorded. Default: true. */
  readonly isChange?: (made: Result) => boolean;
  /** Whether personal access tokens stay, although the rule of the change sets `endsUnstamped`. */
  readonly sparesTokens?: boolean;
  /** Returns further values for the notice. Called after the change was made. */
  readonly noticeDetails?: () => Readonly<Record<string, string>>;
  /** Completes a change that renews the stamp, in its transaction. @param changed the account after the change */
  readonly complete?: (made: Result, changed: Account, db: Database) => Promise<void>;
}

export interface Renewed {
  /** The account after the change. */
  readonly account: Account;
  readonly session: RenewedSession;
}

export interface Changed<Result> {
  readonly made: Result;
  /** Undefined without a new stamp. Also undefined if the session has ended or could not be renewed, and the user has to sign in again. */
  readonly renewed: Renewed | undefined;
}

export interface ChangeOptions {
  readonly hold: Hold;
  readonly holdAny: HoldAny;
  readonly users: Pick<UserDirectory, 'lock' | 'renewStamp'>;
  readonly sessions: Sessions;
  /** Undefined where no mail is sent. */
  readonly mailer: Pick<Mailer, 'notify'> | undefined;
  /** Forgets the failed logins of a user. @param codes whether to forget wrong codes of second factors too */
  readonly liftFailures: (user: User, codes: boolean) => Promise<unknown>;
  readonly audit: Pick<Audit<never, ChangeKind>, 'recordIn' | 'requireAllowance'>;
  readonly log: Pick<Log, 'error'>;
}

type Work<Result> = (held: Held) => Promise<Result>;

/** The results of the transaction of a change. */
interface TransactionResult<Result> {
  readonly made: Result;
  readonly user: User;
  /** The account after the change. Undefined unless it has a new stamp. */
  readonly account: Account | undefined;
  readonly isChange: boolean;
}

export type Changes = ReturnType<typeof createChanges>;

/**
 * Makes the changes to an account: the change, its effects and its event in one transaction, and afterwards the changes in other stores. A
 * failure there is only logged: the change is made, and the new stamp has ended the old sessions already.
 */
export function createChanges(options: ChangeOptions) {
  const { hold, holdAny, users, sessions, mailer, liftFailures, audit, log } = options;

  const changeInTransaction =
    <Result>(event: ChangeEvent<Result>, by: ChangeBy, work: Work<Result>): Work<TransactionResult<Result>> =>
    async (held) => {
      const { kind, reason, count, about, sparesTokens = false, noticeDetails, complete } = event;
      const { caller, actorId, session, language: asked = 'en' } = by;
      const { user, db, account: before } = held;
      const { newStamp, endsLinks, endsUnstamped, notice } = changeRules[kind];
      const made = await work(held);
      if (event.isChange?.(made) === false) return { made, user, account: undefined, isChange: false };
      if (newStamp) await users.renewStamp(held);
      const ended = new Set([
        ...(newStamp ? stampedTables : []),
        ...(endsLinks ? (['janua_tokens'] as const) : []),
        ...(endsUnstamped ? unstampedTables.filter((table) => !(sparesTokens && table === 'janua_access_tokens')) : []),
        // Another program has changed the password, so personal access tokens are refused. They are deleted, with consents, because they
        // would count again once this password is noted.
        ...(hasForeignPassword(before) ? unstampedTables : []),
      ]);
      for (const table of ended) await db.deleteFrom(table).where('user_id', '=', user.id).execute();
      // Read here, because another change may follow before the session is renewed.
      const changed = newStamp || notice !== undefined ? await users.lock(user.id, db) : undefined;
      if (notice !== undefined) {
        // Another user may have the former name by now, so only the notice of the renaming goes to it.
        const renamed = kind === 'user-renamed-elsewhere' ? before.formerName : undefined;
        const [former, email = former] = [renamed ?? user.username, changed?.user.username];
        const details = {
          what: kind,
          ...noticeDetails?.(),
          ...originOf(by),
          ...(email !== former && { email, former }),
        };
        const mail = { purpose: notice, language: user.language ?? asked, details };
        for (const address of new Set([former, email]))
          await mailer?.notify({ ...mail, address, userId: user.id }, caller, db);
      }
      const account = newStamp ? changed : undefined;
      if (account !== undefined) await complete?.(made, account, db);
      await audit.recordIn(db, {
        kind,
        reason,
        count,
        caller,
        actorId,
        userId: user.id,
        sessionId: session?.id,
        about: typeof about === 'function' ? about(made) : about,
      });
      return { made, user, account, isChange: true };
    };

  /** Gives the session new credentials, under the new stamp. */
  async function renew(account: Account, session: Session, proved: Session['methods']): Promise<Renewed | undefined> {
    const methods = [...new Set([...session.methods, ...proved, 'mfa' as const])];
    const changes = { stamp: stampOf(account), ...(proved.length > 0 && { methods }) };
    const renewed = await sessions.renew(session, changes);
    return renewed && { account, session: renewed };
  }

  async function afterwards(
    kind: ChangeKind,
    { user, account }: TransactionResult<unknown>,
    { session, proved = [] }: ChangeBy,
  ): Promise<Renewed | undefined> {
    const { endsSessions, liftsFailures } = changeRules[kind];
    const orLog = <Result>(step: Promise<Result>): Promise<Result | undefined> =>
      step.catch((err: unknown) => {
        log.error({ event: 'after_change', err, kind }, 'the account was changed, but a step after the change failed');
        return undefined;
      });
    const kept = account && session;
    const ended = kept ? (id: string) => sessions.endOthersOf(id, kept.id) : sessions.endAllOf;
    await Promise.all([
      endsSessions && orLog(ended(user.id)),
      liftsFailures && orLog(liftFailures(user, liftsFailures === 'all')),
    ]);
    return kept && orLog(renew(account, kept, proved));
  }

  async function make<Result>(
    event: ChangeEvent<Result>,
    userId: string,
    by: ChangeBy,
    work: Work<Result>,
    inHold: (work: Work<TransactionResult<Result>>, options: HoldOptions) => Promise<TransactionResult<Result>>,
  ): Promise<Changed<Result>> {
    const { kind } = event;
    audit.requireAllowance({ kind, userId, caller: by.caller, actorId: by.actorId });
    const changed = await inHold(changeInTransaction(event, by, work), {
      groups: changeRules[kind].locksGroups ?? false,
      parties: by.actorId === undefined ? [userId, by.session?.id ?? ''] : [by.actorId],
    });
    return { made: changed.made, renewed: changed.isChange ? await afterwards(kind, changed, by) : undefined };
  }

  return {
    /**
     * Makes a change by the owner of an account.
     * @param work makes the change. It may run more than once, and its error rolls back the transaction
     * @throws {AccountChanged} if the proof no longer holds; {ChangeRefused} `too-many-changes`
     */
    change: <Result>(event: ChangeEvent<Result>, proved: Proved, by: ChangeBy, work: Work<Result>) =>
      make(event, proved.userId, by, work, (whole, options) => hold(proved, whole, options)),

    /** Makes a change by an administrator or a command. @throws {ChangeRefused} `no-such-user`, `too-many-changes` */
    changeAny: <Result>(event: ChangeEvent<Result>, userId: string, by: ChangeBy, work: Work<Result>) =>
      make(event, userId, by, work, (whole, options) => holdAny(userId, whole, options)),
  };
}
