import type { Database } from '../../ground/database/database.ts';
import { inTransactionOn } from '../../ground/database/transaction.ts';
import { type Account, stampOf } from './account.ts';
import { ChangeRefused } from './change-refused.ts';
import { inGroupsTransaction } from './groups.ts';
import type { User } from './user.ts';
import type { NewUser, UserDirectory, UserRegistry } from './user-directory.ts';

/**
 * A user, and the stamp that the account had when the user proved their identity. Sessions, links, queued mails and accounts have these
 * properties.
 */
export interface Proved {
  readonly userId: string;
  readonly stamp: string;
}

export const provedBy = (account: Account): Proved => ({ userId: account.user.id, stamp: stampOf(account) });

declare const held: unique symbol;

/**
 * An account whose row is locked until the end of the transaction `db`. Personal access tokens, consents, second factors and linked
 * identities outlive their request, and carry no stamp that would end them. The functions that store them therefore demand a `Held`: a
 * concurrent change of the account then comes before or after, and never in between. Only this file creates a `Held`.
 */
export interface Held {
  readonly [held]: true;
  readonly account: Account;
  readonly user: User;
  readonly db: Database;
}

/** The account has changed, was disabled or is gone since the user proved their identity. The transaction changed nothing. */
export class AccountChanged extends Error {
  override readonly name = 'AccountChanged';
}

export interface HoldOptions {
  /** Whether the work changes groups or administrators. Such transactions wait for each other, before they lock an account. */
  readonly groups?: boolean;
  /** The `parties` of `Locking`: the administrator who acts, or the owner and the owner's session. Default: the owner. */
  readonly parties?: readonly string[];
}

/**
 * The work in a transaction. It may run more than once, because a transaction that the database rolled back is repeated. It uses no other
 * connection than `held.db`: on SQLite, all other connections wait for the transaction.
 */
type Work<Result> = (held: Held) => Promise<Result>;

/**
 * Locks the account of a user who has proved their identity.
 * @throws {AccountChanged} if the proof no longer holds, or the account is disabled
 */
export type Hold = <Result>(proved: Proved, work: Work<Result>, options?: HoldOptions) => Promise<Result>;

/** Locks an account without a proof of its owner, for an administrator or a command. @throws {ChangeRefused} `no-such-user` */
export type HoldAny = <Result>(userId: string, work: Work<Result>, options?: HoldOptions) => Promise<Result>;

/** Adds a user, and data that belongs to the account, in one transaction. Returns undefined if the name is taken. */
export type HoldNew = <Result>(user: NewUser, work: Work<Result>, options?: HoldOptions) => Promise<Result | undefined>;

/**
 * Every lasting change to an account goes through these functions. They lock the row of the account by changing it, because the nodes of a
 * database cluster see no other lock. The order of locks is the same everywhere: groups, the account, and then rows that belong to it.
 */
export function createHold(database: Database, users: Pick<UserDirectory, 'lock'>, registry: UserRegistry | undefined) {
  async function lock(userId: string, db: Database): Promise<Held | undefined> {
    const account = await users.lock(userId, db);
    return account && ({ account, user: account.user, db } as Held);
  }

  const inOrder = <Result>(
    locked: string,
    { groups = false, parties }: HoldOptions,
    work: (db: Database) => Promise<Result>,
  ): Promise<Result> =>
    groups
      ? inGroupsTransaction(database, work, { rows: [locked], parties })
      : inTransactionOn(database, { rows: [locked], parties }, work);

  const hold: Hold = ({ userId, stamp }, work, options = {}) =>
    inOrder(userId, options, async (db) => {
      const held = await lock(userId, db);
      if (held === undefined || held.account.disabled || stampOf(held.account) !== stamp) throw new AccountChanged();
      return work(held);
    });

  const holdAny: HoldAny = (userId, work, options = {}) =>
    inOrder(userId, options, async (db) => {
      const held = await lock(userId, db);
      if (held === undefined) throw new ChangeRefused('There is no user with that id.', 'no-such-user');
      return work(held);
    });

  const holdNew: HoldNew = async (user, work, options = {}) => {
    const taken = new Error('the name is taken');
    try {
      return await inOrder(user.username, options, async (db) => {
        const userId = await registry?.add(user, db);
        const held = userId === undefined ? undefined : await lock(userId, db);
        if (held === undefined) throw taken;
        return work(held);
      });
    } catch (error) {
      if (error === taken) return undefined;
      throw error;
    }
  };

  return { hold, holdAny, holdNew: registry && holdNew };
}
