import { Refusal } from '../access/refusal.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import type { RequestMail } from '../mail/request-mail.ts';
import { type Links, linkExpired } from '../tokens/links.ts';
import type { Account } from '../users/account.ts';
import { enrolmentPurpose } from './enrolment-mail.ts';
import type { events } from './events.ts';
import type { Factors } from './factors.ts';
import type { ManageFactors } from './manage.ts';
import { enrolmentRequired } from './refusals.ts';
import type { Totp } from './totp.ts';

/** The login mails a new link. */
export const enrolmentExpired = linkExpired('/auth/login');

export interface EnrolmentOptions {
  readonly links: Links;
  readonly factors: Factors;
  readonly totp: Totp;
  readonly manageFactors: Pick<ManageFactors, 'enrol'>;
  /** Undefined where no mail is sent: an operator then hands the link over. */
  readonly requestMail: RequestMail | undefined;
  readonly audit: Audit<keyof typeof events>;
}

export type Enrolment = ReturnType<typeof createEnrolment>;

/**
 * The first factor of a user who must have one and cannot sign in without. A link in a mail leads to it, so that a stolen password alone
 * adds no factor.
 */
export function createEnrolment({ links, factors, totp, manageFactors, requestMail, audit }: EnrolmentOptions) {
  async function open(secret: string, caller: Caller): Promise<Account> {
    const { account } = await links.open(enrolmentPurpose, secret, enrolmentExpired, caller);
    if (account === undefined) throw new TypeError('a link to add a factor belongs to an account');
    // An earlier link may have added one, which no link replaces.
    if (await factors.hasAny(factors.ownerOf(account))) throw new Refusal(enrolmentExpired);
    return account;
  }

  return {
    /** Refuses the login of an account without a factor, and mails the link. @throws {Refusal} `enrolment-required` */
    async demand({ user }: Account, language: Language, caller: Caller): Promise<never> {
      const mail = { purpose: enrolmentPurpose, address: user.username, userId: user.id, language };
      await requestMail?.(mail, caller, { limitsClient: false });
      await audit.recordIfPossible({ kind: 'enrolment-demanded', caller, userId: user.id });
      throw new Refusal(enrolmentRequired);
    },

    /** Gives the account that the link was made for. @throws {Refusal} `link-expired` */
    open,

    /** Makes a secret for an authenticator app, which waits for its code. @throws {Refusal} `link-expired` */
    async begin(secret: string, caller: Caller) {
      const account = await open(secret, caller);
      return totp.begin(factors.ownerOf(account), account.user.username);
    },

    /**
     * Enables the authenticator app, and gives the recovery codes. The user then logs in with them.
     * @throws {InvalidFields} if the code is wrong; {Refusal} `link-expired`
     */
    async finish(secret: string, code: string, language: Language, caller: Caller): Promise<readonly string[]> {
      const account = await open(secret, caller);
      return manageFactors.enrol({ account, code, language, caller }, (change) =>
        links.use({ purpose: enrolmentPurpose, secret, expired: enrolmentExpired, caller }, change),
      );
    },
  };
}
