import { hash } from 'node:crypto';
import { domainToUnicode } from 'node:url';
import { mixesScripts } from '../../ground/text/scripts.ts';
import { isNativeAddress } from './addresses.ts';
import { type Asked, requestedOf } from './asked.ts';
import { versionOf } from './let-in.ts';
import { isDocument, lasts, type ProviderClient } from './provider-client.ts';

/** What the user sees of an application before letting it in. */
export interface ShownApplication {
  /** As the operator, or the application itself in its document, has written it. */
  readonly name: string;
  /** The host of the document by which it introduces itself, in ASCII. Undefined if the operator added it. */
  readonly documentHost: string | undefined;
  /** Whether its name, or one of its hosts, mixes letters of several scripts. */
  readonly isMixed: boolean;
  /** Where the answer goes. Undefined for a device. */
  readonly host: string | undefined;
  /** Whether any program of the user's machine could pretend to be it. */
  readonly isNative: boolean;
  readonly scopes: readonly string[];
  /** Other servers that it may use for the user, and for what. */
  readonly resources: readonly { readonly address: string; readonly scopes: readonly string[] }[];
  /** Whether it keeps what it gets when the session ends. */
  readonly lasts: boolean;
}

/** A hash of what the user saw, and of what a consent is for. With another one, the user is asked again. */
export const shownVersionOf = (client: ProviderClient, application: ShownApplication): string =>
  hash('sha256', JSON.stringify([versionOf(client), application]), 'base64url');

const unicodeHostOf = (address: unknown): string => domainToUnicode(URL.parse(String(address))?.hostname ?? '');

/** @param address where the answer goes. Undefined for a device */
export const showApplication = (client: ProviderClient, asked: Asked, address: unknown): ShownApplication => ({
  name: client.clientName ?? new URL(client.clientId).host,
  documentHost: isDocument(client.clientId) ? new URL(client.clientId).host : undefined,
  isMixed: mixesScripts([client.clientName, unicodeHostOf(client.clientId), unicodeHostOf(address)].join(' ')),
  host: typeof address === 'string' ? new URL(address).host || new URL(address).protocol : undefined,
  isNative: typeof address === 'string' && isNativeAddress(address),
  scopes: requestedOf({ ...asked, resourceServers: {} }),
  resources: Object.entries(asked.resourceServers ?? {}).map(([resource, { scopes }]) => ({
    address: resource.replace(/^https?:\/\//, ''),
    scopes: [...asked.requestParamScopes].filter((scope) => scopes.has(scope)),
  })),
  lasts: address === undefined || lasts(client, asked.requestParamScopes),
});
