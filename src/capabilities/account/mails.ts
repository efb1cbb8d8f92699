import type { DroppedMail, MailDescription, PreparedMail } from '../../core/mail/description.ts';
import { requested } from '../../core/mail/limits.ts';
import { createNotice, describeOrigin } from '../../core/mail/notice.ts';
import type { Outbox, QueuedMail } from '../../core/mail/outbox.ts';
import type { Invitation } from '../../core/ports.ts';
import type { Tokens } from '../../core/tokens/tokens.ts';
import type { Account } from '../../core/users/account.ts';
import { AccountChanged, type Held, type Hold, type Proved, provedBy } from '../../core/users/held.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import type { Database } from '../../ground/database/database.ts';
import { pathWithNext } from '../../web/next.ts';
import { resetMinutes } from './reset-password.ts';

const minute = 60;
const day = 24 * 60 * minute;

/** The pages that links lead to, and how long the links work, in seconds. */
const links = {
  'sign-up': { page: 'auth/sign-up/finish', keepSeconds: day },
  invitation: { page: 'auth/sign-up/finish', keepSeconds: 7 * day, purpose: 'sign-up' },
  'reset-password': { page: 'auth/reset-password', keepSeconds: resetMinutes * minute },
  'confirm-email': { page: 'auth/confirm-email', keepSeconds: day },
  'confirm-offered-email': { page: 'account/confirm-email', keepSeconds: 7 * day },
};

type Invited = Pick<Held, 'account' | 'user' | 'db'>;

interface Link {
  readonly page: string;
  readonly keepSeconds: number;
  /** Purpose of the token in the link. Default: the name of the mail. */
  readonly purpose?: string;
}

/**
 * Describes the mails about accounts.
 * @param listOtherSignIns lists the ways to sign in to an account besides its password
 * @param baseUrl the address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56).
 * @param now milliseconds since 1970
 */
export function createAccountMails(
  users: Pick<UserDirectory, 'findByUsername' | 'adoptByUsername' | 'findById'>,
  tokens: Tokens,
  outbox: Pick<Outbox, 'has' | 'find'>,
  hold: Hold,
  listOtherSignIns: (account: Account, language: string) => Promise<readonly string[]>,
  baseUrl: () => string,
  now: () => number,
) {
  /** @param proved the account that the link is for, if there is one. Once its stamp changes (see `stampOf`), the link does not work */
  async function createLink(
    mail: keyof typeof links,
    address: string,
    proved?: Proved,
    db?: Database,
    inviteLinkId?: string,
  ): Promise<string> {
    const { page, keepSeconds, purpose = mail }: Link = links[mail];
    const token = {
      userId: undefined,
      ...proved,
      purpose,
      address,
      inviteLinkId,
      expiresAt: now() + keepSeconds * 1000,
    };
    return `${baseUrl()}/${page}?token=${await tokens.issue(token, db)}`;
  }

  /**
   * Makes the link of a mail about an account. The link is bound to the stamp that the account had at the request. A change of the account
   * while the mail waited must void the link.
   * @param name the username that the account must still have
   * @param isAlone true if the earlier links for this purpose end
   * @throws {AccountChanged}
   */
  const createOwnLink = (
    mail: keyof typeof links,
    { userId = '', stamp = '', address }: Pick<QueuedMail, 'userId' | 'stamp' | 'address'>,
    name: string,
    isAlone = false,
  ) =>
    hold({ userId, stamp }, async ({ user, db }) => {
      if (user.username !== name) throw new AccountChanged();
      if (isAlone) await tokens.endOf(mail, userId, db);
      return createLink(mail, address, { userId, stamp }, db);
    });

  /**
   * Finds the mailed invitation of a user who has no password yet. Its state is `waiting` before it is sent, then `open` while its link
   * works, and `expired` after that.
   */
  async function findMailed({ account, user, db }: Invited) {
    if (account.passwordHash !== undefined) return undefined;
    const mail = await outbox.find('invitation', { user, db });
    // Each attempt to send the mail makes a link, so a link alone does not prove that the mail was sent.
    if (mail === 'waiting') return { state: mail } as const;
    const own = (await tokens.listOf(user.id, db)).filter(({ purpose }) => purpose === links.invitation.purpose);
    if (own.length > 0)
      return { state: 'open', expiresAt: new Date(Math.max(...own.map(({ expiresAt }) => expiresAt))) } as const;
    return mail && ({ state: 'expired' } as const);
  }

  const notice = createNotice(users, baseUrl);

  const toNewAddress = (mail: 'confirm-email' | 'confirm-offered-email'): MailDescription => ({
    limit: requested,
    keepSeconds: links[mail].keepSeconds,
    async prepare(queued) {
      const { address: to, userId = '', details: values } = queued;
      // A typing error may make this a stranger's address. So the mail contains neither the user's name nor the former address.
      const language = (await users.findById(userId))?.user.language ?? queued.language;
      const link = await createOwnLink(mail, queued, values.former ?? '');
      // The mail is withdrawn when the user's sessions end (core/changes/address-links.ts).
      return (await outbox.has(queued.id)) ? { to, language, values, link } : { dropped: 'outdated', userId };
    },
  });

  const descriptions: Readonly<Record<string, MailDescription>> = {
    'sign-up': {
      limit: requested,
      keepSeconds: links['sign-up'].keepSeconds,
      async prepare({ address: to, language, details: { next, inviteLink } }) {
        const account = await users.findByUsername(to);
        if (account === undefined || account.isReplaceable) {
          const link = await createLink('sign-up', to, undefined, undefined, inviteLink);
          return { to, language, values: {}, link: pathWithNext(link, next) };
        }
        const { id: userId, language: chosen = language } = account.user;
        const values = { reset: `${baseUrl()}${pathWithNext('/auth/forgot-password', next)}` };
        return {
          textKey: 'sign-up-known',
          to,
          language: chosen,
          values,
          link: `${baseUrl()}${pathWithNext('/auth/login', next)}`,
          userId,
        };
      },
    },
    invitation: {
      limit: requested,
      keepSeconds: links.invitation.keepSeconds,
      async prepare(mail) {
        const { address: to, userId = '', language } = mail;
        const name = (await users.findById(userId))?.user.firstName;
        return { to, name, language, values: {}, link: await createOwnLink('invitation', mail, to), userId };
      },
    },
    'reset-password': {
      limit: requested,
      keepSeconds: links['reset-password'].keepSeconds,
      async prepare({ address: to, language, details: { next }, ...mail }): Promise<PreparedMail | DroppedMail> {
        const account = await users.adoptByUsername(to);
        if (account === undefined) return { dropped: 'no-account' };
        const { id: userId, firstName: name, language: chosen = language } = account.user;
        if (account.disabled) return { dropped: 'disabled', userId };
        // A reset proves only that the user owns the mailbox. So the link gets the current stamp, and the account must still have the
        // address. A stranger's request has no user id, and must not end a link that an administrator has sent.
        const isByAdministrator = mail.userId !== undefined;
        const own = { address: to, ...provedBy(account) };
        const link = pathWithNext(await createOwnLink('reset-password', own, to, isByAdministrator), next);
        return { to, name, language: chosen, values: { minutes: String(resetMinutes) }, link, userId };
      },
    },
    'confirm-email': toNewAddress('confirm-email'),
    'confirm-offered-email': toNewAddress('confirm-offered-email'),
    'email-change-requested': notice('/account'),
    'email-change-offered': notice(),
    'email-changed': notice(),
    'password-changed': notice('/auth/forgot-password'),
    'password-reset': {
      ...notice(),
      async prepare(mail) {
        const { address: to, userId = '', language: asked } = mail;
        const account = await users.findById(userId);
        const { firstName: name, language = asked } = account?.user ?? {};
        const left = account === undefined ? [] : await listOtherSignIns(account, language);
        const from = describeOrigin(mail, language);
        if (left.length === 0)
          return {
            textKey: 'password-changed',
            to,
            name,
            language,
            values: { from },
            link: `${baseUrl()}/auth/forgot-password`,
          };
        return { to, name, language, values: { from, left: left.join(', ') }, link: `${baseUrl()}/account/security` };
      },
    },
    'sessions-ended': notice('/account/sessions'),
    'account-deleted': notice(),
  };

  return {
    descriptions,
    /** Tells whether an enabled user has a mailed invitation, and no password yet. The invitation may have expired. */
    isInvited: async (held: Held): Promise<boolean> => !held.account.disabled && (await findMailed(held)) !== undefined,

    /** Finds the invitation. Undefined also if an administrator handed its link over, and the link has expired. */
    async findInvitation(invited: Invited): Promise<Invitation | undefined> {
      const { isInvitedByMail = false, isAddressVerified = false } = invited.account;
      const mailed = await findMailed(invited);
      if (mailed !== undefined) return { ...mailed, mayRepeat: isInvitedByMail || isAddressVerified };
      return isInvitedByMail ? { state: 'expired', mayRepeat: true } : undefined;
    },

    /** Makes a link by which an invited user chooses a password. The link is a secret. */
    createInvitationLink: (account: Account) => createLink('invitation', account.user.username, provedBy(account)),
  };
}
