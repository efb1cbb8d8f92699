import type { User } from '../users/user.ts';
import type { MailDescription } from './description.ts';

const daySeconds = 24 * 60 * 60;

/**
 * Describes mails that only tell what has happened. They need no account, because the address may have been the former one.
 * @param findUser gives the user of an id, whose language is used
 * @param baseUrl the address of this server for browsers
 */
export const createNotice =
  (findUser: (id: string) => Promise<User | undefined>, baseUrl: () => string) =>
  (path?: string): MailDescription => ({
    keepSeconds: daySeconds,
    async prepare({ address, userId, language, details }) {
      const { firstName: name, language: chosen = language } = (userId && (await findUser(userId))) || {};
      return { to: address, name, language: chosen, values: details, link: path && `${baseUrl()}${path}` };
    },
  });
