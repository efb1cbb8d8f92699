import { canonicalMailAddress, looksLikeAnother } from '../../ground/text/mail-address.ts';
import { isPlainLine } from '../../ground/text/printable.ts';

/** A user as the rest of the program may see them: never with a password, hashed or not. */
export interface User {
  /** Stable, opaque, and never given to another person; shown to administrators only. */
  readonly id: string;
  readonly username: string;
  /** A second name with which the user signs in. */
  readonly handle?: string;
  readonly firstName: string;
  readonly lastName: string;
  readonly language?: string | undefined;
  /** Names of the groups that the user is in. */
  readonly groups: readonly string[];
  /** The id of the user in a team's own table. Undefined for Janua's own accounts. */
  readonly sourceKey?: string;
}

/** Checks whether the user has this name already. */
export const hasName = (user: User, { firstName, lastName }: Pick<User, 'firstName' | 'lastName'>): boolean =>
  user.firstName === firstName && user.lastName === lastName;

/** The texts by which an administrator finds a user: the beginning of the address, of the name, of the last name, or of the handle. */
export const searchable = ['username', 'firstName', 'lastName', 'handle'] as const;

export type Searchable = (typeof searchable)[number];

/** Longest text that `wordsOf` returns, in characters. */
export const longestWord = 203;

/** Returns the texts by which a user is found, in lower case. Undefined for a text that is not given. */
export function wordsOf({
  username,
  firstName,
  lastName,
  handle,
}: Partial<Pick<User, Searchable>>): Record<Searchable, string | undefined> {
  const lower = (text: string | undefined) => text?.toLowerCase().trim().slice(0, longestWord);
  const name = firstName === undefined ? undefined : `${firstName} ${lastName ?? ''}`;
  return { username: lower(username), firstName: lower(name), lastName: lower(lastName), handle };
}

/**
 * Returns the filter that finds the events of a user in the audit. Janua 0.2 used the ids of a team's own table as user ids, so such an id
 * may have events of an earlier user. The filter leaves out events from before the account.
 */
export const eventsOf = ({ id, sourceKey }: Pick<User, 'id' | 'sourceKey'>, createdAt: Date | undefined) => ({
  userId: id,
  since: id === sourceKey ? createdAt?.getTime() : undefined,
});

/** Longest user name that is looked up, in characters (RFC 5321 4.5.3.1.3 leaves 254 for an address). */
export const maxUsernameLength = 254;

/** Longest typed text that is composed (NFC), in characters. A longer one is no valid name, and to compose it takes quadratic time. */
const longestTyped = 2 * maxUsernameLength;

/**
 * Returns the form in which a user name is stored, compared and counted: trimmed, composed (NFC), in lower case. Every user name must be
 * converted first. Otherwise two spellings become two users. A text that is too long is cut, but stays longer than a name may be.
 */
export function canonicalUsername(username: string): string {
  const typed = username.trim();
  return typed.length > longestTyped ? typed.slice(0, longestTyped) : typed.normalize('NFC').toLowerCase();
}

/**
 * Checks that no other spelling has the canonical form of a stored name, except for case. Otherwise a database would keep two rows apart
 * that Janua takes for one user: with a blank at the end, a decomposed letter, or a letter such as the Kelvin sign, which becomes a k in
 * lower case.
 */
export const hasOneSpelling = (stored: string): boolean =>
  stored.length <= maxUsernameLength &&
  // A shortcut: most names are canonical, and every request checks one.
  (canonicalUsername(stored) === stored ||
    (stored.trim().normalize('NFC') === stored &&
      [...stored].every((letter) => {
        const lower = letter.toLowerCase();
        return lower === letter || lower.toUpperCase() === letter;
      })));

/** Longest first or last name, in code points, as the columns count. */
export const maxNameLength = 100;

/** Returns the canonical form of an e-mail address as typed. Undefined for any other text, such as a list of addresses (VM-57, VM-58). */
export const emailAddress = (typed: string): string | undefined => canonicalMailAddress(canonicalUsername(typed));

/**
 * Does the same as `emailAddress` for a new account or the new address of one. Also undefined for an address that looks like another one.
 */
export function newEmailAddress(typed: string): string | undefined {
  const address = emailAddress(typed);
  return address === undefined || looksLikeAnother(address) ? undefined : address;
}

/** Returns why a text is refused as a new address. */
export const addressFault = (typed: string) =>
  emailAddress(typed) === undefined ? 'not-an-address' : 'looks-like-another';

/** Returns a first or last name as typed, without blanks around it. Undefined if it is not one plain line, or too long. */
export function personName(typed: string): string | undefined {
  const name = typed.trim();
  return [...name].length <= maxNameLength && isPlainLine(name) ? name : undefined;
}
