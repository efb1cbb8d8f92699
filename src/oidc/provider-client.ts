import type { User } from '../users/user.ts';
import { isNativeAddress, isPrivateUse } from './addresses.ts';

/** A client as the provider knows it: one of ours, or one that introduced itself by a document. */
export interface ProviderClient {
  readonly clientId: string;
  readonly clientName?: string | undefined;
  readonly redirectUris?: readonly string[] | undefined;
  readonly own?: unknown;
  readonly groups?: unknown;
  readonly secondFactor?: unknown;
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

export const mayUse = ({ groups }: ProviderClient, user: User): boolean =>
  !Array.isArray(groups) || groups.length === 0 || groups.some((group) => user.groups.includes(group));
