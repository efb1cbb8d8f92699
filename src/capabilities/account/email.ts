import { byOwner, type SignedIn } from '../../core/access/access.ts';
import type { Caller } from '../../core/audit/event.ts';
import { createLinks, linkExpired } from '../../core/tokens/links.ts';
import type { Account } from '../../core/users/account.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { requireAddress } from './fields.ts';
import type { MailingOptions, OwnOptions } from './options.ts';

export const emailPath = '/account/email';

export const emailExpired = linkExpired(emailPath);

/** Changes the address of an account, once its owner has proved the new one (VM-61). Sessions stay: the owner is the same. */
export function createChangeEmail(options: MailingOptions & OwnOptions) {
  const { registry, requestMail, outbox, change, audit } = options;
  const links = createLinks(options, 'confirm-email', emailExpired, { isForNewAddress: true });

  return {
    /**
     * Mails a link to the new address and a notice to the old one, whether or not the new one is taken (VM-22).
     * @param account as it was when its owner proved their identity. After a change of it, the mail is not sent
     * @throws {InvalidFields}
     */
    async request(
      signedIn: SignedIn,
      account: Account,
      email: string,
      language: Language,
      caller: Caller,
    ): Promise<void> {
      const { user } = signedIn;
      const address = requireAddress(email);
      const mail = { userId: user.id, language, details: { email: address, former: user.username } };
      const notice = { ...mail, purpose: 'email-change-requested', address: user.username };
      await audit.recordIfPossible({ kind: 'email-change-requested', ...byOwner(signedIn, caller) });
      const { stamp } = provedBy(account);
      // A thief of the session must not be able to use up the limits of the notice.
      if (await requestMail({ ...mail, purpose: 'confirm-email', address, stamp }, caller))
        await outbox.add({ ...notice, requestId: caller.requestId });
    },

    /** Gives the account and its new address. @throws {Refusal} `link-expired` */
    open: links.openOwn,

    /**
     * Changes the address of the account that the link belongs to, tells both addresses, and gives the id of the user.
     * @throws {Refusal} `link-expired`, also if the address is taken
     */
    async confirm(secret: string, language: Language, caller: Caller): Promise<string> {
      const { account, address: email } = await links.openOwn(secret, caller);
      const { id: userId, username: former } = account.user;
      const notice = { purpose: 'email-changed', userId, language, requestId: caller.requestId };
      await links.use(secret, caller, (spend) =>
        change({ kind: 'email-changed' }, provedBy(account), { caller, language }, async (held) => {
          await spend(held.db);
          if (!(await registry.setUsername(held, email))) throw new AccountChanged();
          for (const address of [email, former])
            await outbox.add({ ...notice, details: { email, former }, address }, held.db);
        }),
      );
      return userId;
    },
  };
}
