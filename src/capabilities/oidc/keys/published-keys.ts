import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { GuardedFetch } from '../clients/guarded-fetch.ts';
import { mayHaveSigned, readKeys, type UsableKey } from './foreign-keys.ts';

/** Thrown if the keys of an issuer or client cannot be had. The message is for operators. */
export class NoKeys extends Error {
  override readonly name = 'NoKeys';
}

interface KnownKeys {
  readonly keys: readonly UsableKey[];
  readonly failure?: unknown;
  /** When the keys were fetched, and when they were asked for last, in milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly triedAt: number;
}

/** Milliseconds for which fetched keys count. A key that its owner has taken back is trusted no longer than that. */
export const keysMilliseconds = 3_600_000;

/**
 * Least milliseconds between two fetches of one key set. A stranger who sends unknown key ids, or a host that fails, causes no more.
 */
export const leastBetweenFetches = 30_000;

/** Characters of the longest address of keys. A URL parser takes quadratic time for a long host. */
const longestUri = 255;

/** Most key sets that are remembered. Only an administrator can name one. */
const mostSets = 1000;

/** Finds the keys of an issuer, or those at an address, of which one may have the key id. @throws {NoKeys} {Unavailable} */
export type FindPublishedKeys = (name: string, kid: unknown) => Promise<readonly UsableKey[]>;

/** Remembers published keys by the name of their owner. @param load fetches them @param now milliseconds since 1970 */
function createPublishedKeys(
  load: (name: string) => Promise<readonly UsableKey[]>,
  now: () => number,
): FindPublishedKeys {
  const known = new Map<string, KnownKeys>();
  const running = new Map<string, Promise<void>>();

  /** Never fails: requests that wait for it find its result, or its failure, in `known`. */
  async function refresh(name: string): Promise<void> {
    const triedAt = now();
    // The keys from before count for the rest of their hour: a stranger may have caused this fetch by an unknown key id.
    const { keys: former = [], fetchedAt = 0 } = known.get(name) ?? {};
    const result = await load(name).then(
      (keys): KnownKeys => ({ keys, fetchedAt: triedAt, triedAt }),
      (failure: unknown): KnownKeys => ({ keys: former, fetchedAt, triedAt, failure }),
    );
    known.delete(name);
    known.set(name, result);
    running.delete(name);
    for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size - mostSets))) known.delete(oldest);
  }

  const findFresh = (name: string) => {
    const found = known.get(name);
    return found !== undefined && now() < found.fetchedAt + keysMilliseconds ? found.keys : [];
  };

  // Keys are fetched anew if none of them has the id, at most every 30 seconds and once for all requests.
  return async (name, kid) => {
    const present = findFresh(name);
    if (present.some((key) => mayHaveSigned(key, kid))) return present;
    if (!running.has(name) && now() >= (known.get(name)?.triedAt ?? 0) + leastBetweenFetches)
      running.set(name, refresh(name));
    await running.get(name);
    const found = findFresh(name);
    if (found.length > 0) return found;
    const failure = known.get(name)?.failure;
    if (failure instanceof Unavailable || failure instanceof NoKeys) throw failure;
    throw new NoKeys(
      `the keys of ${name} cannot be fetched: ${failure instanceof Error ? failure.message : 'no answer'}`,
    );
  };
}

/** @throws {NoKeys} {Unavailable} */
async function read(fetch: GuardedFetch, address: string): Promise<unknown> {
  const response = await fetch(address, undefined, { party: `keys of ${new URL(address).host}` });
  if (response.status !== 200) throw new NoKeys(`${address} answers with the status ${response.status}`);
  return response.json();
}

/** Finds the keys that clients publish (`jwks_uri`, RFC 7591 2). @param now milliseconds since 1970 */
export const createKeysAt = (fetch: GuardedFetch, now: () => number): FindPublishedKeys =>
  createPublishedKeys(async (address) => {
    const keys = readKeys(await read(fetch, address));
    if (keys.length === 0) throw new NoKeys(`${address} has no key of a kind that Janua can use`);
    return keys;
  }, now);

/** Finds the keys that other issuers publish (OpenID Connect Discovery 4.2). @param now milliseconds since 1970 */
export const createIssuerKeys = (fetch: GuardedFetch, now: () => number): FindPublishedKeys =>
  createPublishedKeys(async (issuer) => {
    const document = Object(await read(fetch, `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`));
    if (document.issuer !== issuer) throw new NoKeys(`the document of ${issuer} names another issuer`);
    if (typeof document.jwks_uri !== 'string' || document.jwks_uri.length > longestUri)
      throw new NoKeys(`the document of ${issuer} names no jwks_uri`);
    const keys = readKeys(await read(fetch, document.jwks_uri));
    if (keys.length === 0) throw new NoKeys(`${issuer} publishes no key of a kind that Janua can use`);
    return keys;
  }, now);
