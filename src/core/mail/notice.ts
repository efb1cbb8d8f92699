import type { UserDirectory } from '../users/user-directory.ts';
import type { MailDescription } from './description.ts';

const daySeconds = 24 * 60 * 60;

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
      // The mail is about the former user of a newcomer's id.
      const { firstName: name, language: chosen = language } = account?.user.isNewcomer ? {} : (account?.user ?? {});
      return { to: address, name, language: chosen, values: details, link: path && `${baseUrl()}${path}` };
    },
  });
