import type { Database } from '../../ground/database/database.ts';
import type { Account, Candidate, PastVerification, Verification } from './account.ts';
import type { AccountJoin } from './account-join.ts';
import type { RequireOtherAdministrator } from './groups.ts';
import type { Held } from './held.ts';
import type { User } from './user.ts';

export interface ListedUser extends User {
  readonly disabled: boolean;
  readonly demo: boolean;
  readonly addressVerified: boolean;
  /** Undefined if the directory does not store it. */
  readonly createdAt: Date | undefined;
}

/** A part of all users, in the order of an index. */
export interface Walk {
  readonly sort: string;
  /** Empty: both. */
  readonly state?: string | undefined;
  readonly descending: boolean;
  /** The key after which it begins. */
  readonly after: readonly string[] | undefined;
  readonly limit: number;
}

/** A place in a list. */
export interface ListEntry {
  /** The value that sorts the user, and the id, which tells users with the same value apart. */
  readonly key: readonly [value: string, place: string];
  /** Undefined if an earlier entry has shown the user, or the account does not count. */
  readonly user: ListedUser | undefined;
}

/** Users that a list counts. To count millions would hold up other requests. */
export const mostCounted = 100_000;

/** Every method throws `Unavailable` when the directory cannot be reached. */
export interface UserDirectory {
  readonly accounts: AccountJoin;
  /** @param username in its canonical form */
  findCandidate(username: string): Promise<Candidate | undefined>;
  /** An account that Janua knows. */
  findByUsername(username: string): Promise<Account | undefined>;
  /** The same, and adopts a user of a team's own table whom Janua has not seen. For an operator, or a mail to the address. */
  adoptByUsername(username: string): Promise<Account | undefined>;
  findById(id: string): Promise<Account | undefined>;
  /** Several accounts by their ids, in one statement. Those that do not count are missing. */
  findAll(ids: readonly string[]): Promise<ReadonlyMap<string, Account>>;
  /** Stores `replacement` for the account's hash, unless the hash has changed meanwhile. Sessions and tokens stay. */
  replacePasswordHash(account: Account, replacement: string): Promise<void>;
  /** Locks the row of an account until the end of a transaction, and reads it. For `createHold` alone. */
  lock(id: string, db: Database): Promise<Account | undefined>;
  /** Ends everything that carries the old stamp: sessions, links, trust in browsers, waiting logins. */
  renewStamp(held: Held): Promise<void>;
  /** Undefined if this server may not write passwords. False if another program has changed it meanwhile. Also ends `demo`. */
  setPassword?(held: Held, passwordHash: string): Promise<boolean>;
  /** Takes note of the password that another program has set in a team's own table (`hasForeignPassword`). */
  acceptPassword(held: Held): Promise<boolean>;
  /** Takes note of the name that a team with permanent ids has given to a user (`formerName`). */
  acceptName(held: Held): Promise<boolean>;
  /** Takes note that a user of a team's own table is enabled again, so that the next time that they are disabled is seen. */
  noteEnabled(id: string): Promise<void>;
  /** Verifies an address, if the user still has it. */
  verifyAddress(held: Held, address: string, verification: Verification): Promise<void>;
  findDetails(id: string): Promise<AccountDetails>;
  setLanguage(id: string, language: string, db?: Database): Promise<void>;
  requireOtherAdministrator: RequireOtherAdministrator;
  check(): Promise<void>;
  list(): AsyncIterable<ListedUser>;
  /** For an export. */
  listWithHashes(): AsyncIterable<ListedUser & { readonly passwordHash: string }>;
  /** How many users there are, counted up to `limit`. */
  count(limit: number): Promise<number>;
  walk(walk: Walk): Promise<ListEntry[]>;
  /** Users of whom an index finds a word that begins with a text in lower case, sorted by these words. */
  walkWords(prefix: string, walk: Omit<Walk, 'sort'>): Promise<ListEntry[]>;
  /** The ids of at most `limit` users, by an index. Undefined if there is none. */
  findIds(by: 'prefix' | 'group' | 'disabled', value: string, limit: number): Promise<readonly string[] | undefined>;
  /** Like `findAll`, as a list shows them. */
  listSome(ids: readonly string[]): Promise<ListedUser[]>;
}

export interface NewUser extends Omit<User, 'id' | 'groups'> {
  /**
   * How the account comes to its address: by a mailed link, another provider, an import, a member of `admins` who handed the link over, or
   * by nothing that proves it (`none`, as earlier versions stored for such a link). Default: by the operator, by a command. A change of the
   * address by a mailed link makes it `changed`. `ADMINISTRATORS` counts only `mail` and the default.
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
}

export interface AccountDetails {
  readonly createdAt: Date | undefined;
  /** Undefined if the password has not changed since this is recorded. */
  readonly passwordChangedAt: Date | undefined;
  /** Undefined unless the address is verified. */
  readonly verification: PastVerification | undefined;
}

/** Janua's own accounts, which it adds and changes. */
export interface UserRegistry {
  /** Undefined when the name is taken: a transaction must be rolled back. Outside the demo, replaces a user of the demo. */
  add(user: NewUser, db?: Database): Promise<string | undefined>;
  /** Adds users in a transaction, and gives their ids. Fails when a name is taken. Outside the demo, replaces users of the demo. */
  addAll(users: readonly NewUser[], db: Database): Promise<string[]>;
  /** Which of these names are taken. */
  findTaken(usernames: readonly string[], db: Database): Promise<ReadonlySet<string>>;
  setName(held: Held, name: Pick<User, 'firstName' | 'lastName'>): Promise<void>;
  /** What `setUsername` requires: the user is not the last administrator by the address alone. @throws as `setUsername` */
  requireOtherByAddress(userId: string, db?: Database): Promise<void>;
  /**
   * Changes the address, which counts as verified. False when the name is taken: the transaction must then be rolled back. Sessions stay.
   * The transaction has called `lockGroups`.
   * @param verification default: by a mailed link
   * @throws {ChangeRefused} `last-administrator`
   */
  setUsername(held: Held, username: string, verification?: Verification): Promise<boolean>;
  /** The transaction has called `lockGroups`. @throws {ChangeRefused} `last-administrator` */
  setDisabled(held: Held, disabled: boolean): Promise<void>;
  /** The transaction has called `lockGroups`. @throws {ChangeRefused} `last-administrator` */
  remove(held: Held): Promise<void>;
  requireOtherAdministrator: RequireOtherAdministrator;
}
