import { workOfNewPassword } from '../../core/access/login-limits.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Renewed } from '../../core/changes/change.ts';
import type { Session } from '../../core/sessions/sessions.ts';
import { type Account, stampOf } from '../../core/users/account.ts';
import { AccountChanged, type Held, provedBy } from '../../core/users/held.ts';
import type { User } from '../../core/users/user.ts';
import type { Language } from '../../ground/languages/languages.ts';
import type { AccountCore } from './events.ts';

export interface NewPassword {
  /** The account as it was when its owner proved their identity. */
  readonly account: Account;
  readonly password: string;
  readonly language: Language;
  /** The personal access tokens end as well. */
  readonly endsTokens: boolean;
  readonly caller: Caller;
}

export type SetPassword = ReturnType<typeof createSetPassword>;

/** The steps that a change and a reset of a password share. */
export const createSetPassword = ({ users, passwords, passwordPolicy }: AccountCore) => ({
  /**
   * @param field the name of the form field, for the error
   * @param requireUse see `Passwords.hash`
   * @throws {InvalidFields} when the password breaks a rule
   */
  async hash(
    user: User,
    password: string,
    field: string,
    caller: Caller,
    requireUse: () => Promise<unknown>,
  ): Promise<string> {
    const fault = await passwordPolicy.findFault(password, user);
    if (fault !== undefined) throw new InvalidFields({ field, ...fault });
    return passwords.hash(workOfNewPassword(user.username, caller), password, requireUse);
  },

  /** @throws {AccountChanged} if another program has changed the password meanwhile */
  async store(held: Held, passwordHash: string): Promise<void> {
    if (!(await users.setPassword?.(held, passwordHash))) throw new AccountChanged();
  },
});

/** Changes the password of a signed-in user who has just proved their identity. The session goes on with new credentials. */
export function createChangePassword({ change, users, personalTokens }: AccountCore, setPassword: SetPassword) {
  async function requireUnchanged(account: Account): Promise<void> {
    const current = await users.findById(account.user.id);
    if (current === undefined || current.disabled || stampOf(current) !== stampOf(account)) throw new AccountChanged();
  }

  /**
   * @returns the account with its new password, and the session with new credentials. Undefined if the session has ended meanwhile
   * @throws {InvalidFields} when the password breaks a rule
   * @throws {AccountChanged} if the account has changed since the proof
   */
  return async (session: Session, { account, password, ...by }: NewPassword): Promise<Renewed | undefined> => {
    const passwordHash = await setPassword.hash(account.user, password, 'new_password', by.caller, () =>
      requireUnchanged(account),
    );
    const changed = await change({ kind: 'password-changed' }, provedBy(account), { ...by, session }, async (held) => {
      await setPassword.store(held, passwordHash);
      if (by.endsTokens) await personalTokens.endAllOf(held);
    });
    return changed.renewed;
  };
}
