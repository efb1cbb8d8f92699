import { InvalidFields } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import type { RequestMail } from '../mail/request-mail.ts';
import { type Links, linkExpired } from '../tokens/links.ts';
import { emailAddress } from '../users/user.ts';
import type { events } from './events.ts';
import type { SetPassword } from './password.ts';

export const forgotPasswordPath = '/auth/forgot-password';

export const resetExpired = linkExpired(forgotPasswordPath);

export interface ResetPasswordOptions {
  readonly links: Links;
  readonly requestMail: RequestMail;
  readonly setPassword: SetPassword;
  readonly audit: Audit<keyof typeof events>;
}

export type ResetPassword = ReturnType<typeof createResetPassword>;

/** Lets the owner of an account's address set a new password (ASVS 6.4.3, OWASP Forgot Password CS). */
export function createResetPassword({ links, requestMail, setPassword, audit }: ResetPasswordOptions) {
  const open = async (token: string, caller: Caller) => {
    const { account } = await links.open('reset-password', token, resetExpired, caller);
    if (account === undefined) throw new TypeError('a link to reset a password belongs to an account');
    return account;
  };

  return {
    /** Mails a link if the address belongs to an account. Does the same work for every address. @throws {InvalidFields} */
    async request(email: string, language: Language, caller: Caller): Promise<void> {
      const address = emailAddress(email);
      if (address === undefined) throw new InvalidFields({ field: 'email', code: 'not-an-address' });
      await audit.recordIfPossible({ kind: 'reset-requested', caller, nameDigest: audit.digestName(address) });
      await requestMail({ purpose: 'reset-password', address, language }, caller);
    },

    /** Gives the account that the link was sent for. @throws {Refusal} `link-expired` */
    open,

    /** Sets the password and ends every session of the account. @throws {InvalidFields}; {Refusal} `link-expired` */
    async reset(secret: string, password: string, language: Language, caller: Caller): Promise<void> {
      const account = await open(secret, caller);
      const change = { account, password, language, caller };
      const passwordHash = await setPassword.hash(change, 'password');
      const link = { purpose: 'reset-password', secret, expired: resetExpired, caller };
      await links.use(link, (db) => setPassword.store(change, passwordHash, db));
      await setPassword.endSessions(change);
      await audit.recordIfPossible({ kind: 'password-reset', caller, userId: account.user.id });
    },
  };
}
