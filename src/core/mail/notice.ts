import { textsInStored } from '../../ground/languages/speech.ts';
import type { Caller } from '../audit/event.ts';
import { keptUserAgent } from '../sessions/sessions.ts';
import type { Account } from '../users/account.ts';
import type { UserDirectory } from '../users/user-directory.ts';
import type { MailDescription } from './description.ts';
import type { Details, MailLimit } from './limits.ts';
import type { QueuedMail } from './outbox.ts';

const daySeconds = 24 * 60 * 60;

/**
 * Returns the name and the language for a mail about an account.
 * @param account undefined: the language is `usual`, and there is no name
 */
export function nameAndLanguageOf(account: Account | undefined, usual: string) {
  const { firstName: name, language = usual } = account?.user ?? {};
  return { name, language };
}

/** Returns the name and the language for a mail to the user in its row. The user may be unknown or removed. */
async function addresseeOf({ userId, language }: QueuedMail, users: Pick<UserDirectory, 'findById'>) {
  return nameAndLanguageOf(userId === undefined ? undefined : await users.findById(userId), language);
}

/**
 * Describes the cause of a mail, for its details. The origin of an administrator is left out, because users must not learn where
 * administrators are.
 */
export function originOf({ caller, actorId }: { readonly caller: Caller; readonly actorId?: string | undefined }) {
  if (actorId !== undefined) return { by: 'administrator' };
  if (caller.requestId === undefined) return { by: 'operator' };
  return { userAgent: keptUserAgent(caller.userAgent) ?? '', address: caller.address ?? '' };
}

/** Names the client or the actor that caused a mail, and its address. A mail of an older version has neither. */
function describeActor({ by, userAgent, address }: Details, language: string): string {
  const { client, words } = textsInStored(language);
  const actor = userAgent === undefined ? words.notices.actors[by as 'administrator'] : client(userAgent);
  return [actor, address].filter(Boolean).join(', ');
}

/** Says where a mail was caused and when, such as "From: Chrome on macOS, 203.0.113.7, 29 November 2026 at 18:00 UTC". */
export function describeOrigin(
  { details, createdAt }: Pick<QueuedMail, 'details' | 'createdAt'>,
  language: string,
): string {
  const { interpolate, utc, words } = textsInStored(language);
  const time = utc.time(new Date(createdAt));
  return interpolate(words.notices.from, {
    origin: [describeActor(details, language), time].filter(Boolean).join(', '),
  });
}

/** Says which change the mail reports. Without details, as in a mail of an older version, the sentence is the subject of the mail. */
function describeChange({ purpose, details }: Pick<QueuedMail, 'purpose' | 'details'>, language: string): string {
  const { interpolate, words } = textsInStored(language);
  const { changes } = words.notices;
  const { what = '', name, ...values } = details;
  const known = [what, purpose].find((key) => Object.hasOwn(changes, key));
  if (known === undefined) return `${words.mails[purpose]?.subject}.`;
  return interpolate(changes[known as keyof typeof changes], { ...values, name: name ? ` (${name})` : '' });
}

/** The changes that a merged notice reports. */
interface Merged {
  /** How often each change was made. The key is its purpose and details as JSON. */
  readonly changes: Readonly<Record<string, number>>;
  /** The first origins of the changes, as JSON. */
  readonly origins: readonly string[];
  readonly count: number;
}

/** The most changes that a merged notice lists. There are fewer kinds of changes. Further changes, with other details, are only counted. */
const mostSentences = 40;
const mostOrigins = 5;

const readMerged = ({ merged }: Details = {}): Merged =>
  merged === undefined ? { changes: {}, origins: [], count: 0 } : JSON.parse(merged);

/** The purpose of the mail that reports further changes soon after the first ones. */
export const moreChanges = 'more-changes';

/** The notices of an account: many changes within ten minutes are one mail. */
export const mergedNotices = {
  merged: {
    windowSeconds: 10 * 60,
    mergedPurpose: moreChanges,
    collect(waiting, { by, userAgent, address, name: _, ...details }, purpose) {
      const { changes, origins, count } = readMerged(waiting);
      const change = JSON.stringify([purpose, details]);
      const times = changes[change] ?? 0;
      const isListed = times > 0 || Object.keys(changes).length < mostSentences;
      const origin = JSON.stringify({ by, userAgent: keptUserAgent(userAgent), address });
      const merged: Merged = {
        changes: isListed ? { ...changes, [change]: times + 1 } : changes,
        origins: [...new Set([...origins, origin])].slice(0, mostOrigins),
        count: count + 1,
      };
      return { merged: JSON.stringify(merged) };
    },
  },
} as const satisfies MailLimit;

/** Describes the mail that reports further changes. @param baseUrl the address of this server for browsers */
export const createMoreChanges = (users: Pick<UserDirectory, 'findById'>, baseUrl: () => string): MailDescription => ({
  limit: mergedNotices,
  keepSeconds: daySeconds,
  async prepare(mail) {
    const { address: to, createdAt } = mail;
    const { name, language } = await addresseeOf(mail, users);
    const { plural, interpolate, utc, words } = textsInStored(language);
    const { changes, origins, count } = readMerged(mail.details);
    const sentences = Object.entries(changes).map(([change, times]) => {
      const [purpose, details] = JSON.parse(change);
      const sentence = describeChange({ purpose, details }, language);
      return times > 1 ? `${sentence} (${times}×)` : sentence;
    });
    const actors = origins.map((origin) => describeActor(JSON.parse(origin), language)).filter(Boolean);
    const origin = [...actors, utc.time(new Date(createdAt))].join('; ');
    return {
      to,
      name,
      language,
      values: {
        more: plural(words.notices.more, count),
        what: sentences.join(' '),
        from: interpolate(words.notices.from, { origin }),
      },
      link: `${baseUrl()}/account`,
    };
  },
});

/**
 * Describes mails that report a change and where it was made. They need no account, because the address may be the user's former one.
 * @param baseUrl the address of this server for browsers
 */
export const createNotice =
  (users: Pick<UserDirectory, 'findById'>, baseUrl: () => string) =>
  (path?: string): MailDescription => ({
    limit: mergedNotices,
    keepSeconds: daySeconds,
    async prepare(mail) {
      const { address: to, details } = mail;
      const { name, language } = await addresseeOf(mail, users);
      const [what, from] = [describeChange(mail, language), describeOrigin(mail, language)];
      return { to, name, language, values: { ...details, what, from }, link: path && `${baseUrl()}${path}` };
    },
  });
