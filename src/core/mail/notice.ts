import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { MailDescription } from './description.ts';

const daySeconds = 24 * 60 * 60;

/** The name and the language in a mail about an account. Under the id of a newcomer, the mail is about the former user. */
export function addressed(account: Account | undefined, usual: string) {
  const { firstName: name, language = usual } = account?.user.isNewcomer ? {} : (account?.user ?? {});
  return { name, language };
}

/**
 * Describes mails that report a change. They need no account, because the address may be the former one.
 * @param baseUrl the address of this server for browsers
 */
export const createNotice =
  (users: Pick<UserDirectory, 'findById'>, baseUrl: () => string) =>
  (path?: string): MailDescription => ({
    keepSeconds: daySeconds,
    async prepare({ address, userId, language, details }) {
      const account = userId === undefined ? undefined : await users.findById(userId);
      const link = path && `${baseUrl()}${path}`;
      return { to: address, ...addressed(account, language), values: details, link };
    },
  });
