import type { Database } from '../../ground/database/database.ts';
import type { Account, Candidate, PastVerification, Verification } from './account.ts';
import type { AccountJoin } from './account-join.ts';
import type { RequireOtherAdministrator } from './groups.ts';
import type { Held } from './held.ts';
import { eventsOf, type User } from './user.ts';

export interface ListedUser extends User {
  readonly disabled: boolean;
  readonly demo: boolean;
  readonly addressVerified: boolean;
  /** Undefined if the directory does not store it. */
  readonly createdAt: Date | undefined;
}

/** A user for an export. The hash is empty if there is none. */
export interface ExportedUser extends ListedUser {
  readonly passwordHash: string;
}

/** Selects a part of all users, in the order of an index. */
export interface UserListQuery {
  readonly sort: string;
  /** `disabled` selects disabled users, any other text enabled ones. Empty or undefined: both. */
  readonly state?: string | undefined;
  readonly descending: boolean;
  /** The key after which the part begins. Undefined: at the start. */
  readonly after: readonly string[] | undefined;
  readonly limit: number;
}

/** An entry in a list of users. The next page begins after the key of the last one. */
export interface ListEntry {
  /** The value that sorts the user, and the id, which tells users with the same value apart. */
  readonly key: readonly [value: string, place: string];
  /** Undefined if an earlier entry has shown the user, or the account is inactive. */
  readonly user: ListedUser | undefined;
}

/** Most users that a list counts. Counting millions would hold up other requests. */
export const mostCounted = 100_000;

/** Every method throws `Unavailable` when the database cannot be reached. */
export interface UserDirectory {
  readonly accounts: AccountJoin;
  /** @param username in its canonical form */
  findCandidate(username: string): Promise<Candidate | undefined>;
  /** Finds an account that Janua knows. */
  findByUsername(username: string): Promise<Account | undefined>;
  /**
   * Does the same as `findByUsername`, and adds the account of a user of a team's own table whom Janua has not seen. For a command of an
   * operator, or before a mail to the address.
   */
  adoptByUsername(username: string): Promise<Account | undefined>;
  findById(id: string): Promise<Account | undefined>;
  /** Finds several accounts by their ids, in one statement. Inactive accounts are missing. */
  findAll(ids: readonly string[]): Promise<ReadonlyMap<string, Account>>;
  /** Stores `replacement` for the account's hash, unless the hash has changed meanwhile. Sessions and tokens stay. */
  replacePasswordHash(account: Account, replacement: string): Promise<void>;
  /** Locks the row of an account until the end of a transaction, and reads it. For `createHold` alone. */
  lock(id: string, db: Database): Promise<Account | undefined>;
  /** Gives the account a new stamp. This ends everything that carries the old one: sessions, links, trust in browsers, pending logins. */
  renewStamp(held: Held): Promise<void>;
  /**
   * Stores a password hash. A user of the demo becomes an ordinary user. Returns false if another program has changed the hash meanwhile.
   * The method is missing if this server may not write passwords.
   */
  setPassword?(held: Held, passwordHash: string): Promise<boolean>;
  /**
   * Takes note of the password that another program has set in a team's own table. Returns whether there was such a change
   * (`hasForeignPassword`).
   */
  acceptPassword(held: Held): Promise<boolean>;
  /** Stores the name that a team with permanent ids has given to a user (`formerName`). Returns whether the name was new. */
  acceptName(held: Held): Promise<boolean>;
  /** Takes note that a user of a team's own table is disabled. Returns whether the user is. */
  acceptDisabled(held: Held): Promise<boolean>;
  /**
   * Takes note that a user of a team's own table is enabled again. Otherwise Janua would not notice when the user is disabled the next
   * time.
   */
  noteEnabled(id: string): Promise<void>;
  /** Verifies an address, if the user still has it. */
  verifyAddress(held: Held, address: string, verification: Verification): Promise<void>;
  findDetails(user: Pick<User, 'id' | 'username'>): Promise<AccountDetails>;
  setLanguage(id: string, language: string, db?: Database): Promise<void>;
  requireOtherAdministrator: RequireOtherAdministrator;
  check(): Promise<void>;
  list(): AsyncIterable<ListedUser>;
  /** Lists the users for an export, a page at a time. */
  listWithHashes(): AsyncIterable<readonly ExportedUser[]>;
  /** Counts the users, up to `limit`. */
  count(limit: number): Promise<number>;
  listPage(query: UserListQuery): Promise<ListEntry[]>;
  /** Lists the users with a word that begins with `prefix`, by an index and sorted by these words. The prefix is in lower case. */
  listFound(prefix: string, query: Omit<UserListQuery, 'sort'>): Promise<ListEntry[]>;
  /** Returns the ids of at most `limit` users, by an index. Undefined if the groups are in a column of a team's own table. */
  findIds(
    by: 'prefix' | 'group' | 'disabled' | 'added-by',
    value: string,
    limit: number,
  ): Promise<readonly string[] | undefined>;
  /** Finds the same accounts as `findAll`, but returns them as `ListedUser`s. */
  listSome(ids: readonly string[]): Promise<ListedUser[]>;
}

export interface NewUser extends Omit<User, 'id' | 'groups'> {
  /**
   * How the account got its address: by a mailed link (`mail`), another provider, an import, or a link that a member of `admins` handed
   * over (`admin`; earlier versions stored `none`). Default: by an operator's command. A change of the address stores `changed`. The
   * setting `ADMINISTRATORS` counts only for `mail` and the default.
   */
  readonly addressProof?: 'mail' | 'upstream' | 'import' | 'admin' | 'none';
  /** Default: the address is not verified. */
  readonly verification?: Verification;
  /** Empty: the user has no password. */
  readonly passwordHash: string;
  /** A user of the demo, whose password is public, may sign in to the demo only. */
  readonly demo: boolean;
  /** Default: false. */
  readonly disabled?: boolean;
  /** The client id of the program that adds the user. */
  readonly addedBy?: string | undefined;
  /** The id of the import that adds the user. */
  readonly importId?: string;
  /** For whom an imported user is mailed an invitation: the id of an administrator, or `operator` (may-give.ts). */
  readonly inviteBy?: string;
}

/** Returns the filter that finds the events of an account (`eventsOf`). @param from the earliest time, in milliseconds since 1970 */
export async function findEventsOf(users: Pick<UserDirectory, 'findDetails'>, user: User, from = 0) {
  const { userId, since = 0 } = eventsOf(user, (await users.findDetails(user)).createdAt);
  return { userId, since: Math.max(from, since) };
}

export interface AccountDetails {
  readonly createdAt: Date | undefined;
  /** Undefined if the password has not changed since Janua began to record changes. */
  readonly passwordChangedAt: Date | undefined;
  /** Undefined unless the address is verified. */
  readonly verification: PastVerification | undefined;
}

/** Janua's own accounts, which it adds and changes. */
export interface UserRegistry {
  /**
   * Adds a user, and returns the id. Undefined when the name is taken: a transaction must then be rolled back. Outside the demo, replaces a
   * user of the demo.
   */
  add(user: NewUser, db?: Database): Promise<string | undefined>;
  /** Adds users in a transaction, and returns their ids. Fails when a name is taken. Outside the demo, replaces users of the demo. */
  addAll(users: readonly NewUser[], db: Database): Promise<string[]>;
  /** Returns those of the names that are taken, each with the id of its user. */
  findTaken(usernames: readonly string[], db: Database): Promise<ReadonlyMap<string, string>>;
  setName(held: Held, name: Pick<User, 'firstName' | 'lastName'>): Promise<void>;
  /**
   * Checks that a new address leaves an administrator: `ADMINISTRATORS` may list the last one by the present address.
   * @throws {ChangeRefused} `last-administrator`
   */
  requireOtherByAddress(userId: string, db?: Database): Promise<void>;
  /**
   * Changes the address, which counts as verified. Sessions stay. Returns false when the name is taken: the transaction must then be rolled
   * back. Must run in an `inGroupsTransaction`.
   * @param verification default: by a mailed link
   * @throws {ChangeRefused} `last-administrator`
   */
  setUsername(held: Held, username: string, verification?: Verification): Promise<boolean>;
  /** Must run in an `inGroupsTransaction`. @throws {ChangeRefused} `last-administrator` */
  setDisabled(held: Held, disabled: boolean): Promise<void>;
  /** Must run in an `inGroupsTransaction`. @throws {ChangeRefused} `last-administrator` */
  remove(held: Held): Promise<void>;
  /** Removes users in an `inGroupsTransaction` that has locked their rows. @throws {ChangeRefused} `last-administrator` */
  removeAll(ids: readonly string[], db: Database): Promise<void>;
  requireOtherAdministrator: RequireOtherAdministrator;
}
