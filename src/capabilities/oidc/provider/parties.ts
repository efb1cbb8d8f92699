import { isDocumentClient, type ProviderClient } from '../clients/library-client.ts';
import { Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { networkOf } from './requests.ts';

/**
 * Returns the party for which the stored parts of a client's request count: the client if it has proved itself, or else the network,
 * because anyone can send requests in the name of a public client. Clients of hosts that the operator has not listed count by network too,
 * because a stranger may have any number of hosts.
 */
export function partyOfClient(
  { clientId, tokenEndpointAuthMethod }: ProviderClient,
  { isListed }: Pick<ProviderOptions, 'isListed'>,
): string {
  if (tokenEndpointAuthMethod === 'none') return `network ${networkOf(Provider.ctx)}`;
  if (!isDocumentClient(clientId)) return `client ${clientId}`;
  return isListed(clientId) ? `host ${new URL(clientId).host}` : `network ${networkOf(Provider.ctx)}`;
}
