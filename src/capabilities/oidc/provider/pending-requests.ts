import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Provider } from 'oidc-provider';
import type { Caller } from '../../../core/audit/event.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import { readToken } from '../keys/token-parts.ts';
import { type RequestedScopes, readRequestedScopes } from '../sign-in/requested-scopes.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { withPushed } from './pushed-requests.ts';
import { asCaller } from './requests.ts';

/** An authorization request that waits for its user. */
export interface WaitingRequest {
  readonly uid: string;
  readonly prompt: { readonly name: string; readonly reasons: readonly string[] };
  readonly client: ProviderClient;
  readonly params: Readonly<Record<string, unknown>>;
  readonly asked: RequestedScopes;
  /**
   * The subject of the ID token that the application sent as a hint. The token was verified when the request came. Undefined without a
   * hint.
   */
  readonly subject: unknown;
  /** The id of the session in which the request came. */
  readonly sessionId: string | undefined;
}

export interface WaitingDevice extends Pick<WaitingRequest, 'client' | 'params' | 'asked'> {
  readonly askedAt: Date;
  /** The address of the device. Undefined if it has none, as over a Unix socket. */
  readonly askedFrom: unknown;
}

/** Missing in the types of the library. */
interface Pushed {
  readonly parJti?: string;
}

/** Creates the look-ups of requests that wait for their user. */
export const createWaiting = (provider: Provider, { findResource }: Pick<ProviderOptions, 'findResource'>) => ({
  /** Finds the request of a browser. Undefined if it has ended, or belongs to another browser. */
  async findInteraction(
    req: IncomingMessage,
    res: ServerResponse,
    caller: Caller,
  ): Promise<WaitingRequest | undefined> {
    try {
      const { uid, prompt, params: sent, session, ...details } = await provider.interactionDetails(req, res);
      const params = withPushed(sent, (details as Pushed).parJti);
      const client = await asCaller(caller, () => provider.Client.find(String(params.client_id)));
      if (client === undefined) return undefined;
      const { id_token_hint: hint } = params;
      const subject = typeof hint === 'string' ? readToken(hint).payload?.sub : undefined;
      const asked = await readRequestedScopes(params, findResource);
      return { uid, prompt, client, params, subject, asked, sessionId: session?.uid };
    } catch (error) {
      if (error instanceof errors.OIDCProviderError) return undefined;
      throw error;
    }
  },

  async findDevice(userCode: string, caller: Caller): Promise<WaitingDevice | undefined> {
    const code = await provider.DeviceCode.findByUserCode(userCode);
    const { clientId } = code ?? {};
    const client = clientId === undefined ? undefined : await asCaller(caller, () => provider.Client.find(clientId));
    if (code === undefined || client === undefined || code.accountId || code.error) return undefined;
    const { params = {}, iat, deviceInfo } = code;
    const [askedAt, askedFrom] = [new Date(Number(iat) * 1000), deviceInfo?.address];
    return { client, params, asked: await readRequestedScopes(params, findResource), askedAt, askedFrom };
  },
});
