import type { IncomingMessage } from 'node:http';
import { isDocumentClient } from '../clients/library-client.ts';
import type { ProviderOptions } from './options.ts';

/**
 * Removes the header `Authorization` if a client without a secret sends its id and an empty secret. Go's `oauth2` and other libraries try
 * that first.
 * @returns the client's id. Undefined for other requests
 */
export async function takeEmptySecret(
  { headers }: IncomingMessage,
  findClient: ProviderOptions['findClient'],
): Promise<string | undefined> {
  const [, encoded = ''] = /^basic +([A-Za-z\d+/]+={0,2})$/i.exec(headers.authorization ?? '') ?? [];
  const [, named] = /^([^:&]+):$/.exec(Buffer.from(encoded, 'base64').toString()) ?? [];
  // The id is encoded as in a form (RFC 6749 2.3.1).
  const clientId = new URLSearchParams(`id=${named ?? ''}`).get('id') || undefined;
  if (clientId === undefined) return undefined;
  const client = isDocumentClient(clientId) ? undefined : await findClient(clientId);
  if (client?.secrets !== undefined) return undefined;
  delete headers.authorization;
  return clientId;
}
