import { notAuthenticated } from '../access/access.ts';
import { InvalidFields, Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import { inTransaction } from '../database/transaction.ts';
import type { Language } from '../languages/languages.ts';
import type { Session } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { AccountOptions } from './options.ts';

export interface NewPassword {
  /** As it was when its owner proved their identity. */
  readonly account: Account;
  readonly password: string;
  readonly language: Language;
  /** Whether the personal access tokens end too. */
  readonly endsTokens: boolean;
  readonly caller: Caller;
}

export type SetPassword = ReturnType<typeof createSetPassword>;

/** The steps in which a password is changed or reset. */
export function createSetPassword(options: AccountOptions) {
  const { users, passwords, policy, tokens, personalTokens, outbox, sessions, liftFailures } = options;

  return {
    /** @param field the field of the form. @throws {InvalidFields} when the password breaks a rule */
    async hash({ account, password }: NewPassword, field: string): Promise<string> {
      const fault = await policy.findFault(password, account.user);
      if (fault !== undefined) throw new InvalidFields({ field, ...fault });
      return passwords.hash(password);
    },

    /**
     * Stores the hash, voids the open links of the account, and queues a notice. False if the account has changed meanwhile.
     * @param db a transaction
     */
    async store(
      { account, language, endsTokens, caller }: NewPassword,
      passwordHash: string,
      db: Database,
    ): Promise<boolean> {
      const { id: userId, username: address } = account.user;
      if (!(await users.setPassword?.(account, passwordHash, db))) return false;
      await tokens.voidOf(userId, db);
      if (endsTokens) await personalTokens.endAllOf(userId, db);
      await outbox?.add({ purpose: 'password-changed', address, userId, language, requestId: caller.requestId }, db);
      return true;
    },

    /**
     * Ends the sessions (ASVS 7.4.3, VM-16). The new stamp has ended them already: if their store is away, their records expire.
     * @param kept goes on
     */
    async endSessions({ account: { user } }: NewPassword, kept?: Session): Promise<void> {
      const ended = kept === undefined ? sessions.endAllOf(user.id) : sessions.endOthersOf(user.id, kept.id);
      await Promise.allSettled([ended, liftFailures(user)]);
    },
  };
}

/** Changes the password of a signed-in user, who has just proved their identity. The session goes on with new credentials. */
export function createChangePassword(options: AccountOptions, setPassword: SetPassword) {
  const { users, sessions, database, audit } = options;

  /**
   * Gives the account with its new password, and the session with new credentials. Undefined if the session has ended meanwhile.
   * @throws {InvalidFields} when the password breaks a rule
   * @throws {Refusal} `not-authenticated` if the account has changed since the proof
   */
  return async (session: Session, change: NewPassword) => {
    const { user } = change.account;
    const passwordHash = await setPassword.hash(change, 'new_password');
    const isStored = await inTransaction(database, (db) => setPassword.store(change, passwordHash, db));
    if (!isStored) throw new Refusal(notAuthenticated);
    await setPassword.endSessions(change, session);
    const { caller } = change;
    await audit.recordIfPossible({ kind: 'password-changed', caller, userId: user.id, sessionId: session.id });
    const changed = await users.findById(user.id);
    const renewed = changed && (await sessions.renew(session, { stamp: stampOf(changed) }));
    return changed && renewed && { account: changed, session: renewed };
  };
}
