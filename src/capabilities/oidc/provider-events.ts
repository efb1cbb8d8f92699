import { errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { finishWrites } from './provider-adapter.ts';
import type { ProviderOptions } from './provider-options.ts';
import { requestOf } from './provider-requests.ts';

type EventOptions = Pick<ProviderOptions, 'onRefused' | 'onFault'>;

/** Tells what the library has done. */
export function reportEvents(provider: Provider, { onRefused, onFault }: EventOptions): void {
  provider.on('authorization.success', (ctx) => {
    ctx.state.accepted = true;
  });
  provider.on('server_error', (ctx, error) => {
    if (error instanceof Unavailable) ctx.state.thrown = error;
    else onFault(error);
  });
  for (const event of errorEvents)
    provider.on(event as 'authorization.error', (ctx, error) => {
      // The request is answered with the fault of the server, whatever the library made of it.
      if (expectedErrors.has(error.error) || ctx.state.thrown instanceof Unavailable) return;
      const { oidc, state, method, query } = ctx;
      const clientId = oidc.client?.clientId ?? oidc.params?.client_id ?? oidc.entities.AccessToken?.clientId;
      const refused = onRefused({
        request: requestOf(ctx),
        clientId: typeof clientId === 'string' ? clientId : undefined,
        clientName: oidc.client?.clientName,
        error: error.error,
        detail: [error.error_description, error.error_detail].filter(Boolean).join(': '),
        // The library clears what it does not know.
        parameters: { ...oidc.params, ...(method === 'POST' ? oidc.body : query) },
        reason: state.reason,
      });
      state.refusal = Promise.all([state.refusal, refused]);
    });
}

/** Writes what a token request gives, and changes its answer if it gives nothing after all. */
export async function finishTokens(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  { onTokens }: Pick<ProviderOptions, 'onTokens'>,
): Promise<void> {
  // Where nothing is given, nothing is used up.
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

/** Before the browser gets the code: an application that has one is told about the end of the session. */
export async function noteSignIn(
  ctx: KoaContextWithOIDC,
  { onSignedIn }: Pick<ProviderOptions, 'onSignedIn'>,
): Promise<void> {
  const { client, session, account } = ctx.oidc;
  const request = requestOf(ctx);
  const signedIn = request?.signedIn;
  if (request === undefined || signedIn === undefined) return;
  if (client === undefined || session === undefined || account === undefined) return;
  const sid = session.sidFor(client.clientId) ?? '';
  await onSignedIn({ signedIn, caller: request.caller, client, subject: account.accountId, sid });
}

const errorEvents = [
  'authorization.error',
  'grant.error',
  'device_authorization.error',
  'revocation.error',
  'introspection.error',
  'userinfo.error',
];

/** Part of how the protocol works, and no fault of the application. */
const expectedErrors: ReadonlySet<string> = new Set([
  'authorization_pending',
  'slow_down',
  'login_required',
  'consent_required',
  'interaction_required',
]);
