/** The built-in group. It grants all of Janua's own scopes. */
export const admins = 'admins';

/** Janua's own scopes (RFC 6749 3.3), with their meaning for the OpenAPI document. */
export const ownScopes = {
  'users:read': 'See users and groups',
  'users:write': 'Change users and groups',
  'audit:read': 'See the overview and the audit',
  'sessions:write': 'End sessions, and lift the waits of the throttle',
  'clients:write': 'Change clients and resources',
  'settings:read': 'See mail and settings, and send mails again',
} as const;

/** Stands for programs in `FORWARD_AUTH_RULES`, where names of groups stand otherwise. So no new group has this name. */
export const machines = 'machines';

/**
 * Stands for tokens in the password of HTTP Basic, in the same place. A token is made for one host, and its user must be in a group of the
 * rule. No new group has this name either.
 */
export const basic = 'basic';

/** The names that mean something else in `FORWARD_AUTH_RULES`. */
export const wordsOfRules: readonly string[] = [machines, basic];

export const groupPattern = /^[a-z0-9][a-z0-9-]{0,62}$/;

export interface Rights {
  readonly groups: readonly string[];
  /** The scopes that the groups grant together. */
  readonly scopes: readonly string[];
  /** Of a user: the client id of the program that added the user, or null. Null for a client. Undefined for rights that are to be given. */
  readonly addedBy?: string | null;
  /** Of a client: whether it asks users for no consent, or demands less of requests than usual. No program may change such a client. */
  readonly isTrusted?: boolean;
}

/** Throws unless the administrator who acts holds all these rights. They are those that the changed user or group has, or would get. */
export type RequireRights = (...changed: readonly Rights[]) => void;

/** Tells whether a user with these rights may give others the rights. A member of `admins` may give all. */
export const covers = (own: Rights, given: Rights): boolean =>
  own.groups.includes(admins) ||
  (given.groups.every((group) => own.groups.includes(group)) &&
    given.scopes.every((scope) => own.scopes.includes(scope)));

/** One object for all users without groups. Most users have none. */
const nothing: Rights = { groups: [], scopes: [] };

/** Reads a stored list of names, which are separated by spaces. */
export const readNames = (text: string | null | undefined): string[] => (text ? text.split(' ').filter(Boolean) : []);

/**
 * Returns the rights of a user, from the stored lists of groups and of the scopes that they grant. Janua's own scopes are not stored,
 * because a later version may have more of them.
 * @param isListed whether `ADMINISTRATORS` makes the user an administrator
 */
export function rightsOf(names: readonly string[], granted: readonly string[], isListed = false): Rights {
  if (names.length === 0 && !isListed) return nothing;
  const groups = [...new Set([...names, ...(isListed ? [admins] : [])])];
  return { groups, scopes: groups.includes(admins) ? [...new Set([...Object.keys(ownScopes), ...granted])] : granted };
}
