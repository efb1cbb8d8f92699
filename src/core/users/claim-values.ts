import type { Source } from '../../ground/text/claim-source.ts';
import { isMailAddress } from '../../ground/text/mail-address.ts';
import type { Account } from './account.ts';
import type { Claims, ClaimValue } from './claim-rules.ts';
import type { User } from './user.ts';

/** The reason why a user has no value for a claim. */
export type NoValue = 'no-address' | 'not-verified' | 'no-handle' | 'no-custom-claim' | 'no-group' | 'no-subject';

export interface FoundValue {
  /** Undefined: the claim is left out. */
  readonly value: ClaimValue | undefined;
  /** Undefined if there is a value that is not empty. */
  readonly reason: NoValue | undefined;
}

/**
 * Finds the value that a claim has for a user.
 * @param subject by which applications know the user. Undefined: it is made at the first sign-in
 * @param custom the custom claims of the user
 */
export function findClaimValue(
  claim: string,
  source: Source,
  { user, isAddressVerified = false }: Pick<Account, 'user' | 'isAddressVerified'>,
  subject: string | undefined,
  custom: Claims,
): FoundValue {
  switch (source.kind) {
    case 'address':
      return findAddress(claim, user.username, isAddressVerified);
    case 'handle':
      return orReason(handleOf(user), 'no-handle');
    case 'id':
      return orReason(subject, 'no-subject');
    case 'name':
      return has(`${user.firstName} ${user.lastName}`.trim() || user.username);
    case 'groups':
      return findGroups(user.groups, source.names);
    case 'claim':
      return orReason(Object.hasOwn(custom, source.name) ? custom[source.name] : undefined, 'no-custom-claim');
    case 'constant':
      return has(source.text);
  }
}

const has = (value: ClaimValue): FoundValue => ({ value, reason: undefined });

const orReason = (value: ClaimValue | undefined, reason: NoValue): FoundValue =>
  value === undefined ? { value, reason } : has(value);

/** A user name of a team's own table that is no address is the handle already. */
const handleOf = ({ handle, username }: User) => handle ?? (username.includes('@') ? undefined : username);

/**
 * Only the user name may be an address that nothing proves, as in the scope `profile`. By any other claim, an application would take the
 * user for the owner of the address, because `email_verified` tells about `email` alone.
 */
function findAddress(claim: string, username: string, isVerified: boolean): FoundValue {
  if (claim === 'preferred_username') return has(username);
  if (!isMailAddress(username)) return { value: undefined, reason: 'no-address' };
  return isVerified ? has(username) : { value: undefined, reason: 'not-verified' };
}

function findGroups(held: readonly string[], names: ReadonlyMap<string, string> | undefined): FoundValue {
  const value = names === undefined ? held : [...new Set(held.flatMap((group) => names.get(group) ?? []))].sort();
  return { value, reason: value.length === 0 ? 'no-group' : undefined };
}
