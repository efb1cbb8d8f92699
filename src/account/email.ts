import type { SignedIn } from '../access/access.ts';
import { InvalidFields } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import type { Outbox } from '../mail/outbox.ts';
import type { RequestMail } from '../mail/request-mail.ts';
import { type Links, linkExpired } from '../tokens/links.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { emailAddress } from '../users/user.ts';
import type { UserRegistry } from '../users/user-directory.ts';
import type { events } from './events.ts';

export const emailPath = '/account/email';

export const emailExpired = linkExpired(emailPath);

export interface ChangeEmailOptions {
  readonly registry: UserRegistry;
  readonly links: Links;
  readonly tokens: Tokens;
  readonly requestMail: RequestMail;
  readonly outbox: Outbox;
  readonly audit: Audit<keyof typeof events>;
}

export type ChangeEmail = ReturnType<typeof createChangeEmail>;

/** Changes the address of an account, once its owner has proved the new one (VM-61). Sessions stay: the owner is the same. */
export function createChangeEmail({ registry, links, tokens, requestMail, outbox, audit }: ChangeEmailOptions) {
  const open = async (token: string, caller: Caller) => {
    const { token: found, account } = await links.open('confirm-email', token, emailExpired, caller);
    if (account === undefined) throw new TypeError('a link to confirm an address belongs to an account');
    return { account, email: found.address };
  };

  return {
    /** Mails a link to the new address and a notice to the old one, whether or not the new one is taken (VM-22). @throws {InvalidFields} */
    async request({ user, session }: SignedIn, email: string, language: Language, caller: Caller): Promise<void> {
      const address = emailAddress(email);
      if (address === undefined) throw new InvalidFields({ field: 'email', code: 'not-an-address' });
      const mail = { userId: user.id, language, details: { email: address, former: user.username } };
      const notice = { ...mail, purpose: 'email-change-requested', address: user.username };
      const event = { kind: 'email-change-requested', caller, userId: user.id, sessionId: session.id } as const;
      await audit.recordIfPossible(event);
      // A thief of the session must not be able to use up the limits of the notice.
      if (await requestMail({ ...mail, purpose: 'confirm-email', address }, caller))
        await outbox.add({ ...notice, requestId: caller.requestId });
    },

    /** Gives the account and its new address. @throws {Refusal} `link-expired` */
    open,

    /**
     * Changes the address of the account that the link belongs to, tells both addresses, and gives the id of the user.
     * @throws {Refusal} `link-expired`, also if the address is taken
     */
    async confirm(secret: string, language: Language, caller: Caller): Promise<string> {
      const { account, email } = await open(secret, caller);
      const { id: userId, username: former } = account.user;
      const notice = {
        purpose: 'email-changed',
        userId,
        language,
        requestId: caller.requestId,
        details: { email, former },
      };
      await links.use({ purpose: 'confirm-email', secret, expired: emailExpired, caller }, async (db) => {
        if (!(await registry.setUsername(account, email, db))) return false;
        await tokens.voidOf(userId, db);
        for (const address of [email, former]) await outbox.add({ ...notice, address }, db);
        return true;
      });
      await audit.recordIfPossible({ kind: 'email-changed', caller, userId });
      return userId;
    },
  };
}
