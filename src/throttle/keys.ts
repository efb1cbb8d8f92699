import type { KeyTrace } from '../audit/event.ts';
import { type Policy, policies } from './policy.ts';
import type { PolicedKey } from './store.ts';
import type { Attempt, AttemptedAccount } from './throttle.ts';

/** One of the keys that an attempt is counted by. */
export interface AttemptKey extends PolicedKey {
  readonly kind: KeyTrace['kind'];
}

/** Stands for the address of all who have none that could be told. */
const unknownAddress = 'unknown';

/**
 * The keys of an attempt. A browser in which the account has signed in before is counted by itself: what strangers do to the account,
 * or to the address that they share with its owner, does not concern it.
 */
export function keysOf(attempt: Attempt): readonly AttemptKey[] {
  const { account, knownBrowser } = attempt;
  if (account === undefined) return strangersKeys(attempt);
  return knownBrowser === undefined ? strangersKeys(attempt) : [browserKey(knownBrowser, account)];
}

/** The keys of an attempt in a browser that is not known. */
export function strangersKeys({ account, nameDigest, address = unknownAddress }: Attempt): readonly AttemptKey[] {
  const name = { kind: 'name', key: `name:${nameDigest}` } as const;
  const others = [
    { kind: 'address', key: `address:${address}`, policy: addressPolicy(address) },
    { kind: 'pair', key: `pair:${nameDigest}:${address}`, policy: policies.pair },
  ] as const;
  if (account === undefined) return [{ ...name, policy: policies.unknownName }, ...others];
  const { id, fingerprint } = account;
  const own = { kind: 'account', key: `account:${id}:${fingerprint}`, policy: policies.account } as const;
  return [own, { ...name, policy: policies.name }, ...others];
}

const addressPolicy = (address: string): Policy =>
  address === unknownAddress ? policies.unknownAddress : policies.address;

const browserKey = (browser: string, { id, fingerprint }: AttemptedAccount): AttemptKey => ({
  kind: 'browser',
  key: `browser:${browser}:${id}:${fingerprint}`,
  policy: policies.browser,
});

/** What a key says of itself. */
export interface ParsedKey {
  readonly kind: KeyTrace['kind'];
  /** The stricter one, where it depends on the attempt. */
  readonly policy: Policy;
  readonly userId?: string;
  readonly passwordFingerprint?: string;
  readonly nameDigest?: string;
  readonly address?: string;
}

/** Undefined for what is no key. A user's id and an address may have colons in them, and nothing else. */
export function parseKey(key: string): ParsedKey | undefined {
  const [kind, ...parts] = key.split(':');
  const from = (start: number, end?: number) => parts.slice(start, end).join(':');
  const passwordFingerprint = parts.at(-1) ?? '';
  switch (kind) {
    case 'account':
      return { kind, policy: policies.account, userId: from(0, -1), passwordFingerprint };
    case 'browser':
      return { kind, policy: policies.browser, userId: from(1, -1), passwordFingerprint };
    case 'name':
      return { kind, policy: policies.unknownName, nameDigest: from(0) };
    case 'address':
      return { kind, policy: addressPolicy(from(0)), address: from(0) };
    case 'pair':
      return { kind, policy: policies.pair, nameDigest: from(0, 1), address: from(1) };
    default:
      return undefined;
  }
}
