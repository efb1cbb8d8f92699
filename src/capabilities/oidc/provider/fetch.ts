import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import { Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { networkOf } from './requests.ts';

type FetchOptions = Pick<ProviderOptions, 'fetch'>;

/**
 * Fetches a metadata document or keys of a client. The connection counts for the network of the request. If no connection is free in time,
 * Janua answers the request with 503, because the library would say that the client is unknown. The library tries again after a failure, so
 * the first error is thrown again.
 */
async function fetchForRequest(
  { fetch }: FetchOptions,
  ctx: KoaContextWithOIDC | undefined,
  address: string,
  init?: RequestInit,
): Promise<Response> {
  if (ctx?.state.thrown instanceof Unavailable) throw ctx.state.thrown;
  try {
    return await fetch(address, init, { party: networkOf(ctx), clientId: ctx?.oidc.client?.clientId });
  } catch (error) {
    if (ctx !== undefined && error instanceof Unavailable) ctx.state.thrown = error;
    throw error;
  }
}

/** Returns the `fetch` that the library uses. */
export const fetchFor =
  (options: FetchOptions): NonNullable<Configuration['fetch']> =>
  (target, init) => {
    const address = target instanceof Request ? target.url : String(target);
    // Only logout notices are sent by POST. They belong to no request, so each counts for the host of its client.
    if (init?.method === 'POST') return options.fetch(address, init, { party: `notices to ${new URL(address).host}` });
    return fetchForRequest(options, Provider.ctx, address, init);
  };

/**
 * Fetches a document before the library does. The library would make all requests with the same client wait for the connection of the
 * first. Here, each request waits for a connection of its own network, and the library then gets the remembered document.
 * @throws {Unavailable}
 */
export async function prefetch(
  options: FetchOptions,
  ctx: KoaContextWithOIDC | undefined,
  address: string,
): Promise<void> {
  await fetchForRequest(options, ctx, address).catch((error) => {
    if (error instanceof Unavailable) throw error;
  });
}
