import type { Admission } from '../../core/access/admit.ts';
import { enrolmentRequired } from '../../core/access/factor.ts';
import { InvalidFields, Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { Core } from '../../core/core.ts';
import type { MailDescription } from '../../core/mail/description.ts';
import { createNotice } from '../../core/mail/notice.ts';
import { createLinks } from '../../core/tokens/links.ts';
import type { Account } from '../../core/users/account.ts';
import { AccountChanged, type Proved, provedBy } from '../../core/users/held.ts';
import type { Database } from '../../ground/database/database.ts';
import type { Language } from '../../ground/languages/languages.ts';
import { pathWithNext } from '../../web/next.ts';
import type { FactorCore } from './events.ts';
import type { Factors } from './factors.ts';
import type { ManageFactors } from './manage.ts';
import { enrolmentExpired } from './refusals.ts';

export const enrolmentPath = '/auth/enrol-factor';

const purpose = 'enrol-factor';

export const linkMinutes = 30;

/**
 * Describes the mails about second factors, and makes the link for one of them.
 * @param baseUrl the address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56).
 */
export function createFactorMails(
  { users, tokens, hold, now }: Pick<Core, 'users' | 'tokens' | 'hold' | 'now'>,
  baseUrl: () => string,
) {
  /**
   * Makes a link by which the user adds the first factor. The link is a secret.
   * @param address that the account must have, if the link is mailed there
   * @param recordIn records in the audit, in the same transaction, that the link was made
   * @throws {AccountChanged}
   */
  async function createEnrolmentLink(
    { userId, stamp }: Proved,
    address?: string,
    recordIn?: (db: Database) => Promise<void>,
  ): Promise<string> {
    const expiresAt = now() + linkMinutes * 60_000;
    const secret = await hold({ userId, stamp }, async ({ user, db }) => {
      if (address !== undefined && user.username !== address) throw new AccountChanged();
      await recordIn?.(db);
      return tokens.issue({ userId, stamp, purpose, address: user.username, expiresAt }, db);
    });
    return `${baseUrl()}${enrolmentPath}?token=${secret}`;
  }

  const enrolment: MailDescription = {
    limit: { counted: ['minute', 'hour'] },
    keepSeconds: linkMinutes * 60,
    async prepare({ address, userId = '', stamp = '', language, details: { next } }) {
      const account = await users.findById(userId);
      if (account === undefined || account.user.username !== address) return { dropped: 'outdated', userId };
      if (account.disabled) return { dropped: 'disabled', userId };
      const { firstName: name, language: chosen = language } = account.user;
      const values = { minutes: String(linkMinutes) };
      const link = pathWithNext(await createEnrolmentLink({ userId, stamp }, address), next);
      return { to: address, name, language: chosen, values, link, userId };
    },
  };
  const notice = createNotice(users, baseUrl);

  return {
    createEnrolmentLink,
    descriptions: {
      [purpose]: enrolment,
      'factors-changed': notice('/account/security'),
      'recovery-code-used': notice('/account/security'),
    },
  };
}

export type Enrolment = ReturnType<typeof createEnrolment>;

/**
 * Adds the first factor of a user who must have one and cannot sign in without it. The user needs a link from a mail, so a stolen password
 * alone adds no factor.
 */
export function createEnrolment(
  core: FactorCore,
  { totp, list }: Factors,
  { renewingCodes }: Pick<ManageFactors, 'renewingCodes'>,
) {
  const { mailer, change, audit, ports } = core;
  const links = createLinks(core, purpose, enrolmentExpired);

  /** Finds the account that the link was made for. @throws {Refusal} `link-expired` */
  async function open(secret: string, caller: Caller): Promise<Account> {
    const { account } = await links.openOwn(secret, caller);
    // An earlier link may have added a factor. A link never replaces one.
    if ((await list(account.user)).hasAny) {
      await audit.recordIfPossible({ kind: 'link-refused', caller, userId: account.user.id });
      throw new Refusal(enrolmentExpired);
    }
    return account;
  }

  return {
    open,

    /** Refuses the login of an account without a factor, and mails the link. @throws {Refusal} `enrolment-required` */
    async requireEnrolment(account: Account, { language, caller, next }: Admission): Promise<never> {
      const { user } = account;
      const isStranger = next !== undefined && (await ports.findApplication(next))?.isStranger;
      const details = next && !isStranger && { details: { next } };
      const mail = { purpose, address: user.username, ...provedBy(account), language, ...details };
      // Without mail, an operator gives the user a link.
      await mailer?.request(mail, caller);
      await audit.recordIfPossible({ kind: 'enrolment-demanded', caller, userId: user.id });
      throw new Refusal(enrolmentRequired);
    },

    /** Makes a secret for an authenticator app. It is not valid before a code confirms it. @throws {Refusal} `link-expired` */
    async begin(secret: string, caller: Caller) {
      const { user } = await open(secret, caller);
      return { ...(await totp.begin(user, user.username)), email: user.username };
    },

    /**
     * Enables the authenticator app and ends all sessions. The user then has to log in.
     * @returns the recovery codes and the address of the user
     * @throws {InvalidFields} if the code is wrong; {Refusal} `link-expired`
     */
    async finish(secret: string, code: string, language: Language, caller: Caller) {
      const account = await open(secret, caller);
      const event = { kind: 'factor-added', reason: 'totp', noticeDetails: () => ({ what: 'app-added' }) } as const;
      const changed = await links.use(secret, caller, (spend) => {
        const enable = renewingCodes(async (held) => {
          await spend(held.db);
          if ((await list(held.user, held.db)).hasAny) throw new AccountChanged();
          if (!(await totp.enable(held, code))) throw new InvalidFields({ field: 'code', code: 'wrong-code' });
        });
        return change(event, provedBy(account), { caller, language }, enable);
      });
      return { codes: changed.made, email: account.user.username };
    },
  };
}
