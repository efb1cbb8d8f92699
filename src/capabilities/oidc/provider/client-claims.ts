import type { Account } from '../../../core/users/account.ts';
import type { Claims } from '../../../core/users/claim-rules.ts';
import { type ClientClaim, findTableClaims, type Place, places, tableOf, valuesAt, withTable } from '../claim-table.ts';
import { claimsOf } from '../claims.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import type { ProviderOptions } from './options.ts';
import { findAccountIn, subjectIn } from './requests.ts';

type ClaimOptions = Pick<ProviderOptions, 'findClaims' | 'findAccount' | 'subjectOf'>;

interface WithTable {
  /** The claims of the table, which the library passes on and does not select. */
  readonly [ofTable]?: { readonly table: readonly ClientClaim[]; readonly values: Claims };
}

const ofTable = Symbol('the claims of the table');

async function valuesFor(
  client: Pick<ProviderClient, 'claims'> | undefined,
  place: Place,
  subject: string,
  account: Account,
  { findClaims }: Pick<ProviderOptions, 'findClaims'>,
): Promise<Claims> {
  const rows = tableOf(client).filter((row) => row.in.includes(place));
  return rows.length === 0 ? {} : valuesAt(await findTableClaims(rows, account, subject, findClaims), place);
}

/** Returns all claims about an account for an ID token or the userinfo endpoint. @param use the place, as the library calls it */
export async function accountClaims(
  client: ProviderClient | undefined,
  use: string,
  subject: string,
  account: Account,
  options: ClaimOptions,
) {
  const claims = claimsOf(subject, account);
  const [table, place] = [tableOf(client), places.find((one) => one === use)];
  if (table.length === 0 || place === undefined) return claims;
  return { ...claims, [ofTable]: { table, values: await valuesFor(client, place, subject, account, options) } };
}

/** Adds the claims of the table to those that the library has selected. */
export function addTable(available: WithTable, selected: object): object {
  const own = available[ofTable];
  return own === undefined ? selected : withTable(selected, own.table, own.values);
}

/** Undefined account: the token of a program. */
interface UsersToken {
  readonly accountId?: string;
  readonly client?: ProviderClient | undefined;
}

/** Adds the claims of the table to a signed access token of a user. */
export async function addToSignedToken(
  ctx: object,
  { accountId, client }: UsersToken,
  { payload }: { readonly payload: object },
  options: ClaimOptions,
): Promise<void> {
  if (accountId === undefined || tableOf(client).length === 0) return;
  const account = await findAccountIn(ctx, accountId, options);
  if (account !== undefined)
    Object.assign(payload, await valuesFor(client, 'access_token', accountId, account, options));
}

export const introspectionClaims = async (
  client: Pick<ProviderClient, 'claims'> | undefined,
  account: Account,
  options: ClaimOptions,
): Promise<Claims> =>
  tableOf(client).length === 0
    ? {}
    : valuesFor(client, 'introspection', await subjectIn(account.user, options), account, options);
