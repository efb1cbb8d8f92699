import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { finishWrites } from './adapter.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';

/** Stores the tokens of a token request, or changes its response to an error if the client gets none after all. */
export async function finishTokens(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  { onTokens }: Pick<ProviderOptions, 'onTokens'>,
): Promise<void> {
  // If the request fails, its delayed writes are dropped, and its code or refresh token stays unused.
  if (ctx.status !== 200) return;
  try {
    await finishWrites(ctx);
    onTokens?.(String(ctx.oidc.params?.grant_type));
  } catch (error) {
    if (!(error instanceof errors.InvalidGrant)) throw error;
    ctx.status = error.statusCode;
    ctx.body = { error: error.error, error_description: error.error_description };
    provider.emit('grant.error', ctx, error);
  }
}
