import { enrolmentRequired } from '../access/factor.ts';
import { InvalidFields, Refusal } from '../access/refusal.ts';
import type { Caller } from '../audit/event.ts';
import type { Language } from '../languages/languages.ts';
import type { MailDescription } from '../mail/description.ts';
import { createNotice } from '../mail/notice.ts';
import { createRequestMail } from '../mail/request-mail.ts';
import { createLinks } from '../tokens/links.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { Factors } from './factors.ts';
import type { ManageFactors } from './manage.ts';
import type { FactorOptions } from './options.ts';
import { enrolmentExpired } from './refusals.ts';

export const enrolmentPath = '/auth/enrol-factor';

const purpose = 'enrol-factor';

export const linkMinutes = 30;

/**
 * The mails about second factors, and the link that is in one of them.
 * @param baseUrl the address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56).
 */
export function createFactorMails(
  { users, tokens, now }: Pick<FactorOptions, 'users' | 'tokens' | 'now'>,
  baseUrl: () => string,
) {
  /** Makes a link by which the user adds the first factor. It is a secret. */
  async function createEnrolmentLink(account: Account): Promise<string> {
    const { id: userId, username: address } = account.user;
    const about = { purpose, userId, address, stamp: stampOf(account) };
    const secret = await tokens.issue({ ...about, expiresAt: now() + linkMinutes * 60_000 });
    return `${baseUrl()}${enrolmentPath}?token=${secret}`;
  }

  const enrolment: MailDescription = {
    keepSeconds: linkMinutes * 60,
    async prepare({ address, userId = '', language }) {
      const account = await users.findById(userId);
      if (account === undefined || account.user.username !== address) return { dropped: 'outdated', userId };
      if (account.disabled) return { dropped: 'disabled', userId };
      const { firstName: name, language: chosen = language } = account.user;
      const values = { minutes: String(linkMinutes) };
      return { to: address, name, language: chosen, values, link: await createEnrolmentLink(account), userId };
    },
  };
  const notice = createNotice(users, baseUrl);

  return {
    createEnrolmentLink,
    descriptions: { [purpose]: enrolment, 'factors-changed': notice('/account/security') },
  };
}

export type Enrolment = ReturnType<typeof createEnrolment>;

/**
 * The first factor of a user who must have one and cannot sign in without. A link in a mail leads to it, so that a stolen password alone
 * adds no factor.
 */
export function createEnrolment(
  options: FactorOptions,
  { totp, ownerOf, list }: Factors,
  { change }: Pick<ManageFactors, 'change'>,
) {
  const { outbox, throttle, sessions, audit } = options;
  const links = createLinks(options, purpose, enrolmentExpired);
  // Without mail, an operator hands the link over.
  const requestMail = outbox && createRequestMail({ outbox, throttle, audit });

  /** Gives the account that the link was made for. @throws {Refusal} `link-expired` */
  async function open(secret: string, caller: Caller): Promise<Account> {
    const { account } = await links.openOwn(secret, caller);
    // An earlier link may have added a factor, which no link replaces.
    if ((await list(ownerOf(account))).hasAny) {
      await audit.recordIfPossible({ kind: 'link-refused', caller, userId: account.user.id });
      throw new Refusal(enrolmentExpired);
    }
    return account;
  }

  return {
    open,

    /** Refuses the login of an account without a factor, and mails the link. @throws {Refusal} `enrolment-required` */
    async demand({ user }: Account, language: Language, caller: Caller): Promise<never> {
      const mail = { purpose, address: user.username, userId: user.id, language };
      await requestMail?.(mail, caller, ['minute', 'hour']);
      await audit.recordIfPossible({ kind: 'enrolment-demanded', caller, userId: user.id });
      throw new Refusal(enrolmentRequired);
    },

    /** Makes a secret for an authenticator app, which waits for its code. @throws {Refusal} `link-expired` */
    async begin(secret: string, caller: Caller) {
      const account = await open(secret, caller);
      return totp.begin(ownerOf(account), account.user.username);
    },

    /**
     * Enables the authenticator app, ends all sessions, and gives the recovery codes. The user then logs in with them.
     * @throws {InvalidFields} if the code is wrong; {Refusal} `link-expired`
     */
    async finish(secret: string, code: string, language: Language, caller: Caller): Promise<readonly string[]> {
      const { user } = await open(secret, caller);
      let codes: readonly string[] = [];
      await links.use(secret, caller, async (db) => {
        codes = await change(user, { language, caller }, db, async (owner) => {
          if ((await list(owner, db)).hasAny) throw new Refusal(enrolmentExpired);
          if (!(await totp.enable(owner, code, db))) throw new InvalidFields({ field: 'code', code: 'wrong-code' });
        });
        return true;
      });
      await audit.recordIfPossible({ kind: 'factor-added', reason: 'totp', caller, userId: user.id });
      await sessions.endAllOf(user.id);
      return codes;
    },
  };
}
