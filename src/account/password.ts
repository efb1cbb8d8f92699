import type { SignedIn } from '../access/access.ts';
import { InvalidFields } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Database } from '../database/database.ts';
import type { Language } from '../languages/languages.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { Passwords } from '../passwords/passwords.ts';
import type { PasswordPolicy } from '../passwords/policy.ts';
import type { Credentials, Session, Sessions } from '../sessions/sessions.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { User } from '../users/user.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { events } from './events.ts';

export interface SetPasswordOptions {
  readonly users: UserDirectory;
  readonly passwords: Passwords;
  readonly policy: PasswordPolicy;
  readonly tokens: Tokens;
  /** Undefined where no mail is sent. */
  readonly outbox: Outbox | undefined;
  readonly sessions: Sessions;
  /** Forgets the failed logins of a user. */
  readonly liftFailures: (user: User) => Promise<unknown>;
}

export interface NewPassword {
  readonly account: Account;
  readonly password: string;
  /** The field of the form that it was typed in. */
  readonly field: string;
  readonly language: Language;
  readonly caller: Caller;
  /** A session that goes on. */
  readonly kept?: Session;
}

/**
 * Sets a password, voids the open links of the account, queues a notice, and ends the sessions (ASVS 7.4.3, VM-16).
 * @param within runs the change in a transaction
 * @throws {InvalidFields} when the password breaks a rule
 */
export type SetPassword = (
  password: NewPassword,
  within: (change: (db: Database) => Promise<boolean>) => Promise<void>,
) => Promise<void>;

export function createSetPassword(options: SetPasswordOptions): SetPassword {
  const { users, passwords, policy, tokens, outbox, sessions, liftFailures } = options;

  return async ({ account: { user }, password, field, language, caller, kept }, within) => {
    const fault = await policy.findFault(password, user);
    if (fault !== undefined) throw new InvalidFields({ field, ...fault });
    const passwordHash = await passwords.hash(password);
    const notice = { address: user.username, userId: user.id, language, requestId: caller.requestId };
    await within(async (db) => {
      const changed = (await users.setPassword?.(user.id, passwordHash, db)) ?? false;
      if (!changed) return false;
      await tokens.voidOf(user.id, db);
      await outbox?.add({ purpose: 'password-changed', ...notice }, db);
      return true;
    });
    // The new stamp has ended the sessions already. If their store is away, their records expire.
    const ended = kept === undefined ? sessions.endAllOf(user.id) : sessions.endOthersOf(user.id, kept.id);
    await Promise.allSettled([ended, liftFailures(user)]);
  };
}

export interface ChangePasswordOptions {
  readonly users: UserDirectory;
  readonly sessions: Sessions;
  readonly setPassword: SetPassword;
  readonly database: Database;
  readonly audit: Audit<keyof typeof events>;
}

/** The account with its new password, and the session with new credentials. Undefined if the session has ended meanwhile. */
export type ChangePassword = (
  signedIn: SignedIn,
  change: Pick<NewPassword, 'password' | 'language' | 'caller'>,
) => Promise<{ account: Account; session: Session & Credentials } | undefined>;

/** Changes the password of a signed-in user, who has just proved who they are. The session goes on with new credentials. */
export function createChangePassword(options: ChangePasswordOptions): ChangePassword {
  const { users, sessions, setPassword, database, audit } = options;

  return async ({ user, session }, change) => {
    const account = await users.findById(user.id);
    if (account === undefined) return undefined;
    await setPassword({ ...change, account, field: 'new_password', kept: session }, async (makeChange) => {
      await database.transaction().execute(makeChange);
    });
    await audit.recordIfPossible({
      kind: 'password-changed',
      caller: change.caller,
      userId: user.id,
      sessionId: session.id,
    });
    const changed = await users.findById(user.id);
    const renewed = changed && (await sessions.renew(session, { stamp: stampOf(changed) }));
    return changed && renewed && { account: changed, session: renewed };
  };
}
