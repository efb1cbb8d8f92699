import type { NoticeSignIn } from '../../core/access/admit.ts';
import type { Caller } from '../../core/audit/event.ts';
import type { MailDescription } from '../../core/mail/description.ts';
import type { Mailer } from '../../core/mail/mailer.ts';
import { describeOrigin, nameAndLanguageOf } from '../../core/mail/notice.ts';
import { keptUserAgent, type Session, type Sessions } from '../../core/sessions/sessions.ts';
import { stampOf } from '../../core/users/account.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import { isMailAddress } from '../../ground/text/mail-address.ts';
import { networkOf } from '../../ground/text/networks.ts';

/**
 * Mails users about logins that may not be theirs (ASVS 6.3.5). A program has no cookie by which it is known. So no mail is sent if another
 * session has the same `User-Agent` and network.
 */
export function createNoticeSignIn(
  sessions: Pick<Sessions, 'listOf'>,
  mailer: Pick<Mailer, 'request'>,
  now: () => number,
): NoticeSignIn {
  return async ({ account, language, caller }) => {
    const { id: userId, username: address } = account.user;
    if (!isMailAddress(address)) return undefined;
    const own = await sessions.listOf(userId, stampOf(account));
    if (own.some((session) => isSameClient(session, caller))) return undefined;
    const details = {
      userAgent: keptUserAgent(caller.userAgent) ?? '',
      address: caller.address ?? '',
      at: String(now()),
    };
    const mail = { purpose: 'new-sign-in', address, userId, language, details };
    return async () => {
      await mailer.request(mail, caller);
    };
  };
}

const isSameClient = (one: Pick<Session, 'userAgent' | 'address'>, { userAgent, address }: Caller): boolean =>
  one.userAgent === keptUserAgent(userAgent) && networkOf(one.address, 64) === networkOf(address, 64);

/** Seconds for which the server tries to send the mail. */
const keepSeconds = 24 * 60 * 60;

/**
 * Describes the mail. It goes to the address at the time of the login, because an attacker who has logged in may have changed the address
 * since.
 */
export function describeNewSignIn(users: Pick<UserDirectory, 'findById'>, baseUrl: () => string): MailDescription {
  return {
    // Only the limit per hour counts. Otherwise an attacker could suppress this mail by requesting many other mails, or by logging in
    // within a minute after the user.
    limit: { counted: ['hour'], reportsEvent: true },
    keepSeconds,
    async prepare(mail) {
      const { address: to, userId } = mail;
      // A mail without a user id has no account to look up, and is sent all the same.
      const account = userId === undefined ? undefined : await users.findById(userId);
      if (userId !== undefined && account === undefined) return { dropped: 'no-account' };
      const { name, language } = nameAndLanguageOf(account, mail.language);
      return {
        to,
        name,
        language,
        values: { from: describeOrigin(mail, language) },
        link: `${baseUrl()}/account/sessions`,
      };
    },
  };
}
