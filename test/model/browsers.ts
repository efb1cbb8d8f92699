import type { BrowserOwner, ModelClient, ModelUser } from './model.ts';

/** Name and stored password. Known browsers and failures are for these only. */
export const fingerprintOf = ({ username, hashVersion }: Pick<ModelUser, 'username' | 'hashVersion'>) =>
  `${username}|${hashVersion}`;

/** The most accounts that a browser remembers. Later ones replace the oldest. */
const browserOwners = 4;

export function rememberBrowser(client: ModelClient, browserCookie: string | undefined, owner: BrowserOwner): void {
  const others = client.browserOf.filter((other) => !isSameOwner(other, owner));
  Object.assign(client, { browserCookie, browserOf: [owner, ...others].slice(0, browserOwners) });
}

export const isSameOwner = (one: BrowserOwner, other: BrowserOwner) =>
  one.userId === other.userId && one.fingerprint === other.fingerprint;
