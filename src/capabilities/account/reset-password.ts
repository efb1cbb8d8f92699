import type { Caller } from '../../core/audit/event.ts';
import type { Actor } from '../../core/changes/administration.ts';
import { createLinks, linkExpired } from '../../core/tokens/links.ts';
import type { Account } from '../../core/users/account.ts';
import { tooManyMails } from '../../core/users/change-refused.ts';
import { provedBy } from '../../core/users/held.ts';
import { emailAddress, type User } from '../../core/users/user.ts';
import type { Language } from '../../ground/languages/languages.ts';
import type { WithMail } from './events.ts';
import { requireAddress } from './fields.ts';
import type { SetPassword } from './password.ts';

export const forgotPasswordPath = '/auth/forgot-password';

/** How long a link that sets a new password works, in minutes. */
export const resetMinutes = 30;

export const resetExpired = linkExpired(forgotPasswordPath);

/** Lets the owner of an account's address set a new password (ASVS 6.4.3, OWASP Forgot Password CS). */
export function createResetPassword(core: WithMail, setPassword: SetPassword) {
  const { mailer, sentOutbox, change, users, audit } = core;
  const links = createLinks(core, 'reset-password', resetExpired);

  return {
    /**
     * Mails a link if the address belongs to an account. The server does the same work for every address, so that the response time does
     * not reveal accounts.
     * @param next path to continue at after the reset and the login
     * @throws {InvalidFields}
     */
    async request(email: string, next: string | undefined, language: Language, caller: Caller): Promise<void> {
      const address = requireAddress(email, emailAddress);
      await audit.recordIfPossible({ kind: 'reset-requested', caller, nameDigest: audit.digestName(address) });
      await mailer.request(
        { purpose: 'reset-password', address, language, ...(next && { details: { next } }) },
        caller,
      );
    },

    /**
     * Mails a link to a user on behalf of an administrator or an operator. Earlier mails that still wait are removed. Earlier links end
     * when the new one is made (`mails.ts`).
     * @param usual the language of a user who has chosen none
     * @throws {ChangeRefused} `too-many-mails`
     */
    async send({ id: userId, username: address, language }: User, usual: Language, { caller, actorId }: Actor) {
      const causedBy = { userId: actorId ?? 'operator' };
      const mail = { purpose: 'reset-password', address, userId, language: language ?? usual, causedBy };
      const permit = await mailer.admit(mail, caller);
      if (permit === undefined) throw tooManyMails();
      await sentOutbox.removeAbout('reset-password', userId);
      if (!(await permit())) throw tooManyMails();
    },

    /** Finds the account that the link was sent for. @throws {Refusal} `link-expired` */
    open: links.openOwn,

    /**
     * Sets the password, verifies the address, and ends every session of the account.
     * @returns the account as it was before
     * @throws {InvalidFields}; {Refusal} `link-expired`
     */
    async reset(secret: string, password: string, language: Language, caller: Caller): Promise<Account> {
      const { account, address } = await links.openOwn(secret, caller);
      const passwordHash = await setPassword.hash(account.user, password, 'password', caller, () =>
        links.openOwn(secret, caller),
      );
      await links.use(secret, caller, (spend) =>
        change({ kind: 'password-reset' }, provedBy(account), { caller, language }, async (held) => {
          await spend(held.db);
          await setPassword.store(held, passwordHash);
          await users.verifyAddress(held, address, { how: 'mail' });
        }),
      );
      return account;
    },
  };
}
