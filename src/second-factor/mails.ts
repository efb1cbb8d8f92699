import type { MailDescription } from '../mail/description.ts';
import { createNotice } from '../mail/notice.ts';
import type { Tokens } from '../tokens/tokens.ts';
import { type Account, stampOf } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';

export const enrolmentPath = '/auth/enrol-factor';

/** The purpose of the link and of its mail. */
export const enrolmentPurpose = 'enrol-factor';

/** How long a link works, in seconds. */
const linkSeconds = 30 * 60;

export interface FactorMailOptions {
  readonly users: Pick<UserDirectory, 'findById'>;
  readonly tokens: Pick<Tokens, 'issue'>;
  /** The address of this server for browsers. It is configured, and never taken from a request (VM-55, VM-56). */
  readonly baseUrl: () => string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** The mails about second factors, and the link that is in one of them. */
export function createFactorMails({ users, tokens, baseUrl, now }: FactorMailOptions) {
  /** Makes a link by which the user adds the first factor. It is a secret. */
  async function createEnrolmentLink(account: Account): Promise<string> {
    const { id: userId, username: address } = account.user;
    const about = { purpose: enrolmentPurpose, userId, address, stamp: stampOf(account) };
    const secret = await tokens.issue({ ...about, expiresAt: now() + linkSeconds * 1000 });
    return `${baseUrl()}${enrolmentPath}?token=${secret}`;
  }

  const enrolment: MailDescription = {
    keepSeconds: linkSeconds,
    async prepare({ address, userId = '', language }) {
      const account = await users.findById(userId);
      if (account === undefined || account.user.username !== address) return { dropped: 'outdated', userId };
      if (account.disabled) return { dropped: 'disabled', userId };
      const { firstName: name, language: chosen = language } = account.user;
      return { to: address, name, language: chosen, values: {}, link: await createEnrolmentLink(account), userId };
    },
  };
  const notice = createNotice(async (id) => (await users.findById(id))?.user, baseUrl);

  return {
    createEnrolmentLink,
    descriptions: { [enrolmentPurpose]: enrolment, 'factors-changed': notice('/account/security') },
  };
}
