import type { Admitted } from '../../core/access/admit.ts';
import { workOfNewPassword } from '../../core/access/login-limits.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { createLinks, linkExpired } from '../../core/tokens/links.ts';
import { AccountChanged, provedBy } from '../../core/users/held.ts';
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

/**
 * Creates accounts for owners of e-mail addresses. Only the link in the mail creates the account. So a sign-up proves the address (VM-62),
 * and the request for the mail does not reveal whether the address has an account (ASVS 6.3.8, VM-23).
 */
export function createSignUp({ mailer, audit, settings }: WithMail) {
  const { SIGN_UP_DOMAINS: signUpDomains } = settings;

  return {
    /**
     * Mails a link, or a note that the account exists already.
     * @param next path to continue at after the sign-up
     * @throws {InvalidFields}
     */
    async request(email: string, next: string | undefined, language: Language, caller: Caller): Promise<void> {
      const address = requireAddress(email);
      if (!isOfDomain(address, signUpDomains)) {
        const domains = signUpDomains.map(canonicalDomain).join(', ');
        throw new InvalidFields({ field: 'email', code: 'wrong-domain', values: { domains } });
      }
      await audit.recordIfPossible({ kind: 'sign-up-requested', caller, nameDigest: audit.digestName(address) });
      await mailer.request({ purpose: 'sign-up', address, language, ...(next && { details: { next } }) }, caller);
    },
  };
}

const isOfDomain = (address: string, domains: readonly string[]) =>
  domains.length === 0 || domains.map(canonicalDomain).includes(address.slice(address.indexOf('@') + 1));

const byLink = { addressProof: 'mail', verification: { how: 'mail' } } as const;

/** Finishes a sign-up or an invitation. An invited user already has an account, without a password. */
export function createFinishSignUp(core: OwnAccounts) {
  const { registry, users, passwords, passwordPolicy, change, holdNew, audit, settings } = core;
  const { SIGN_UP_DOMAINS: signUpDomains } = settings;
  const signUp = settings.SIGN_UP === 'on';
  const admitNew = createAdmitNew(core);
  const links = createLinks(core, 'sign-up', { ...signUpExpired, again: signUp ? signUpPath : '/auth/login' });

  /** Settings may have changed since the link was made, so they are checked again. */
  async function open(secret: string, caller: Caller) {
    const opened = await links.open(secret, caller);
    const counts = opened.account !== undefined || (signUp && isOfDomain(opened.address, signUpDomains));
    return counts ? opened : links.refuse(caller);
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
      const { address: username, account: invited } = await open(secret, caller);
      const names = requireNames(entered);
      const fault = await passwordPolicy.findFault(password, { username, ...names });
      if (fault !== undefined) throw new InvalidFields({ field: 'password', ...fault });
      const work = workOfNewPassword(username, caller);
      const passwordHash = await passwords.hash(work, password, () => open(secret, caller));
      const user = { username, ...names, language: chosen, passwordHash, demo: false, ...byLink } as const;
      if (invited === undefined) {
        const id = await links.use(secret, caller, (spend) =>
          holdNew(user, async (held) => {
            await spend(held.db);
            const { id: userId } = held.user;
            await audit.recordIn(held.db, { kind: 'signed-up', caller, userId });
            return userId;
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
