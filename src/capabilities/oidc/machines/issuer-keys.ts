import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { GuardedFetch } from '../clients/guarded-fetch.ts';
import { mayHaveSigned, readKeys, type UsableKey } from './workload-keys.ts';

/** Thrown if an issuer does not give its keys. The message is for operators. */
export class NoKeys extends Error {
  override readonly name = 'NoKeys';
}

interface KnownIssuer {
  readonly keys: readonly UsableKey[];
  readonly failure?: unknown;
  /** When the keys were fetched, and when the issuer was asked last, in milliseconds since 1970. */
  readonly fetchedAt: number;
  readonly triedAt: number;
}

/** Milliseconds for which the keys of an issuer count. A key that it has taken back is trusted no longer than that. */
export const keysMilliseconds = 3_600_000;

/**
 * Least milliseconds between two fetches from an issuer. A stranger who sends unknown key ids, or an issuer that fails, causes no more: two
 * requests, because a document names the address of the keys.
 */
export const leastBetweenFetches = 30_000;

/** Characters of the longest address of keys. A URL parser takes quadratic time for a long host. */
const longestUri = 255;

/** Most issuers whose keys are remembered. Only an administrator can add one. */
const mostIssuers = 1000;

export type FindIssuerKeys = ReturnType<typeof createIssuerKeys>;

/** Finds the keys that other issuers publish (OpenID Connect Discovery 4.2). @param now milliseconds since 1970 */
export function createIssuerKeys(fetch: GuardedFetch, now: () => number) {
  const known = new Map<string, KnownIssuer>();
  const running = new Map<string, Promise<void>>();

  /** @throws {NoKeys} {Unavailable} */
  async function read(address: string): Promise<unknown> {
    const response = await fetch(address, undefined, { party: `issuer ${new URL(address).host}` });
    if (response.status !== 200) throw new NoKeys(`${address} answers with the status ${response.status}`);
    return response.json();
  }

  async function load(issuer: string): Promise<readonly UsableKey[]> {
    const document = Object(await read(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`));
    if (document.issuer !== issuer) throw new NoKeys(`the document of ${issuer} names another issuer`);
    if (typeof document.jwks_uri !== 'string' || document.jwks_uri.length > longestUri)
      throw new NoKeys(`the document of ${issuer} names no jwks_uri`);
    const keys = readKeys(await read(document.jwks_uri));
    if (keys.length === 0) throw new NoKeys(`${issuer} publishes no key of a kind that Janua can use`);
    return keys;
  }

  /** Never fails: requests that wait for it find its result, or its failure, in `known`. */
  async function refresh(issuer: string): Promise<void> {
    const triedAt = now();
    // The keys from before count for the rest of their hour: a stranger may have caused this fetch by an unknown key id.
    const { keys: former = [], fetchedAt = 0 } = known.get(issuer) ?? {};
    const result = await load(issuer).then(
      (keys): KnownIssuer => ({ keys, fetchedAt: triedAt, triedAt }),
      (failure: unknown): KnownIssuer => ({ keys: former, fetchedAt, triedAt, failure }),
    );
    known.delete(issuer);
    known.set(issuer, result);
    running.delete(issuer);
    for (const oldest of [...known.keys()].slice(0, Math.max(0, known.size - mostIssuers))) known.delete(oldest);
  }

  const findFresh = (issuer: string) => {
    const found = known.get(issuer);
    return found !== undefined && now() < found.fetchedAt + keysMilliseconds ? found.keys : [];
  };

  /**
   * Returns the keys of an issuer. They are fetched anew if none of them has the id, at most every 30 seconds and once for all requests.
   * @throws {NoKeys} if they could not be fetched @throws {Unavailable} if no connection was free
   */
  return async (issuer: string, kid: unknown): Promise<readonly UsableKey[]> => {
    const present = findFresh(issuer);
    if (present.some((key) => mayHaveSigned(key, kid))) return present;
    if (!running.has(issuer) && now() >= (known.get(issuer)?.triedAt ?? 0) + leastBetweenFetches)
      running.set(issuer, refresh(issuer));
    await running.get(issuer);
    const found = findFresh(issuer);
    if (found.length > 0) return found;
    const failure = known.get(issuer)?.failure;
    if (failure instanceof Unavailable || failure instanceof NoKeys) throw failure;
    throw new NoKeys(
      `the keys of ${issuer} cannot be fetched: ${failure instanceof Error ? failure.message : 'no answer'}`,
    );
  };
}
