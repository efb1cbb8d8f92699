import type { Work } from '../../ground/faults/turns.ts';
import { endSiteOf, networkOf } from '../../ground/text/networks.ts';
import type { Audit } from '../audit/audit.ts';
import type { Caller, KeyTrace } from '../audit/event.ts';
import type { Policy } from '../throttle/backoff.ts';
import type { KeyRange } from '../throttle/store.ts';
import type { AttemptKey, Limits, ListedFailures, Throttle } from '../throttle/throttle.ts';
import { type Account, passwordFingerprint } from '../users/account.ts';

type KeyKind = KeyTrace['kind'];

export interface PasswordAttempt {
  /** Canonical address (IPv4, or an IPv6 /64), or undefined if it is not known. */
  readonly address: string | undefined;
  /** The network that an attacker may hold as a whole (IPv4 address, or an IPv6 /48), or undefined if it is not known. */
  readonly endSite: string | undefined;
  readonly nameDigest: string;
  /** The account of that name, if there is one. A new password changes the fingerprint: older failures no longer count. */
  readonly account: { readonly id: string; readonly fingerprint: string } | undefined;
  readonly knownBrowser: string | undefined;
}

export function attemptOf(
  name: string,
  account: Account | undefined,
  knownBrowser: string | undefined,
  { address }: Pick<Caller, 'address'>,
  { digestName }: Pick<Audit, 'digestName'>,
): PasswordAttempt {
  return {
    address: networkOf(address, 64),
    endSite: networkOf(address, 48),
    nameDigest: digestName(name),
    account: account && { id: account.user.id, fingerprint: passwordFingerprint(account) },
    knownBrowser,
  };
}

const monthSeconds = 30 * 24 * 60 * 60;
const waits = { firstWaitSeconds: 10, longestWaitSeconds: 15 * 60 };

/**
 * NIST SP 800-63B-4 3.2.2 allows at most 100 consecutive failures of an account. It names no time after which failures expire, so Janua
 * keeps them. Failures of an unknown name expire a month after the last one. Until then Janua throttles the name like an account, so that
 * no client can tell them apart.
 */
const account = { free: 10, ...waits, stopsAt: 100 } as const;

/** For an end site (see `PasswordAttempt`): the same burst and pace as for mails that it requests (`core/mail/limits.ts`). */
const endSite = { free: 100, ...waits, forgiveSeconds: 30, keepSeconds: monthSeconds } as const;

/**
 * The failures that each kind of key may have. The numbers depend on each other: a pair (a name and an address) has to wait before its
 * account, and the account before the network.
 */
export const policies = {
  account,
  unknownName: { ...account, keepSeconds: monthSeconds },
  /** The name of an account is never stopped. A new password ends a stop of the account, but would not end a stop of the name. */
  name: { free: 10, ...waits, keepSeconds: monthSeconds },
  browser: { ...account, keepSeconds: monthSeconds },
  pair: { free: 8, ...waits, keepSeconds: monthSeconds },
  /** A whole office may share one address. */
  address: { free: 20, ...waits, forgiveSeconds: 3 * 60, keepSeconds: monthSeconds },
  /** A /48 contains 65,536 /64s. A mobile network gives each of its users a /64. */
  'end-site': endSite,
  /** A new password does not lift this stop: three of the million codes of an app are right at any time (NIST SP 800-63B-4 3.2.2). */
  'factor-account': { free: 10, ...waits, stopsAt: 100 },
  'factor-pair': { free: 5, ...waits, keepSeconds: monthSeconds },
  'factor-address': { free: 20, ...waits, forgiveSeconds: 3 * 60, keepSeconds: monthSeconds },
  'factor-end-site': endSite,
  /** Wrong tokens by HTTP Basic. None counts for an account: tokens cannot be guessed, and a stranger must not lock a program out. */
  'token-pair': { free: 8, ...waits, keepSeconds: monthSeconds },
  'token-address': { free: 20, ...waits, forgiveSeconds: 3 * 60, keepSeconds: monthSeconds },
  'token-end-site': endSite,
  unknownAddress: { free: 5, ...waits, firstWaitSeconds: 30, keepSeconds: monthSeconds },
} as const satisfies Readonly<Record<string, Policy>>;

/**
 * Attempts that one process runs at once for each key of these kinds (`Work.places`). The numbers are below `free`, so that right passwords
 * don't make each other wait.
 */
export const atOnce = { address: 10, unknownAddress: 4, endSite: 20, account: 4, newPassword: 1 } as const;

const unknownAddress = 'unknown';

/**
 * Returns the keys under which a password attempt is counted. A known browser has a key of its own: failures of strangers, against the
 * account or from an address that they share with its owner, don't affect it. A success in a known browser clears the strangers' failures
 * against the account.
 */
export function limitsOf(attempt: PasswordAttempt): Limits<KeyKind> {
  const { address = unknownAddress, nameDigest, account, knownBrowser } = attempt;
  const addressKey = keyOf('address', address, addressPolicy(address));
  const networkKeys = [addressKey, ...endSitesOf(attempt).map((site) => keyOf('end-site', site))];
  const pairKey = keyOf('pair', `${nameDigest}:${address}`);
  if (account === undefined) {
    const nameKey = keyOf('name', nameDigest, policies.unknownName);
    return { keys: [nameKey, ...networkKeys, pairKey], ...turnsOf(attempt, nameKey.key) };
  }
  const owner = `${account.id}:${account.fingerprint}`;
  const ownKeys = [keyOf('account', owner), keyOf('name', nameDigest)];
  if (knownBrowser === undefined)
    return { keys: [...ownKeys, ...networkKeys, pairKey], ...turnsOf(attempt, `account:${account.id}`) };
  // The known browsers of an account share 64 keys, because an account may have any number of them.
  const browserKey = keyOf('browser', `${owner}:${knownBrowser.slice(0, 1)}`);
  const browsers = `browsers:${account.id}`;
  const { places } = turnsOf(attempt, browsers);
  // Turns are shared among parties (see `Work`). These are other parties than those of strangers at the same address, so the owner does not
  // queue behind strangers. The known browsers of one network form a party, because a network may have many accounts.
  const parties = [`browsers-at:${attempt.endSite ?? unknownAddress}`, browsers];
  return { keys: [browserKey], clears: [...ownKeys, pairKey], places, parties };
}

/**
 * Returns the work of hashing a new password. Passwords of one account are hashed one after the other: after the first change, the others
 * are usually no longer needed.
 * @param owner the canonical name of the account, which may be new
 */
export const workOfNewPassword = (owner: string, { address }: Pick<Caller, 'address'>): Work =>
  turnsOf(
    { address: networkOf(address, 64), endSite: networkOf(address, 48) },
    `new-password:${owner}`,
    atOnce.newPassword,
  );

/** Returns nothing for an unknown address, nor for an IPv4 address, which is its own end site. */
const endSitesOf = ({ address, endSite }: Pick<PasswordAttempt, 'address' | 'endSite'>): readonly string[] =>
  endSite === undefined || endSite === address ? [] : [endSite];

/**
 * Returns the places and the parties of an attempt (`Work`). Strangers share the turns by network, because an attacker can invent names but
 * not networks. Known browsers take room in the same places, because one user can have many browsers.
 * @param own the key of the account, of its known browsers, or of the unknown name
 */
function turnsOf(
  from: Pick<PasswordAttempt, 'address' | 'endSite'>,
  own: string,
  ownAtOnce: number = atOnce.account,
): Work {
  const { address } = from;
  const places = [
    ...endSitesOf(from).map((site) => ({ key: `end-site:${site}`, atOnce: atOnce.endSite })),
    address === undefined
      ? { key: `address:${unknownAddress}`, atOnce: atOnce.unknownAddress }
      : { key: `address:${address}`, atOnce: atOnce.address },
    { key: own, atOnce: ownAtOnce },
  ];
  return { places, parties: places.map(({ key }) => key) };
}

/**
 * Makes a key. A success does not clear the failures of an address or an end site. Otherwise attackers with an account would log in between
 * two guesses at other accounts.
 */
const keyOf = (kind: KeyKind, of: string, policy: Policy = policies[kind]): AttemptKey<KeyKind> => ({
  kind,
  key: `${kind}:${of}`,
  policy,
  onSuccess: /address$|end-site$/.test(kind) ? 'take-back' : 'clear',
});

const addressPolicy = (address: string): Policy =>
  address === unknownAddress ? policies.unknownAddress : policies.address;

/**
 * Returns the keys under which codes of second factors are counted. Only a client that knows the password gets as far as a code. So only
 * users of the same network can slow each other down, by the keys of the network. Without these keys, an attacker who knows many passwords
 * would try codes from each /64 of an end site.
 */
export function limitsOfFactor(userId: string, address: string | undefined): Limits<KeyKind> {
  const network = networkOf(address, 64) ?? unknownAddress;
  const endSites = endSitesOf({ address: network, endSite: networkOf(address, 48) });
  // Encoded, because an IPv6 address contains colons, and so do the ids of some users.
  const pair = `${userId}:${Buffer.from(network).toString('base64url')}`;
  const keys = [
    keyOf('factor-account', userId),
    keyOf('factor-pair', pair),
    keyOf('factor-address', network),
    ...endSites.map((site) => keyOf('factor-end-site', site)),
  ];
  const place = { key: `factor:${userId}`, atOnce: atOnce.account };
  // The network is a party besides the account. Otherwise an attacker with many accounts would get turns for each of them.
  const from = `factors-at:${endSiteOf(address)}`;
  return { keys, places: [place], parties: [from, place.key] };
}

/**
 * Returns the keys under which a wrong token for a host is counted (see `Throttle.take`). They are no keys of passwords: a program with an
 * old token must not keep its owner from the login.
 */
export function keysOfHostToken(nameDigest: string, { address }: Pick<Caller, 'address'>): AttemptKey<KeyKind>[] {
  const network = networkOf(address, 64) ?? unknownAddress;
  return [
    keyOf('token-pair', `${nameDigest}:${network}`),
    ...endSitesOf({ address: network, endSite: networkOf(address, 48) }).map((site) => keyOf('token-end-site', site)),
    keyOf('token-address', network),
  ];
}

interface ParsedKey {
  readonly kind: KeyKind;
  readonly policy: Policy;
  readonly userId?: string;
  /** The fingerprint when the failures were counted. If the user's fingerprint has changed since, the failures no longer count. */
  readonly passwordFingerprint?: string;
  readonly nameDigest?: string;
  /** The network of the attempts: an IPv4 address or an IPv6 /64. For an `end-site` key, the IPv6 /48. */
  readonly address?: string;
}

export type ListedKey = Omit<ParsedKey, 'policy'> & ListedFailures;

/** Lists the keys with failures, page by page. @throws {Unavailable} when the store cannot be reached */
export const listFailures = (throttle: Throttle, from?: string) => throttle.listPage(parseKey, from);

export type LiftedKeys =
  | {
      readonly userId: string | undefined;
      readonly nameDigest: string;
      /** Whether to forget wrong codes of second factors too. */
      readonly codes?: boolean | undefined;
    }
  | { readonly address: string }
  | 'all';

/** Forgets failures, and returns the number of keys. @throws {Unavailable} when the store cannot be reached */
export function liftFailures(throttle: Throttle, lifted: LiftedKeys): Promise<number> {
  return throttle.lift((key) => {
    if (lifted === 'all') return true;
    const parsed = parseKey(key);
    if (parsed === undefined) return false;
    if ('address' in lifted) return parsed.address === lifted.address;
    if (parsed.kind.startsWith('factor-') && !lifted.codes) return false;
    return parsed.nameDigest === lifted.nameDigest || (parsed.userId !== undefined && parsed.userId === lifted.userId);
  }, rangesOf(lifted));
}

const networkKinds = [
  'address',
  'end-site',
  'factor-address',
  'factor-end-site',
  'token-address',
  'token-end-site',
] as const;

/** Returns the ranges that contain the keys. A key begins with its user, because each password change searches for the user's keys. */
function rangesOf(lifted: LiftedKeys): readonly KeyRange[] | undefined {
  if (lifted === 'all') return undefined;
  const startsOf = (kinds: readonly KeyKind[], of: string) => kinds.map((kind) => ({ start: `${kind}:${of}` }));
  if ('address' in lifted) {
    const { address } = lifted;
    const pairs = ['pair:', 'token-pair:'].map((start) => ({ start, end: `:${address}` }));
    return [...startsOf(networkKinds, address), ...pairs];
  }
  const { userId, nameDigest } = lifted;
  return [
    ...startsOf(['name'], nameDigest),
    ...startsOf(['pair', 'token-pair'], `${nameDigest}:`),
    ...(userId === undefined
      ? []
      : [...startsOf(['factor-account'], userId), ...startsOf(['account', 'browser', 'factor-pair'], `${userId}:`)]),
  ];
}

/** The part of a key after its kind. Only user ids and addresses may contain colons. */
const keyShapes: Readonly<Record<KeyKind, RegExp>> = {
  account: /^(?<userId>.*):(?<passwordFingerprint>[^:]*)$/s,
  browser: /^(?<userId>.*):(?<passwordFingerprint>[^:]*):[^:]*$/s,
  name: /^(?<nameDigest>.*)$/s,
  address: /^(?<address>.*)$/s,
  'end-site': /^(?<address>.*)$/s,
  pair: /^(?<nameDigest>[^:]*):(?<address>.*)$/s,
  'factor-account': /^(?<userId>.*)$/s,
  'factor-pair': /^(?<userId>.*):[^:]*$/s,
  'factor-address': /^(?<address>.*)$/s,
  'factor-end-site': /^(?<address>.*)$/s,
  'token-pair': /^(?<nameDigest>[^:]*):(?<address>.*)$/s,
  'token-address': /^(?<address>.*)$/s,
  'token-end-site': /^(?<address>.*)$/s,
};

function parseKey(key: string): ParsedKey | undefined {
  const [, kind = '', of = ''] = /^([^:]*):(.*)$/s.exec(key) ?? [];
  if (!isKeyKind(kind)) return undefined;
  const groups = keyShapes[kind].exec(of)?.groups;
  // The policy of a name depends on whether the name had an account at the attempt. This is the stricter one.
  const policy = kind === 'name' ? policies.unknownName : kind === 'address' ? addressPolicy(of) : policies[kind];
  return groups && { kind, policy, ...groups };
}

const isKeyKind = (text: string): text is KeyKind => Object.hasOwn(keyShapes, text);
