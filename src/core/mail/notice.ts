import { speakStored } from '../../ground/languages/speech.ts';
import type { Caller } from '../audit/event.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { MailDescription } from './description.ts';
import type { QueuedMail } from './outbox.ts';

const daySeconds = 24 * 60 * 60;

/** The name and the language in a mail about an account. Under the id of a newcomer, the mail is about the former user. */
export function addressed(account: Account | undefined, usual: string) {
  const { firstName: name, language = usual } = account?.user.isNewcomer ? {} : (account?.user ?? {});
  return { name, language };
}

/** Who caused a mail, for its details. Users are not told where administrators are. */
export function originOf({ caller, actorId }: { readonly caller: Caller; readonly actorId?: string | undefined }) {
  if (actorId !== undefined) return { by: 'administrator' };
  if (caller.requestId === undefined) return { by: 'operator' };
  return { userAgent: caller.userAgent ?? '', address: caller.address ?? '' };
}

/** Says who caused a mail, from where and when, such as "From: Chrome on macOS, 203.0.113.7, 29 November 2026 at 18:00 UTC". */
export function describeOrigin(
  { details: { by, userAgent, address }, createdAt }: Pick<QueuedMail, 'details' | 'createdAt'>,
  language: string,
): string {
  const { client, say, utc, words } = speakStored(language);
  const { from, actors } = words.notices;
  // A mail of an older version names neither.
  const actor = userAgent === undefined ? actors[by as keyof typeof actors] : client(userAgent);
  return say(from, { origin: [actor, address, utc.time(new Date(createdAt))].filter(Boolean).join(', ') });
}

/** Says what happened. A mail of an older version does not know more than its purpose. */
function describeChange({ purpose, details }: Pick<QueuedMail, 'purpose' | 'details'>, language: string): string {
  const { say, words } = speakStored(language);
  const { changes } = words.notices;
  const { what = '', name, ...values } = details;
  if (!Object.hasOwn(changes, what)) return `${words.mails[purpose]?.subject}.`;
  return say(changes[what as keyof typeof changes], { ...values, name: name ? ` (${name})` : '' });
}

/**
 * Describes mails that report a change: what happened, and from where. They need no account, because the address may be the former one.
 * @param baseUrl the address of this server for browsers
 */
export const createNotice =
  (users: Pick<UserDirectory, 'findById'>, baseUrl: () => string) =>
  (path?: string): MailDescription => ({
    keepSeconds: daySeconds,
    async prepare(mail) {
      const { address: to, userId, details } = mail;
      const account = userId === undefined ? undefined : await users.findById(userId);
      const { name, language } = addressed(account, mail.language);
      const [what, from] = [describeChange(mail, language), describeOrigin(mail, language)];
      return { to, name, language, values: { ...details, what, from }, link: path && `${baseUrl()}${path}` };
    },
  });
