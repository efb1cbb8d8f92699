import { Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import { createRequestMail } from '../mail/request-mail.ts';
import { createLinks } from '../tokens/links.ts';
import type { Account } from '../users/account.ts';
import type { Factors } from './factors.ts';
import { enrolmentPurpose as purpose } from './mails.ts';
import type { ManageFactors } from './manage.ts';
import type { FactorOptions } from './options.ts';
import { enrolmentRequired, enrolmentExpired as expired } from './refusals.ts';

export type Enrolment = ReturnType<typeof createEnrolment>;

/**
 * The first factor of a user who must have one and cannot sign in without. A link in a mail leads to it, so that a stolen password alone
 * adds no factor.
 */
export function createEnrolment(
  options: FactorOptions,
  { totp, ownerOf, list }: Factors,
  manageFactors: Pick<ManageFactors, 'enrol'>,
) {
  const { outbox, throttle, audit } = options;
  const links = createLinks(options);
  // Without mail, an operator hands the link over.
  const requestMail = outbox && createRequestMail({ outbox, throttle, audit });

  /** Gives the account that the link was made for. @throws {Refusal} `link-expired` */
  async function open(secret: string, caller: Caller): Promise<Account> {
    const { account } = await links.open(purpose, secret, expired, caller);
    // An earlier link may have added a factor, which no link replaces.
    if (account === undefined || (await list(ownerOf(account))).hasAny) throw new Refusal(expired);
    return account;
  }

  return {
    open,

    /** Refuses the login of an account without a factor, and mails the link. @throws {Refusal} `enrolment-required` */
    async demand({ user }: Account, language: Language, caller: Caller): Promise<never> {
      const mail = { purpose, address: user.username, userId: user.id, language };
      await requestMail?.(mail, caller, { limitsClient: false });
      await audit.recordIfPossible({ kind: 'enrolment-demanded', caller, userId: user.id });
      throw new Refusal(enrolmentRequired);
    },

    /** Makes a secret for an authenticator app, which waits for its code. @throws {Refusal} `link-expired` */
    async begin(secret: string, caller: Caller) {
      const account = await open(secret, caller);
      return totp.begin(ownerOf(account), account.user.username);
    },

    /**
     * Enables the authenticator app, and gives the recovery codes. The user then logs in with them.
     * @throws {InvalidFields} if the code is wrong; {Refusal} `link-expired`
     */
    async finish(secret: string, code: string, language: Language, caller: Caller): Promise<readonly string[]> {
      const account = await open(secret, caller);
      return manageFactors.enrol({ account, code, language, caller }, (change) =>
        links.use({ purpose, secret, expired, caller }, change),
      );
    },
  };
}
