import { readNames } from '../../core/users/scopes.ts';
import type { User } from '../../core/users/user.ts';
import { isNativeAddress, isPrivateUse, isWebAddress } from './addresses.ts';

/** A client as the provider knows it: one of ours, or one that introduced itself by a document. */
export interface ProviderClient {
  readonly clientId: string;
  readonly clientName?: string | undefined;
  readonly redirectUris?: readonly string[] | undefined;
  readonly own?: unknown;
  readonly groups?: unknown;
  readonly secondFactor?: unknown;
  readonly pkce?: unknown;
  /** The address of a resource, if it is one that asks about its tokens. */
  readonly api?: unknown;
  readonly tokenEndpointAuthMethod?: string | undefined;
  readonly backchannelLogoutUri?: string | undefined;
}

export const codeGrant = 'authorization_code';
export const refreshGrant = 'refresh_token';
export const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';

/** Longest id of a client that is kept. */
const longestId = 200;

/** Whether an application introduced itself by a document: its id is the address of the document. */
export const isDocument = (clientId: string): boolean =>
  clientId.startsWith('https://') && clientId.length <= longestId;

/** What pages call it that say no more: one that introduced itself by the host of its document, because it chose its name. */
export const calledName = ({ clientId, clientName }: ProviderClient): string =>
  isDocument(clientId) ? new URL(clientId).host : (clientName ?? clientId);

/** Names it in an event. The address of a document says more than the name that the document chose. */
export const aboutClient = ({ clientId, clientName }: Pick<ProviderClient, 'clientId' | 'clientName'>) => ({
  about: clientId,
  aboutName: isDocument(clientId) ? undefined : clientName,
});

/**
 * Whether it runs on machines of users, by all of its addresses: one has a scheme of its own, or all are on loopback. A website whose
 * developers use a loopback address too is no program. What it gets ends with the session.
 */
const isProgram = ({ redirectUris = [], tokenEndpointAuthMethod }: ProviderClient): boolean =>
  tokenEndpointAuthMethod === 'none' &&
  redirectUris.length > 0 &&
  (redirectUris.some((address) => isPrivateUse(new URL(address))) || redirectUris.every(isNativeAddress));

/** Whether the application keeps what it got when the session ends. The user then let it on a page. */
export const lasts = (client: ProviderClient, scopes: ReadonlySet<string>): boolean =>
  scopes.has('offline_access') || (!client.own && (isProgram(client) || isDocument(client.clientId)));

/**
 * Why a request without a challenge is refused: whatever else it sent; because only a nonce protects it, which its client may not do with; or
 * because nothing does, which a setting of its client could allow.
 */
export type MissingChallenge = 'no-challenge' | 'no-challenge-but-nonce' | 'no-challenge-nor-nonce';

const isHttps = (address: string) => new URL(address).protocol === 'https:';

/** Whether a client may be set to send neither a challenge nor a nonce. */
export const mayOmitNonce = ({ redirectUris }: { readonly redirectUris: readonly string[] }, isPublic: boolean) =>
  !isPublic && redirectUris.every(isHttps);

/**
 * Judges a request for a code that has no challenge. A nonce takes its place only where an ID token will carry it, where the client proves
 * itself with the code, and where no other program gets the code (RFC 9700 2.1.1). Undefined if the request is good.
 */
export function findMissingChallenge(
  client: ProviderClient,
  sent: { readonly scope?: unknown; readonly nonce?: unknown; readonly redirect_uri?: unknown },
): MissingChallenge | undefined {
  const { clientId, redirectUris = [], tokenEndpointAuthMethod, pkce } = client;
  const isPublic = tokenEndpointAuthMethod === 'none' || isDocument(clientId);
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
