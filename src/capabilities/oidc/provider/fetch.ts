import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import { Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { networkOf } from './requests.ts';

type FetchOptions = Pick<ProviderOptions, 'fetch'>;

/**
 * Fetches a document or keys, and counts the connection for the network of the request. Without a turn, Janua answers the request with 503:
 * the library would say that the client is unknown, and it asks a second time after a failure.
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
    // Janua sends a logout notice after the request that caused it, so the notice counts for the host of its client.
    if (init?.method === 'POST') return options.fetch(address, init, { party: `notices to ${new URL(address).host}` });
    return fetchForRequest(options, Provider.ctx, address, init);
  };

/**
 * Fetches a document before the library does, because the library makes requests of all networks wait for the first of them. Here each
 * request has its own turn, and the library then finds the remembered document. @throws {Unavailable}
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
