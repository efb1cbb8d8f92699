import type { Proof } from '../access/admit.ts';
import type { Log } from '../faults/log.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';

/** Whether the password is right and the account may sign in. If not, `reason` is the true reason, which the client is not told. */
export type PasswordProof =
  | {
      readonly succeeded: true;
      readonly proof: Proof;
      /** Whether the password alone is enough to forget the failures before it. */
      readonly clears: boolean;
    }
  | { readonly succeeded: false; readonly reason: keyof (typeof events)['login-failed']['reasons'] };

/**
 * Compares a password with that of an account, and replaces a weak hash on the way.
 * @param account the account of the name; without one, the check takes as long
 * @throws {Unavailable} when too many passwords are waiting, or the users cannot be read
 */
type ProvePassword = (account: Account | undefined, password: string) => Promise<PasswordProof>;

export function createProvePassword(
  users: UserDirectory,
  passwords: Passwords,
  log: Pick<Log, 'warn'>,
  needsSecondFactor: (account: Account) => Promise<boolean>,
): ProvePassword {
  const matches = async ({ passwordHash }: Account, password: string) =>
    (await passwords.check(passwordHash, password)).matches;

  /** Stores a stronger hash of the same password and gives the account. Undefined if the account is gone, or its password has changed. */
  async function storeAnew(account: Account, password: string, replacement: string): Promise<Account | undefined> {
    await users
      .replacePasswordHash(account, replacement)
      // The login goes on with the stored hash.
      .catch((err: unknown) =>
        log.warn({ event: 'password_not_stored_anew', err }, 'the server could not replace a weak password hash'),
      );
    const current = await users.findById(account.user.id);
    if (current === undefined || [replacement, account.passwordHash].includes(current.passwordHash)) return current;
    // A parallel login may have stored another hash of the same password, or the password has been changed.
    return (await matches(current, password)) ? current : undefined;
  }

  return async (account, password) => {
    const check = await passwords.check(account?.passwordHash, password);
    if (account === undefined) return { succeeded: false, reason: 'unknown-user' };
    if (!check.matches) return { succeeded: false, reason: 'wrong-password' };
    if (account.disabled) return { succeeded: false, reason: 'disabled-user' };
    const current = check.replacement === undefined ? account : await storeAnew(account, password, check.replacement);
    if (current === undefined) return { succeeded: false, reason: 'changed-meanwhile' };
    const stillHolds = (later: Account) => matches(later, password);
    const clears = !(await needsSecondFactor(current));
    return { succeeded: true, clears, proof: { account: current, methods: ['pwd'], stillHolds } };
  };
}
