import type { SignedIn } from '../../../core/access/access.ts';
import { InvalidFields } from '../../../core/access/refusal.ts';
import { holds } from '../../../core/access/rights.ts';
import { type Account, rightsOfAccount } from '../../../core/users/account.ts';
import type { Claims } from '../../../core/users/claim-rules.ts';
import type { NoValue } from '../../../core/users/claim-values.ts';
import { canonicalUsername, type User } from '../../../core/users/user.ts';
import type { UserDirectory } from '../../../core/users/user-directory.ts';
import { type ClientClaim, type FindClaims, findTableClaims, type Place, valuesAt, withTable } from '../claim-table.ts';
import { claimsOf } from '../claims.ts';
import type { Client } from './clients.ts';
import { mayUse } from './library-client.ts';

/** What a client would learn of a user. */
export interface ClaimPreview {
  readonly user_id: string;
  readonly username: string;
  /** Whether the user may sign in to the client. */
  readonly may_use: boolean;
  readonly places: Readonly<Record<Place, Claims>>;
  /** The claims of the table that have no value, or are empty. */
  readonly empty: readonly { readonly claim: string; readonly reason: NoValue }[];
}

export interface PreviewParts {
  readonly users: Pick<UserDirectory, 'findById' | 'findByUsername'>;
  readonly claims: { readonly find: FindClaims };
  readonly findSubject: (user: Pick<User, 'id'>) => Promise<string | undefined>;
}

/**
 * Shows what a client would learn of a user by a table, whether or not the table is stored. It reveals data of the user, so the administrator
 * must be able to read users, and hold the rights of this one.
 * @param named the id or the user name
 * @throws {InvalidFields} the same for a user whom there is not
 */
export async function previewClaims(
  { users, claims, findSubject }: PreviewParts,
  signedIn: SignedIn,
  client: Pick<Client, 'id' | 'groups'>,
  table: readonly ClientClaim[],
  named: string,
): Promise<ClaimPreview> {
  const account = (await users.findById(named)) ?? (await users.findByUsername(canonicalUsername(named)));
  if (account === undefined || !maySee(signedIn, account))
    throw new InvalidFields({ field: 'preview', code: 'unknown-user' });
  const subject = await findSubject(account.user);
  const found = await findTableClaims(table, account, subject, claims.find);
  const { sub: _, ...ofScopes } = claimsOf('', account);
  // A stored value that is undefined is left out of a token.
  const ofAllScopes = JSON.parse(JSON.stringify(ofScopes)) as Claims;
  const sub = subject === undefined ? {} : { sub: subject };
  const whole = (place: Place) => ({ ...sub, ...withTable(ofAllScopes, table, valuesAt(found, place)) }) as Claims;
  return {
    user_id: account.user.id,
    username: account.user.username,
    may_use: !account.disabled && mayUse({ clientId: client.id, groups: client.groups }, account.user),
    places: {
      id_token: whole('id_token'),
      userinfo: whole('userinfo'),
      access_token: { ...sub, ...valuesAt(found, 'access_token') },
      introspection: { ...sub, ...valuesAt(found, 'introspection') },
    },
    empty: found.flatMap(({ claim, reason }) => (reason === undefined ? [] : [{ claim, reason }])),
  };
}

const maySee = (signedIn: SignedIn, account: Account): boolean =>
  (signedIn.machine ?? signedIn).scopes.includes('users:read') && holds(signedIn, rightsOfAccount(account));
