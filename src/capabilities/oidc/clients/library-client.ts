import { readNames } from '../../../core/users/scopes.ts';
import type { User } from '../../../core/users/user.ts';
import { isNativeAddress, isPrivateUse, isWebAddress } from './uri-rules.ts';

/** A client as the provider knows it: added by an administrator, or described by its own metadata document. */
export interface ProviderClient {
  readonly clientId: string;
  readonly clientName?: string | undefined;
  readonly redirectUris?: readonly string[] | undefined;
  readonly own?: unknown;
  readonly groups?: unknown;
  readonly secondFactor?: unknown;
  readonly pkce?: unknown;
  readonly claims?: unknown;
  readonly picture?: unknown;
  /** The address of a resource that asks about its tokens. Undefined for an application. */
  readonly api?: unknown;
  readonly tokenEndpointAuthMethod?: string | undefined;
  readonly backchannelLogoutUri?: string | undefined;
}

export const codeGrant = 'authorization_code';
export const refreshGrant = 'refresh_token';
export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
export const exchangeGrant = 'urn:ietf:params:oauth:grant-type:token-exchange';

/** Characters of the longest client id that Janua stores. */
const longestId = 200;

/** Tells whether a metadata document describes the client: its id is then the address of the document. */
export const isDocumentClient = (clientId: string): boolean =>
  clientId.startsWith('https://') && clientId.length <= longestId;

/** Returns the display name. A client of a metadata document is shown by its host, because it chose its name itself. */
export const displayName = ({ clientId, clientName }: ProviderClient): string =>
  isDocumentClient(clientId) ? new URL(clientId).host : (clientName ?? clientId);

/** Names the client in an audit event. A client of a metadata document is named by its address alone, because it chose its name itself. */
export const aboutClient = ({ clientId, clientName }: Pick<ProviderClient, 'clientId' | 'clientName'>) => ({
  about: clientId,
  aboutName: isDocumentClient(clientId) ? undefined : clientName,
});

/**
 * Tells whether the client runs on machines of users: one of its addresses has a private-use scheme, or all are on loopback. A website
 * whose developers use a loopback address too does not count, so its grants end with the session.
 */
const runsOnUserMachines = ({ redirectUris = [], tokenEndpointAuthMethod }: ProviderClient): boolean =>
  tokenEndpointAuthMethod === 'none' &&
  redirectUris.length > 0 &&
  (redirectUris.some((address) => isPrivateUse(new URL(address))) || redirectUris.every(isNativeAddress));

/** Tells whether the application keeps its grant when the session ends. The page of the consent tells the user. */
export const outlivesSession = (client: ProviderClient, scopes: ReadonlySet<string>): boolean =>
  scopes.has('offline_access') || (!client.own && (runsOnUserMachines(client) || isDocumentClient(client.clientId)));

/**
 * The reason why a request without a challenge is refused. `no-challenge`: its client always needs one. `no-challenge-but-nonce`: only a
 * nonce protects it, which the settings of its client do not accept. `no-challenge-nor-nonce`: nothing protects it, which a setting of its
 * client could allow.
 */
export type MissingChallenge = 'no-challenge' | 'no-challenge-but-nonce' | 'no-challenge-nor-nonce';

const isHttps = (address: string) => new URL(address).protocol === 'https:';

/** Tells whether a client may be set to send neither a challenge nor a nonce. */
export const mayOmitNonce = ({ redirectUris }: { readonly redirectUris: readonly string[] }, isPublic: boolean) =>
  !isPublic && redirectUris.every(isHttps);

/**
 * Judges an authorization request without a challenge. A nonce takes the place of the challenge only if an ID token carries the nonce, the
 * client proves itself with the code, and no other program gets the code (RFC 9700 2.1.1). Undefined if the request is good.
 */
export function findMissingChallenge(
  client: ProviderClient,
  sent: { readonly scope?: unknown; readonly nonce?: unknown; readonly redirect_uri?: unknown },
): MissingChallenge | undefined {
  const { clientId, redirectUris = [], tokenEndpointAuthMethod, pkce } = client;
  const isPublic = tokenEndpointAuthMethod === 'none' || isDocumentClient(clientId);
  const address = URL.parse(String(sent.redirect_uri));
  const isWeb = address !== null && isWebAddress(address);
  if (isPublic || !isWeb) return 'no-challenge';
  const hasNonce = typeof sent.nonce === 'string' && readNames(String(sent.scope ?? '')).includes('openid');
  if (pkce === 'optional' && mayOmitNonce({ redirectUris }, isPublic)) return undefined;
  if (hasNonce) return pkce === 'nonce' || pkce === 'optional' ? undefined : 'no-challenge-but-nonce';
  return 'no-challenge-nor-nonce';
}

export const mayUse = ({ groups }: ProviderClient, user: User): boolean =>
  !Array.isArray(groups) || groups.length === 0 || groups.some((group) => user.groups.includes(group));
