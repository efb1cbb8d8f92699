import { includesSecondFactor } from '../../core/access/factor.ts';
import type { AuthenticationMethod } from '../../core/sessions/store.ts';
import type { Account } from '../../core/users/account.ts';
import { isMailAddress } from '../../ground/text/mail-address.ts';

/** The claims that each scope gives an application (OpenID Connect Core 5.4). */
export const claimsOfScopes = {
  openid: ['sub', 'acr', 'amr', 'auth_time'],
  profile: ['name', 'given_name', 'family_name', 'preferred_username', 'locale'],
  email: ['email', 'email_verified'],
  groups: ['groups'],
} as const;

/** Values of the claim `acr`. `one`: the user proved one factor, such as a password, or a login at another provider. `two`: two factors. */
export const acrValues = { one: 'urn:janua:1fa', two: 'urn:janua:2fa' } as const;

export const acrOf = (methods: readonly AuthenticationMethod[]): string =>
  includesSecondFactor(methods) ? acrValues.two : acrValues.one;

/** Returns all claims about an account. The provider leaves out claims that were not granted. */
export const claimsOf = (subject: string, { user, isAddressVerified = false }: Account) => ({
  sub: subject,
  name: `${user.firstName} ${user.lastName}`.trim() || user.username,
  given_name: user.firstName || undefined,
  family_name: user.lastName || undefined,
  preferred_username: user.username,
  locale: user.language,
  // A user name is a mail address, except in a team's own table of users, where it may be any text.
  ...(isMailAddress(user.username) && { email: user.username, email_verified: isAddressVerified }),
  groups: user.groups,
});
