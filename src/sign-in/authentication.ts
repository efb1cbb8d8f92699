import type { Passwords } from '../passwords/passwords.ts';
import type { Account, UserDirectory } from '../users/user-directory.ts';

/** Whether a name and a password are those of someone who may sign in, and the true reason if not, which they are not told. */
export type Authenticated =
  | { readonly succeeded: true; readonly account: Account }
  | {
      readonly succeeded: false;
      readonly reason: 'unknown-user' | 'wrong-password' | 'disabled-user' | 'changed-meanwhile';
    };

export interface Authentication {
  /** @param account the one that the name leads to; without one, it takes as long */
  authenticate(account: Account | undefined, password: string): Promise<Authenticated>;
  /** Whether a user who was let in may still come in: they may be disabled, or get a new password, in the meantime. */
  mayStay(current: Account, password: string): Promise<boolean>;
}

export interface AuthenticationOptions {
  readonly users: UserDirectory;
  readonly passwords: Passwords;
  readonly log: { warn(details: object, message: string): void };
}

/** Compares passwords with those of accounts. */
export function createAuthentication({ users, passwords, log }: AuthenticationOptions): Authentication {
  /** The account with a stronger hash of the same password; undefined when it is gone, or its password is another by now. */
  async function storeAnew(account: Account, password: string, replacement: string): Promise<Account | undefined> {
    await users
      .replacePasswordHash(account.user.id, account.passwordHash, replacement)
      // The login goes on with the hash that there is.
      .catch((err: unknown) =>
        log.warn({ event: 'password_not_stored_anew', err }, 'a weak hash could not be replaced'),
      );
    const current = await users.findById(account.user.id);
    if (current === undefined || [replacement, account.passwordHash].includes(current.passwordHash)) return current;
    // Another login may have stored one at the same time, and the first stays; or somebody has set another password.
    return (await passwords.check(current.passwordHash, password)).matches ? current : undefined;
  }

  return {
    async authenticate(account, password) {
      const check = await passwords.check(account?.passwordHash, password);
      if (account === undefined) return { succeeded: false, reason: 'unknown-user' };
      if (!check.matches) return { succeeded: false, reason: 'wrong-password' };
      if (account.disabled) return { succeeded: false, reason: 'disabled-user' };
      const current = check.replacement === undefined ? account : await storeAnew(account, password, check.replacement);
      return current === undefined
        ? { succeeded: false, reason: 'changed-meanwhile' }
        : { succeeded: true, account: current };
    },

    async mayStay(current, password) {
      return !current.disabled && (await passwords.check(current.passwordHash, password)).matches;
    },
  };
}
