import type { IncomingMessage } from 'node:http';
import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { isDocumentClient } from '../clients/library-client.ts';
import type { ProviderOptions } from './options.ts';

/**
 * Treats an empty secret that a public client sends by Basic as none. Go's `oauth2` and others try that first.
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
  if (client?.secretHash !== undefined) return undefined;
  delete headers.authorization;
  return clientId;
}

/** Makes the library read the body as if it had the client id that `takeEmptySecret` found. */
export function nameClientInBody(provider: Provider): void {
  const bodies = new WeakMap<object, Readonly<Record<string, unknown>>>();
  Object.defineProperty((provider as unknown as { OIDCContext: { prototype: object } }).OIDCContext.prototype, 'body', {
    get(this: object) {
      return bodies.get(this);
    },
    set(this: { readonly ctx: KoaContextWithOIDC }, body: Readonly<Record<string, unknown>>) {
      const { publicClient } = this.ctx.state;
      const isOther = body?.client_id !== undefined && body.client_id !== publicClient;
      // The library refuses two ids as a field that is sent twice.
      const client_id = isOther ? [body.client_id, publicClient] : publicClient;
      bodies.set(this, publicClient === undefined ? body : { ...body, client_id });
    },
  });
}
