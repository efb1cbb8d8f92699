import { fingerprintOf, isSameOwner } from './browsers.ts';
import type { Failures, Model, ModelClient, ModelUser } from './model.ts';

/** The number of failures without a wait. The stop after a hundred is left out, because no sequence reaches it. */
const free = {
  ...{ account: 10, name: 10, browser: 10, pair: 8, address: 20 },
  ...{ 'factor-account': 10, 'factor-pair': 5, 'factor-address': 20 },
};

const firstWaitSeconds = 10;
const longestWaitSeconds = 15 * 60;

/** The time after which an address is forgiven one failure, in milliseconds. */
const forgivenIn = 3 * 60_000;

export type Key = Omit<Failures, 'count' | 'lastAt'> & { id?: string | undefined };

/** A browser has its own key if the account has signed in with it before, with the current password. */
export function keysOf(account: ModelUser | undefined, username: string, client: ModelClient): Key[] {
  const owner = account && { userId: account.id, fingerprint: fingerprintOf(account) };
  if (owner === undefined || !client.browserOf.some((other) => isSameOwner(other, owner)))
    return strangersKeys(account, username, client);
  return [{ kind: 'browser', ...owner, id: client.browserCookie?.[0] }];
}

export function strangersKeys(account: ModelUser | undefined, username: string, { address }: ModelClient): Key[] {
  const keys: Key[] = [
    { kind: 'name', username },
    { kind: 'address', address },
    { kind: 'pair', username, address },
  ];
  if (account === undefined) return keys;
  return [{ kind: 'account', userId: account.id, fingerprint: fingerprintOf(account) }, ...keys];
}

/** Codes of second factors. Strangers do not reach that step, so that known browsers are not told apart. */
export const factorKeysOf = (userId: string, { address }: ModelClient): Key[] => [
  { kind: 'factor-account', userId },
  { kind: 'factor-pair', userId, id: address },
  { kind: 'factor-address', address },
];

export function waitOf(model: Model, key: Key): number {
  const failures = model.failures.get(nameOf(key));
  if (failures === undefined || failures.count < free[key.kind]) return 0;
  const wait = Math.min(longestWaitSeconds, firstWaitSeconds * 2 ** (failures.count - free[key.kind]));
  return Math.max(0, Math.ceil(wait - (model.now - failures.lastAt) / 1000));
}

export interface Counted {
  before: Failures | undefined;
  after: Failures;
}

/** Counts an attempt as failed until it succeeds. */
export function count(model: Model, key: Key): Counted {
  const { id: _, ...whose } = key;
  const before = model.failures.get(nameOf(key));
  const after = { ...whose, count: (before?.count ?? 0) + 1, lastAt: model.now };
  if (before !== undefined && isAddress(key)) {
    const forgiven = Math.floor((model.now - before.lastAt) / forgivenIn);
    after.count = Math.max(0, before.count - forgiven) + 1;
    // The rest of the time is kept as long as the address does not have to wait.
    if (after.count > 1 && after.count < free.address) after.lastAt = before.lastAt + forgiven * forgivenIn;
  }
  model.failures.set(nameOf(key), after);
  return { before, after: { ...after } };
}

const isAddress = ({ kind }: Key) => kind === 'address' || kind === 'factor-address';

/** A success clears these keys, even those of strangers. An address only gets back the attempt itself. */
export function clear(model: Model, keys: readonly Key[]): void {
  for (const key of keys) if (!isAddress(key)) model.failures.delete(nameOf(key));
}

/** The attempts were not failures. */
export function takeBack(model: Model, counted: Map<Key, Counted>): void {
  for (const [key, { before, after }] of counted) {
    const current = model.failures.get(nameOf(key));
    if (current === undefined) continue;
    const isLatest = current.count === after.count && current.lastAt === after.lastAt;
    const left = isLatest ? before : { ...current, count: current.count - 1 };
    if (left === undefined || left.count === 0) model.failures.delete(nameOf(key));
    else model.failures.set(nameOf(key), left);
  }
}

/** Forgets wrong passwords. @param codes whether wrong codes too */
export function liftFailures(model: Model, { id, username }: Pick<ModelUser, 'id' | 'username'>, codes = false): void {
  for (const [key, { kind, userId, username: counted }] of model.failures)
    if ((codes || !kind.startsWith('factor-')) && (userId === id || counted === username)) model.failures.delete(key);
}

const nameOf = ({ kind, userId, fingerprint, username, address, id }: Key) =>
  [kind, userId, fingerprint, username, address, id].join('|');
