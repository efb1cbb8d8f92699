import { hash } from 'node:crypto';
import type { User } from './user.ts';

/** What a login needs to know of a user, beyond what may be shown. */
export interface Account {
  readonly user: User;
  /** As stored; may be weak, foreign or broken. Undefined where the account has none. */
  readonly passwordHash: string | undefined;
  readonly disabled: boolean;
  /** Changes with everything that ends the account's sessions. Undefined where only the password tells. */
  readonly stamp: string | undefined;
}

/**
 * What each session of an account carries: the session ends when this becomes another, whoever changed it (ASVS 7.4.3). Without a
 * stamp, as in a team's own table, it follows the user name and the stored password.
 */
export const stampOf = (account: Account): string => account.stamp ?? passwordFingerprint(account);

interface PasswordOwner extends Pick<Account, 'passwordHash'> {
  readonly user: Pick<User, 'username'>;
}

/**
 * Tells whether a user and their stored password are still the same, without being it. The name is in it, since an id may have been
 * given to another person.
 */
export const passwordFingerprint = ({ user, passwordHash = '' }: PasswordOwner): string =>
  hash('sha256', `${user.username}\0${passwordHash}`, 'base64url');
