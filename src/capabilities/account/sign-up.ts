import type { Admitted } from '../../core/access/admit.ts';
import { workOfNewPassword } from '../../core/access/login-limits.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { NewMail } from '../../core/mail/queue.ts';
import { createLinks, linkExpired, type Opened } from '../../core/tokens/links.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
import { type InviteLink, InviteLinkOver, isOfLinkDomain } from '../../core/users/invite-links.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { canonicalDomain } from '../../ground/text/mail-address.ts';
import { createAdmitNew, type OwnRequest } from './admit-new.ts';
import type { OwnAccounts, WithMail } from './events.ts';
import { requireAddress, requireNames } from './fields.ts';

export const signUpPath = '/auth/sign-up';

/** The answer to an expired link. It is the same for a sign-up and for an invitation, whose user already has an account. */
export const signUpExpired = { ...linkExpired(signUpPath), name: 'sign-up-link-expired' };

export interface NewAccount {
  readonly token?: string | undefined;
  readonly first_name: string;
  readonly last_name: string;
  readonly password: string;
}

/** The answer to a link by which many users may join that is unknown, used up, expired or revoked, or whose maker may no longer give its groups. */
export const joinExpired = { ...linkExpired('/auth/login'), name: 'join-link-expired' };

/**
 * Creates accounts for owners of e-mail addresses. Only the link in the mail creates the account. So a sign-up proves the address (VM-62),
 * and the request for the mail does not reveal whether the address has an account (ASVS 6.3.8, VM-23).
 */
export function createSignUp(core: WithMail) {
  const { SIGN_UP_DOMAINS: signUpDomains } = core.settings;

  return {
    /**
     * Mails a link, or a note that the account exists already.
     * @param next path to continue at after the sign-up
     * @throws {InvalidFields}
     */
    async request(email: string, next: string | undefined, language: Language, caller: Caller): Promise<void> {
      const address = requireAddress(email);
      if (!isOfDomain(address, signUpDomains)) throw wrongDomain(signUpDomains);
      await requestMail(core, { address, language, ...(next && { details: { next } }) }, caller);
    },
  };
}

/** Lets the holders of a link for many sign up, even where `SIGN_UP` is off. The mail is the one of a sign-up. */
export function createJoin(core: WithMail & Pick<OwnAccounts, 'inviteLinks'>) {
  async function open(secret: string, caller: Caller): Promise<InviteLink> {
    const link = await core.inviteLinks?.find(secret);
    if (link !== undefined) return link;
    await core.audit.recordIfPossible({ kind: 'link-refused', reason: 'for-many', caller });
    throw new Refusal(joinExpired);
  }

  return {
    /** Finds the link. @throws {Refusal} `join-link-expired` */
    open,

    /** Mails a link, or a note that the account exists already. @throws {InvalidFields}; {Refusal} `join-link-expired` */
    async request(secret: string, email: string, language: Language, caller: Caller): Promise<void> {
      const link = await open(secret, caller);
      const address = requireAddress(email);
      if (!isOfLinkDomain(link, address)) throw wrongDomain([link.domain]);
      await requestMail(core, { address, language, details: { inviteLink: link.id } }, caller);
    },
  };
}

async function requestMail(
  { mailer, audit }: WithMail,
  mail: Pick<NewMail, 'address' | 'language' | 'details'>,
  caller: Caller,
): Promise<void> {
  const about = mail.details?.inviteLink;
  await audit.recordIfPossible({
    kind: 'sign-up-requested',
    caller,
    nameDigest: audit.digestName(mail.address),
    about,
  });
  await mailer.request({ purpose: 'sign-up', ...mail }, caller);
}

function wrongDomain(allowed: readonly string[]): InvalidFields {
  const domains = allowed.map(canonicalDomain).join(', ');
  return new InvalidFields({ field: 'email', code: 'wrong-domain', values: { domains } });
}

const isOfDomain = (address: string, domains: readonly string[]) =>
  domains.length === 0 || domains.map(canonicalDomain).includes(address.slice(address.indexOf('@') + 1));

const byLink = { addressProof: 'mail', verification: { how: 'mail' } } as const;

/** Finishes a sign-up or an invitation. An invited user already has an account, without a password. */
export function createFinishSignUp(core: OwnAccounts) {
  const { registry, users, passwords, passwordPolicy, change, holdNew, audit, inviteLinks, settings } = core;
  const { SIGN_UP_DOMAINS: signUpDomains } = settings;
  const signUp = settings.SIGN_UP === 'on';
  const admitNew = createAdmitNew(core);
  const links = createLinks(core, 'sign-up', { ...signUpExpired, again: signUp ? signUpPath : '/auth/login' });

  /** Settings may have changed since the link was made, so they are checked again. */
  async function open(secret: string, caller: Caller) {
    const opened = await links.open(secret, caller);
    return opened.account !== undefined || (await mayJoin(opened)) ? opened : refuse(opened, caller);
  }

  const refuse = ({ inviteLinkId }: Pick<Opened, 'inviteLinkId'>, caller: Caller) =>
    links.refuse(caller, inviteLinkId === undefined ? {} : { reason: 'for-many' });

  async function mayJoin({ address, inviteLinkId }: Opened): Promise<boolean> {
    if (inviteLinkId === undefined) return signUp && isOfDomain(address, signUpDomains);
    const link = await inviteLinks?.findById(inviteLinkId);
    return link !== undefined && isOfLinkDomain(link, address);
  }

  return {
    /** Finds the address that the link was made for, and the account of an invited user. @throws {Refusal} `link-expired` */
    open,

    /**
     * Creates the account and signs its owner in.
     * @param chosen the language that the owner has chosen
     * @returns the login. Undefined if the account was created, but its owner has to log in
     * @throws {InvalidFields}; {Refusal} `link-expired`
     */
    async finish(
      entered: NewAccount,
      chosen: Language | undefined,
      request: OwnRequest,
    ): Promise<Admitted | undefined> {
      const { caller } = request;
      const { token: secret = '', password } = entered;
      const { address: username, account: invited, inviteLinkId } = await open(secret, caller);
      const names = requireNames(entered);
      const fault = await passwordPolicy.findFault(password, { username, ...names });
      if (fault !== undefined) throw new InvalidFields({ field: 'password', ...fault });
      const work = workOfNewPassword(username, caller);
      const passwordHash = await passwords.hash(work, password, () => open(secret, caller));
      const user = { username, ...names, language: chosen, passwordHash, demo: false, ...byLink } as const;
      if (invited === undefined) {
        const id = await links.use(secret, caller, (spend) =>
          holdNew(
            user,
            async (held) => {
              await spend(held.db);
              const { id: userId } = held.user;
              const names = inviteLinkId === undefined ? [] : await inviteLinks?.use(held, inviteLinkId);
              const about = inviteLinkId && [inviteLinkId, ...(names ?? [])].join(' ');
              await audit.recordIn(held.db, { kind: 'signed-up', caller, userId, about });
              return userId;
            },
            { groups: inviteLinkId !== undefined },
          ).catch((error: unknown) => {
            // A link for many that ended meanwhile makes the mailed link count as expired.
            if (!(error instanceof InviteLinkOver)) throw error;
            return refuse({ inviteLinkId }, caller);
          }),
        );
        return admitNew(id, request);
      }
      await links.use(secret, caller, (spend) =>
        change({ kind: 'signed-up' }, provedBy(invited), { caller }, async (held) => {
          await spend(held.db);
          await registry.setName(held, names);
          if (chosen !== undefined) await users.setLanguage(held.user.id, chosen, held.db);
          if (!(await users.setPassword?.(held, passwordHash))) throw new AccountChanged();
          // A link that an administrator handed over proves no mailbox.
          if (held.account.isInvitedByMail) await users.verifyAddress(held, username, byLink.verification);
        }),
      );
      return admitNew(invited.user.id, request);
    },
  };
}
