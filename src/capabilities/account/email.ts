import { byOwner, type SignedIn } from '../../core/access/access.ts';
import { type Answer, InvalidFields } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Actor } from '../../core/changes/administration.ts';
import type { ChangeBy } from '../../core/changes/change.ts';
import type { Core } from '../../core/core.ts';
import { originOf } from '../../core/mail/notice.ts';
import { createLinks, linkExpired } from '../../core/tokens/links.ts';
import type { Account } from '../../core/users/account.ts';
import { tooManyMails } from '../../core/users/change-refused.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
import type { Language } from '../../ground/languages/languages.ts';
import type { OwnAccounts, WithMail } from './events.ts';
import { requireAddress } from './fields.ts';

export const emailPath = '/account/email';

export const emailExpired = linkExpired(emailPath);

/** The answer is the same for a link of another user, so it reveals nothing about that user. */
export const offerExpired: Answer = {
  name: 'offered-link-expired',
  status: 410,
  detail: 'This link has expired, was used already, was withdrawn, or belongs to another account',
};

/** Finds the latest new address that the user has asked for and not confirmed. Its link waits to be mailed or used. */
export async function findWaitingAddress(
  { sentOutbox, tokens }: Pick<Core, 'sentOutbox' | 'tokens'>,
  { user, session }: SignedIn,
): Promise<string | undefined> {
  // The outbox is read before the links. A mail leaves the outbox only after its link is stored, so one of the two reads finds the address.
  const mails = (await sentOutbox?.listOf(user)) ?? [];
  return [...mails, ...(await tokens.listOf(user.id))]
    .filter(
      ({ purpose, userId, stamp }) => purpose === 'confirm-email' && userId === user.id && stamp === session.stamp,
    )
    .toSorted((one, other) => other.expiresAt - one.expiresAt)[0]?.address;
}

/** Changes the address of an account, once its owner has proved the new one (VM-61). Sessions go on, because the owner stays the same. */
export function createChangeEmail(core: WithMail & OwnAccounts) {
  const { registry, mailer, change, endAddressLinks, access, audit } = core;
  const links = createLinks(core, 'confirm-email', emailExpired, { isForNewAddress: true });
  const offeredLinks = createLinks(core, 'confirm-offered-email', offerExpired, { isForNewAddress: true });

  /**
   * Changes the address to that of the link.
   * @returns the id of the user
   * @throws {Refusal} `link-expired`, or `offered-link-expired` for an address that an administrator offers
   */
  async function confirm(
    { use }: Pick<typeof links, 'use'>,
    secret: string,
    { account, address: email }: { readonly account: Account; readonly address: string },
    by: ChangeBy,
  ): Promise<string> {
    await use(secret, by.caller, (spend) =>
      change({ kind: 'email-changed' }, provedBy(account), by, async (held) => {
        await spend(held.db);
        if (!(await registry.setUsername(held, email))) throw new AccountChanged();
      }),
    );
    return account.user.id;
  }

  return {
    /**
     * Mails a link to the new address and a notice to the old one, even if the new one is taken, so that the response does not reveal it
     * (VM-22).
     * @param account as it was when its owner proved their identity. If it changes later, the link is not mailed
     * @throws {InvalidFields}; {ChangeRefused} `last-administrator`
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
      if (address === user.username && account.isAddressVerified)
        throw new InvalidFields({ field: 'email', code: 'address-unchanged' });
      await registry.requireOtherByAddress(user.id);
      const mail = {
        userId: user.id,
        language,
        details: { email: address, former: user.username, ...originOf({ caller }) },
      };
      const notice = { ...mail, purpose: 'email-change-requested', address: user.username };
      await audit.recordIfPossible({ kind: 'email-change-requested', ...byOwner(signedIn, caller) });
      const { stamp } = provedBy(account);
      // A request beyond the limits of the link sends no notice either. Otherwise an attacker with a stolen session could use up the room
      // for notices.
      if (await mailer.request({ ...mail, purpose: 'confirm-email', address, stamp }, caller))
        await mailer.notify(notice, caller);
      // If the session has ended meanwhile, its links were ended before this one was added.
      if ((await access.findLiving(signedIn.session.id)) === undefined) await endAddressLinks(user.id);
    },

    /** Finds the account and its new address. @throws {Refusal} `link-expired` */
    open: links.openOwn,

    /**
     * Changes the address of the account that the link belongs to.
     * @returns the id of the user
     * @throws {Refusal} `link-expired`; {ChangeRefused} `last-administrator`
     */
    async confirm(secret: string, language: Language, caller: Caller): Promise<string> {
      return confirm(links, secret, await links.openOwn(secret, caller), { caller, language });
    },

    /**
     * Mails a link to the address that an administrator offers, and a notice to the present one. @throws {ChangeRefused} `too-many-mails`
     */
    async offer(account: Account, address: string, language: Language, { caller, actorId }: Actor) {
      const { userId, stamp } = provedBy(account);
      const former = account.user.username;
      const details = { email: address, former, ...originOf({ caller, actorId }) };
      const causedBy = { userId: actorId ?? 'operator' };
      const mail = { userId, details, language: account.user.language ?? language, causedBy };
      if (!(await mailer.request({ ...mail, purpose: 'confirm-offered-email', address, stamp }, caller)))
        throw tooManyMails();
      const notice = { ...mail, purpose: 'email-change-offered', address: former };
      await mailer.notify(notice, caller);
    },

    /**
     * Finds the address that an administrator has offered to a signed-in user.
     * @throws {Refusal} `offered-link-expired`, also for a link of another user
     */
    async openOffered(secret: string, { user }: Pick<SignedIn, 'user'>, caller: Caller) {
      const opened = await offeredLinks.openOwn(secret, caller);
      // Only the user may confirm the address. Otherwise an administrator could offer an own mailbox, and confirm it.
      return opened.account.user.id === user.id ? opened : offeredLinks.refuse(caller, { userId: user.id });
    },

    /** @throws {Refusal} `offered-link-expired`, also if the address is taken; {ChangeRefused} `last-administrator` */
    async confirmOffered(secret: string, signedIn: SignedIn, language: Language, caller: Caller): Promise<void> {
      const opened = await this.openOffered(secret, signedIn, caller);
      await confirm(offeredLinks, secret, opened, { caller, language, session: signedIn.session });
    },
  };
}
