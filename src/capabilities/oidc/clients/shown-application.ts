import { hash } from 'node:crypto';
import { domainToUnicode } from 'node:url';
import { mixesScripts } from '../../../ground/text/scripts.ts';
import { tableOf } from '../claim-table.ts';
import { pictureAddress } from '../pictures/stored-pictures.ts';
import { versionOf } from '../sign-in/give-consent.ts';
import { type RequestedScopes, requestedOf } from '../sign-in/requested-scopes.ts';
import { isDocumentClient, outlivesSession, type ProviderClient } from './library-client.ts';
import { isNativeAddress } from './uri-rules.ts';

/** The properties of an application that the user sees before allowing it. */
export interface ShownApplication {
  /** The name that an administrator gave it, or that its metadata document gives. */
  readonly name: string;
  /** The address of its picture at this server. Undefined if an administrator gave it none, and for a metadata document. */
  readonly picture: string | undefined;
  /** The host of the metadata document, in ASCII. Undefined if an administrator added the application. */
  readonly documentHost: string | undefined;
  /** True if the name or a host of the application mixes letters of several scripts, and may imitate another one. */
  readonly isMixed: boolean;
  /** The host or the scheme that gets the response. Undefined for a device. */
  readonly host: string | undefined;
  /** True if any program on the user's machine could pretend to be the application. */
  readonly isNative: boolean;
  readonly scopes: readonly string[];
  /** The names of the claims in the table of the client. */
  readonly claims: readonly string[];
  /** Other servers that the application may use for the user, and the scopes there. */
  readonly resources: readonly { readonly address: string; readonly scopes: readonly string[] }[];
  /** True if the application keeps its grant when the session ends. */
  readonly lasts: boolean;
}

/** Hashes the application as the user saw it, and as a consent covers it. If the hash changes, the user is asked again. */
export const shownVersionOf = (client: ProviderClient, application: ShownApplication): string =>
  hash('sha256', JSON.stringify([versionOf(client), application]), 'base64url');

const unicodeHostOf = (address: unknown): string => domainToUnicode(URL.parse(String(address))?.hostname ?? '');

/** @param address the redirect address. Undefined for a device */
export const showApplication = (
  client: ProviderClient,
  asked: RequestedScopes,
  address: unknown,
): ShownApplication => ({
  name: client.clientName ?? new URL(client.clientId).host,
  picture:
    typeof client.picture === 'string' && !isDocumentClient(client.clientId)
      ? pictureAddress(client.picture)
      : undefined,
  documentHost: isDocumentClient(client.clientId) ? new URL(client.clientId).host : undefined,
  isMixed: mixesScripts([client.clientName, unicodeHostOf(client.clientId), unicodeHostOf(address)].join(' ')),
  host: typeof address === 'string' ? new URL(address).host || new URL(address).protocol : undefined,
  isNative: typeof address === 'string' && isNativeAddress(address),
  scopes: requestedOf({ ...asked, resourceServers: {} }),
  claims: tableOf(client).map(({ claim }) => claim),
  resources: Object.entries(asked.resourceServers ?? {}).map(([resource, { scopes }]) => ({
    address: resource.replace(/^https?:\/\//, ''),
    scopes: [...asked.requestParamScopes].filter((scope) => scopes.has(scope)),
  })),
  lasts: address === undefined || outlivesSession(client, asked.requestParamScopes),
});
