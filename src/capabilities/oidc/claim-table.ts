import type { Account } from '../../core/users/account.ts';
import type { Claims } from '../../core/users/claim-rules.ts';
import { type FoundValue, findClaimValue, type NoValue } from '../../core/users/claim-values.ts';
import type { User } from '../../core/users/user.ts';
import { parseSource } from '../../ground/text/claim-source.ts';

/** The tokens and responses that a claim may be in. */
export const places = ['id_token', 'userinfo', 'access_token', 'introspection'] as const;

export type Place = (typeof places)[number];

/** A row of the table of claims of a client. */
export interface ClientClaim {
  readonly claim: string;
  /**
   * `address`, `handle`, `id` (the `sub`), `name`, `groups`, `claim:NAME` for a custom claim, or `constant:TEXT`. `groups:staff,editors=writers`
   * stands for these groups alone, where `writers` is another name for `editors`.
   */
  readonly source: string;
  readonly in: readonly Place[];
}

/** The places of a claim, unless its row says otherwise. */
export const usualPlaces: readonly Place[] = ['id_token', 'userinfo'];

const reasonWords: Readonly<Record<NoValue, string>> = {
  'no-address': 'the user name is no address',
  'not-verified': 'the address is not verified',
  'no-handle': 'the user has no handle',
  'no-custom-claim': 'neither the user nor one of the groups has the custom claim',
  'no-group': 'the user is in none of the groups',
  'no-subject': 'the id is made at the first sign-in',
};

/** Says for the audit which claims have no value. Undefined if all have one. */
export const describeEmpty = (found: readonly FoundClaim[]): string | undefined =>
  found
    .flatMap(({ claim, reason }) => (reason === undefined ? [] : [`${claim} is empty: ${reasonWords[reason]}`]))
    .join('; ') || undefined;

export interface FoundClaim extends ClientClaim, FoundValue {}

export type FindClaims = (user: Pick<User, 'id' | 'groups'>) => Promise<Claims>;

/**
 * Finds what a table says about a user.
 * @param subject by which applications know the user. Undefined: it is made at the first sign-in
 */
export async function findTableClaims(
  table: readonly ClientClaim[],
  account: Pick<Account, 'user' | 'isAddressVerified'>,
  subject: string | undefined,
  findClaims: FindClaims,
): Promise<readonly FoundClaim[]> {
  const sources = table.map((row) => ({ row, source: parseSource(row.source) }));
  const hasCustom = sources.some(({ source }) => source?.kind === 'claim');
  const custom = hasCustom ? await findClaims(account.user) : {};
  return sources.flatMap(({ row, source }) =>
    source === undefined ? [] : [{ ...row, ...findClaimValue(row.claim, source, account, subject, custom) }],
  );
}

/** Returns the values for one place. */
export const valuesAt = (found: readonly FoundClaim[], place: Place): Claims =>
  Object.fromEntries(
    found.flatMap(({ claim, value, in: at }) => (value === undefined || !at.includes(place) ? [] : [[claim, value]])),
  );

/** Replaces claims of scopes by those of the table. A claim of the table is only where the table says. */
export function withTable<Given extends object>(
  given: Given,
  table: readonly ClientClaim[],
  values: Claims,
): Given | Readonly<Record<string, unknown>> {
  if (table.length === 0) return given;
  const own = new Set(table.map(({ claim }) => claim));
  return { ...Object.fromEntries(Object.entries(given).filter(([name]) => !own.has(name))), ...values };
}

/** Returns the table of a client of the library, which does not know the type of it. */
export const tableOf = ({ claims }: { readonly claims?: unknown } = {}): readonly ClientClaim[] =>
  Array.isArray(claims) ? claims : [];
