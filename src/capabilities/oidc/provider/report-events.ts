import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { Unavailable } from '../../../ground/faults/unavailable.ts';
import type { ProviderClient } from '../clients/library-client.ts';
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
      // After `Unavailable`, Janua answers with 503, whatever error the library has made of it.
      if (expectedErrors.has(error.error) || ctx.state.thrown instanceof Unavailable) return;
      const { oidc, state, method, query } = ctx;
      const client: Partial<ProviderClient> = oidc.client ?? state.client ?? {};
      const clientId = client.clientId ?? oidc.params?.client_id ?? oidc.entities.AccessToken?.clientId;
      const isByKey =
        client.tokenEndpointAuthMethod === 'private_key_jwt' || oidc.params?.client_assertion !== undefined;
      const refused = onRefused({
        request: requestOf(ctx),
        clientId: typeof clientId === 'string' ? clientId : undefined,
        clientName: client.clientName,
        error: error.error,
        detail: [error.error_description, error.error_detail, causeOf(error)].filter(Boolean).join(': '),
        // The library drops parameters that it does not know, so the parameters as they were sent are added.
        parameters: { ...oidc.params, ...(method === 'POST' ? oidc.body : query) },
        reason: state.reason ?? (error.error === 'invalid_client' && isByKey ? 'client-key' : undefined),
      });
      state.refusal = Promise.all([state.refusal, refused]);
    });
}

/** Returns the reason for which a signature or a claim of a token does not count. The library has it in the cause alone. */
const causeOf = ({ error_detail, cause }: { readonly error_detail?: string | undefined; readonly cause?: unknown }) =>
  error_detail === undefined && cause instanceof Error ? cause.message : undefined;

/** Reports a sign-in before the browser gets the code, so that an application with a code also learns when the session ends. */
export async function reportSignIn(
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
  'pushed_authorization_request.error',
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
