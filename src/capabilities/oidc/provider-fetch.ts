import { type Configuration, type KoaContextWithOIDC, Provider } from 'oidc-provider';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import type { ProviderOptions } from './provider-options.ts';
import { networkOf } from './provider-requests.ts';

type FetchOptions = Pick<ProviderOptions, 'fetch'>;

/**
 * Fetches a document or keys for a request, whose network is the party. Without a turn, the request is answered with 503: the library would
 * say that the client is unknown, and it asks a second time after a failure.
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

/** Makes the connections of the library. */
export const fetchFor =
  (options: FetchOptions): NonNullable<Configuration['fetch']> =>
  (target, init) => {
    const address = target instanceof Request ? target.url : String(target);
    // Notices of logouts are sent after the request that caused them. Each client waits for its own.
    if (init?.method === 'POST') return options.fetch(address, init, { party: `notices to ${new URL(address).host}` });
    return fetchForRequest(options, Provider.ctx, address, init);
  };

/**
 * Fetches a document before the library does, which lets requests of all networks wait for the first of them. Each has a turn of its own
 * here, and the library finds what is remembered. @throws {Unavailable}
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
