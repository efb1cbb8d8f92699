import type { Account } from '../../core/users/account.ts';
import type { Claims, ClaimValue } from '../../core/users/claim-rules.ts';
import type { User } from '../../core/users/user.ts';
import { isMailAddress } from '../../ground/text/mail-address.ts';

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

export type Source =
  | { readonly kind: 'address' | 'handle' | 'id' | 'name' }
  /** @property names the names for the application, by groups. Undefined: all groups, with their own names */
  | { readonly kind: 'groups'; readonly names: ReadonlyMap<string, string> | undefined }
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'constant'; readonly text: string };

const plainSources = ['address', 'handle', 'id', 'name'] as const;

/** Undefined for a text that is no source. */
export function parseSource(text: string): Source | undefined {
  const plain = plainSources.find((kind) => kind === text);
  if (plain !== undefined) return { kind: plain };
  if (text === 'groups') return { kind: 'groups', names: undefined };
  const [, kind, rest = ''] = /^(groups|claim|constant):(.+)$/s.exec(text) ?? [];
  if (kind === 'claim') return { kind, name: rest };
  if (kind === 'constant') return { kind, text: rest };
  const names = kind === 'groups' ? parseNames(rest) : undefined;
  return names && { kind: 'groups', names };
}

function parseNames(text: string): ReadonlyMap<string, string> | undefined {
  const pairs = text
    .split(',')
    .map((entry) => /^\s*([a-z0-9][a-z0-9-]{0,62})(?:=([!-+\--<>-~]{1,100}))?\s*$/.exec(entry));
  const names = pairs.flatMap((pair) => (pair?.[1] === undefined ? [] : [[pair[1], pair[2] ?? pair[1]] as const]));
  return names.length === pairs.length ? new Map(names) : undefined;
}

/** The reason why a user has no value for a claim. */
export type NoValue = 'no-address' | 'not-verified' | 'no-handle' | 'no-custom-claim' | 'no-group' | 'no-subject';

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

export interface FoundClaim extends ClientClaim {
  /** Undefined: the claim is left out. */
  readonly value: ClaimValue | undefined;
  /** Undefined if there is a value that is not empty. */
  readonly reason: NoValue | undefined;
}

export type FindClaims = (user: Pick<User, 'id' | 'groups'>) => Promise<Claims>;

type Found = Pick<FoundClaim, 'value' | 'reason'>;

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
    source === undefined ? [] : [{ ...row, ...findValue(row.claim, source, account, subject, custom) }],
  );
}

function findValue(
  claim: string,
  source: Source,
  { user, isAddressVerified = false }: Pick<Account, 'user' | 'isAddressVerified'>,
  subject: string | undefined,
  custom: Claims,
): Found {
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

const has = (value: ClaimValue): Found => ({ value, reason: undefined });

const orReason = (value: ClaimValue | undefined, reason: NoValue): Found =>
  value === undefined ? { value, reason } : has(value);

/** A user name of a team's own table that is no address is the handle already. */
const handleOf = ({ handle, username }: User) => handle ?? (username.includes('@') ? undefined : username);

/**
 * Only the user name may be an address that nothing proves, as in the scope `profile`. By any other claim, an application would take the
 * user for the owner of the address, because `email_verified` tells about `email` alone.
 */
function findAddress(claim: string, username: string, isVerified: boolean): Found {
  if (claim === 'preferred_username') return has(username);
  if (!isMailAddress(username)) return { value: undefined, reason: 'no-address' };
  return isVerified ? has(username) : { value: undefined, reason: 'not-verified' };
}

function findGroups(held: readonly string[], names: ReadonlyMap<string, string> | undefined): Found {
  const value = names === undefined ? held : [...new Set(held.flatMap((group) => names.get(group) ?? []))].sort();
  return { value, reason: value.length === 0 ? 'no-group' : undefined };
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
