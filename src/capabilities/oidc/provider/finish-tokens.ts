import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import { finishWrites } from './adapter.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { requestOf } from './requests.ts';

type EventOptions = Pick<ProviderOptions, 'onRefused' | 'onFault'>;

/** Reports events of the library: requests that succeed, refusals and faults. */
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
      // With `Unavailable`, the server answers with its own fault, whatever the library made of the request.
      if (expectedErrors.has(error.error) || ctx.state.thrown instanceof Unavailable) return;
      const { oidc, state, method, query } = ctx;
      const clientId = oidc.client?.clientId ?? oidc.params?.client_id ?? oidc.entities.AccessToken?.clientId;
      const refused = onRefused({
        request: requestOf(ctx),
        clientId: typeof clientId === 'string' ? clientId : undefined,
        clientName: oidc.client?.clientName,
        error: error.error,
        detail: [error.error_description, error.error_detail].filter(Boolean).join(': '),
        // The library drops parameters that it does not know.
        parameters: { ...oidc.params, ...(method === 'POST' ? oidc.body : query) },
        reason: state.reason,
      });
      state.refusal = Promise.all([state.refusal, refused]);
    });
}

/** Stores the tokens of a token request, or changes its response to an error if the client gets none after all. */
export async function finishTokens(
  provider: Provider,
  ctx: KoaContextWithOIDC,
  { onTokens }: Pick<ProviderOptions, 'onTokens'>,
): Promise<void> {
  // Without tokens, nothing is used up.
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

/** Reports a sign-in before the browser gets the code, so that an application with a code also learns when the session ends. */
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

/** Errors that belong to the protocol, and are no fault of the application. */
const expectedErrors: ReadonlySet<string> = new Set([
  'authorization_pending',
  'slow_down',
  'login_required',
  'consent_required',
  'interaction_required',
]);
