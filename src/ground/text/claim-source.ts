import { isPlainLine } from './printable.ts';

const pattern = /^[a-z][a-z0-9_:./-]{0,127}$/;

/** Tells whether a text may name a claim, whatever the claim means. */
export const isClaimName = (name: string): boolean => pattern.test(name);

export type Source =
  | { readonly kind: 'address' | 'handle' | 'id' | 'name' }
  /** @property names the names for the application, by groups. Undefined: all groups, with their own names */
  | { readonly kind: 'groups'; readonly names: ReadonlyMap<string, string> | undefined }
  | { readonly kind: 'claim'; readonly name: string }
  | { readonly kind: 'constant'; readonly text: string };

const plainSources = ['address', 'handle', 'id', 'name'] as const;

/** Reads a source such as `claim:department`. Undefined for a text that is no source. */
export function parseSource(text: string): Source | undefined {
  if (!isPlainLine(text)) return undefined;
  const plain = plainSources.find((kind) => kind === text);
  if (plain !== undefined) return { kind: plain };
  if (text === 'groups') return { kind: 'groups', names: undefined };
  const [, kind, rest = ''] = /^(groups|claim|constant):(.+)$/s.exec(text) ?? [];
  if (kind === 'claim') return isClaimName(rest) ? { kind, name: rest } : undefined;
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

const grants: readonly Source['kind'][] = ['groups', 'constant'];

/**
 * The sources of claims by which applications tell users apart, or give them rights. Whoever may change a group sets custom claims of its
 * users, so that these come from no custom claim.
 */
const allowedSources: ReadonlyMap<string, readonly Source['kind'][]> = new Map([
  ['email', ['address']],
  ['preferred_username', ['address', 'handle', 'id']],
  ['groups', grants],
  ['roles', grants],
  ['entitlements', grants],
]);

/** Tells whether a claim may come from a source. */
export const mayComeFrom = (claim: string, source: Source): boolean =>
  allowedSources.get(claim)?.includes(source.kind) !== false;
