import type { DroppedMail, MailDescription, PreparedMail } from '../mail/description.ts';
import { createNotice } from '../mail/notice.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';

const minute = 60;
const day = 24 * 60 * minute;

/** How long a link that sets a new password works, in minutes. */
export const resetMinutes = 30;

/** The pages that links lead to, and how long the links work, in seconds. */
const links = {
  'sign-up': { page: 'sign-up/finish', keepSeconds: day },
  invitation: { page: 'sign-up/finish', keepSeconds: 7 * day, purpose: 'sign-up' },
  'reset-password': { page: 'reset-password', keepSeconds: resetMinutes * minute },
  'confirm-email': { page: 'confirm-email', keepSeconds: day },
};

interface Link {
  readonly page: string;
  readonly keepSeconds: number;
  /** If not the name of the mail. */
  readonly purpose?: string;
}

/**
 * The mails of accounts.
 * @param baseUrl the address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56).
 * @param now milliseconds since 1970
 */
export function createAccountMails(
  users: Pick<UserDirectory, 'findByUsername' | 'findById'>,
  tokens: Tokens,
  baseUrl: () => string,
  now: () => number,
) {
  async function createLink(mail: keyof typeof links, address: string, account?: Account): Promise<string> {
    const { page, keepSeconds, purpose = mail }: Link = links[mail];
    const owner = { userId: account?.user.id, stamp: account && stampOf(account) };
    const secret = await tokens.issue({ purpose, address, expiresAt: now() + keepSeconds * 1000, ...owner });
    return `${baseUrl()}/auth/${page}?token=${secret}`;
  }

  const notice = createNotice(users, baseUrl);

  const descriptions: Readonly<Record<string, MailDescription>> = {
    'sign-up': {
      keepSeconds: links['sign-up'].keepSeconds,
      async prepare({ address: to, language }) {
        const account = await users.findByUsername(to);
        if (account === undefined || account.isReplaceable)
          return { to, language, values: {}, link: await createLink('sign-up', to) };
        const { id: userId, language: chosen = language } = account.user;
        const values = { reset: `${baseUrl()}/auth/forgot-password` };
        return { wordsOf: 'sign-up-known', to, language: chosen, values, link: `${baseUrl()}/auth/login`, userId };
      },
    },
    invitation: {
      keepSeconds: links.invitation.keepSeconds,
      async prepare({ address: to, userId = '', language }) {
        const account = await users.findById(userId);
        if (account === undefined || account.disabled || account.user.username !== to)
          return { dropped: 'outdated', userId };
        const { firstName: name } = account.user;
        return { to, name, language, values: {}, link: await createLink('invitation', to, account), userId };
      },
    },
    'reset-password': {
      keepSeconds: links['reset-password'].keepSeconds,
      async prepare({ address: to, language }): Promise<PreparedMail | DroppedMail> {
        const account = await users.findByUsername(to);
        if (account === undefined) return { dropped: 'no-account' };
        const { id: userId, firstName: name, language: chosen = language } = account.user;
        if (account.disabled) return { dropped: 'disabled', userId };
        const link = await createLink('reset-password', to, account);
        return { to, name, language: chosen, values: { minutes: String(resetMinutes) }, link, userId };
      },
    },
    'confirm-email': {
      keepSeconds: links['confirm-email'].keepSeconds,
      async prepare({ address: to, userId = '', language, details: values }) {
        const account = await users.findById(userId);
        if (account === undefined || account.disabled || account.user.username !== values.former)
          return { dropped: 'outdated', userId };
        // The address may be a stranger's, by a typing error. So the mail names neither the user nor the former address.
        const { language: chosen = language } = account.user;
        return { to, language: chosen, values, link: await createLink('confirm-email', to, account) };
      },
    },
    'email-change-requested': notice('/account'),
    'email-changed': notice(),
    'password-changed': notice('/auth/forgot-password'),
    'account-deleted': notice(),
  };

  return {
    descriptions,
    /** Makes a link by which an invited user chooses a password. It is a secret. */
    createInvitationLink: (account: Account) => createLink('invitation', account.user.username, account),
  };
}
