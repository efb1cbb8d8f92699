import type { DroppedMail, MailDescription, PreparedMail } from '../mail/description.ts';
import { createNotice } from '../mail/notice.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';

const minute = 60;
const day = 24 * 60 * minute;

/** How long the links of the mails work, in seconds. */
const linkSeconds = { 'sign-up': day, 'reset-password': 30 * minute, 'confirm-email': day };

type LinkPurpose = keyof typeof linkSeconds;

export interface AccountMailOptions {
  readonly users: Pick<UserDirectory, 'findByUsername' | 'findById'>;
  readonly tokens: Tokens;
  /** The address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56). */
  readonly baseUrl: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The mails of accounts. */
export function createAccountMails(options: AccountMailOptions): Readonly<Record<string, MailDescription>> {
  const { users, tokens, baseUrl, now } = options;

  async function createLink(purpose: LinkPurpose, address: string, account?: Account): Promise<string> {
    const expiresAt = now() + linkSeconds[purpose] * 1000;
    const owner = account && { userId: account.user.id, stamp: stampOf(account) };
    const secret = await tokens.issue({ purpose, userId: undefined, address, expiresAt, ...owner });
    return `${baseUrl()}/auth/${pages[purpose]}?token=${secret}`;
  }

  const notice = createNotice(async (id) => (await users.findById(id))?.user, baseUrl);

  return {
    'sign-up': {
      keepSeconds: day,
      async prepare({ address, language }) {
        const account = await users.findByUsername(address);
        if (account === undefined || account.isReplaceable)
          return { to: address, language, values: {}, link: await createLink('sign-up', address) };
        const values = { reset: `${baseUrl()}/auth/forgot-password` };
        const userId = account.user.id;
        const chosen = account.user.language ?? language;
        return {
          text: 'sign-up-known',
          to: address,
          language: chosen,
          values,
          link: `${baseUrl()}/auth/login`,
          userId,
        };
      },
    },
    'reset-password': {
      keepSeconds: linkSeconds['reset-password'],
      async prepare({ address, language }): Promise<PreparedMail | DroppedMail> {
        const account = await users.findByUsername(address);
        if (account === undefined) return { dropped: 'no-account' };
        const { id: userId, firstName: name, language: chosen = language } = account.user;
        if (account.disabled) return { dropped: 'disabled', userId };
        const link = await createLink('reset-password', address, account);
        return { to: address, name, language: chosen, values: {}, link, userId };
      },
    },
    'confirm-email': {
      keepSeconds: day,
      async prepare({ address, userId = '', language, details }) {
        const account = await users.findById(userId);
        if (account === undefined || account.disabled || account.user.username !== details.former)
          return { dropped: 'outdated', userId };
        // The address may be a stranger's, by a typing error. So the mail names neither the user nor the former address.
        const { language: chosen = language } = account.user;
        const link = await createLink('confirm-email', address, account);
        return { to: address, language: chosen, values: details, link };
      },
    },
    'email-change-requested': notice('/account'),
    'email-changed': notice(),
    'password-changed': notice('/auth/forgot-password'),
    'account-deleted': notice(),
  };
}

/** The pages that the links lead to. */
const pages: Readonly<Record<LinkPurpose, string>> = {
  'sign-up': 'sign-up/finish',
  'reset-password': 'reset-password',
  'confirm-email': 'confirm-email',
};
