import { createSecret, hashSecret, isSame } from '../../../core/sessions/credential.ts';
import { ChangeRefused } from '../../../core/users/change-refused.ts';

/** A secret of a client. Several may be valid at a time, so that each deployment can change its own without a failed request. */
export interface ClientSecret {
  /** Unique among the secrets of the client. */
  readonly name: string;
  /** The hash that `hashSecret` returns. */
  readonly hash: string;
  /** Milliseconds since 1970, as are all times here. */
  readonly createdAt: number;
  /** Undefined: it does not expire. */
  readonly expiresAt?: number;
  /** Undefined until it is used. Exact to a minute. */
  readonly lastUsedAt?: number;
}

export interface NewSecret {
  readonly name: string;
  /** Days until it expires, at most `longestDays`. Undefined: it does not expire. */
  readonly days?: number | undefined;
}

/** Two years. */
export const longestDays = 730;

const dayMilliseconds = 86_400_000;

/** The name of the secret that a client gets when it is added. */
export const firstSecret = 'first';

/** Most secrets of one client. */
export const mostSecrets = 5;

/** The shortest time between two writes of the last use, in milliseconds. */
const noteMilliseconds = 60_000;

/** @param time milliseconds since 1970 */
export const isLiving = ({ expiresAt }: ClientSecret, time: number): boolean =>
  expiresAt === undefined || expiresAt > time;

/** Creates a secret. Its text cannot be read again. */
export function createClientSecret({ name, days }: NewSecret, time: number) {
  const text = createSecret();
  const secret: ClientSecret = {
    ...{ name, hash: hashSecret(text), createdAt: time },
    ...(days !== undefined && { expiresAt: time + days * dayMilliseconds }),
  };
  return { text, secret };
}

/** Characters of a secret that an operator chooses. Its hash has no salt and is quick to compute, so the secret itself must be random. */
const leastLength = 32;

/** Different characters of such a secret. A random one has more of them. */
const leastDifferent = 10;

/** Refuses a secret that could be guessed from its hash, and one that HTTP cannot carry. @throws {ChangeRefused} */
export function requireStrongSecret(text: string): void {
  if (/^[!-~]{32,512}$/.test(text) && new Set(text).size >= leastDifferent) return;
  throw new ChangeRefused(
    `A secret must have ${leastLength} to 512 characters of ASCII without blanks, of which ${leastDifferent} differ. To make one: openssl rand -hex 32`,
  );
}

/** Returns the stored form of a secret that the operator has chosen. */
export const givenSecret = (text: string, name: string, time: number): ClientSecret => ({
  name,
  hash: hashSecret(text),
  createdAt: time,
});

/** Adds a secret to those of a client. Expired ones make room. @throws {ChangeRefused} if the name is taken, or the client has five */
export function withSecret(present: readonly ClientSecret[], added: ClientSecret): readonly ClientSecret[] {
  const kept = present.filter((secret) => isLiving(secret, added.createdAt));
  if (kept.some(({ name }) => name === added.name))
    throw new ChangeRefused(`The client has a secret with the name ${added.name} already.`);
  if (kept.length >= mostSecrets)
    throw new ChangeRefused(`The client has ${mostSecrets} secrets already: remove one that is not needed.`);
  return [...kept, added];
}

/** @throws {ChangeRefused} if the client has no secret with this name */
export function withoutSecret(present: readonly ClientSecret[], name: string): readonly ClientSecret[] {
  const kept = present.filter((one) => one.name !== name);
  if (kept.length === present.length) throw new ChangeRefused('The client has no secret with that name.');
  return kept;
}

/** Finds the secret that a client has sent. Compares all of them, so that the time does not depend on their order. */
export function findSent(present: readonly ClientSecret[], sent: string): ClientSecret | undefined {
  const hash = hashSecret(sent);
  return present.filter((secret) => isSame(hash, secret.hash))[0];
}

/** Notes a use. Undefined if a use was noted in the last minute. */
export function withUse(
  present: readonly ClientSecret[],
  { name, time }: { readonly name: string; readonly time: number },
): readonly ClientSecret[] | undefined {
  const used = present.find((one) => one.name === name);
  if (used === undefined || time - (used.lastUsedAt ?? 0) < noteMilliseconds) return undefined;
  return present.map((one) => (one === used ? { ...used, lastUsedAt: time } : one));
}

/** Reads the stored list. NULL for a public client, which has none. */
export const readSecrets = (stored: string | null): readonly ClientSecret[] | undefined =>
  stored === null ? undefined : JSON.parse(stored);
