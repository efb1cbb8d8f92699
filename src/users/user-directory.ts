import type { Account } from './account.ts';
import type { User } from './user.ts';

/** A user as an administrator sees them. */
export interface ListedUser extends User {
  readonly disabled: boolean;
  readonly demo: boolean;
  /** Undefined if the directory does not store it. */
  readonly createdAt: Date | undefined;
}

/**
 * Where users are stored, as a login sees it.
 * Every method throws `Unavailable` when the directory cannot be reached.
 */
export interface UserDirectory {
  /** @param username in its canonical form */
  findByUsername(username: string): Promise<Account | undefined>;
  findById(id: string): Promise<Account | undefined>;
  /** Stores `replacement` for the account's hash, unless the hash has changed meanwhile. Sessions stay. */
  replacePasswordHash(account: Account, replacement: string): Promise<void>;
  /** All users, by name. */
  list(): AsyncIterable<ListedUser>;
  /** Proves that users can be looked up. */
  check(): Promise<void>;
}

export interface NewUser extends Omit<User, 'id'> {
  readonly passwordHash: string;
  /** A user of the demo, whose password is public, may sign in to the demo only. */
  readonly demo: boolean;
}

/** A directory whose users this server may also change. */
export interface UserRegistry extends UserDirectory {
  /** False when the user name is taken. */
  add(user: NewUser): Promise<boolean>;
  /** Also ends `demo`: a password that an operator sets is not public. */
  setPasswordHash(id: string, passwordHash: string): Promise<void>;
  setDisabled(id: string, disabled: boolean): Promise<void>;
  remove(id: string): Promise<void>;
}
