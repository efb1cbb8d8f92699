import type { IncomingMessage, ServerResponse } from 'node:http';
import type { InteractionResults, Provider } from 'oidc-provider';
import { createDerive } from '../records/derived-ids.ts';
import { createReturnAddress } from '../sign-in/pending-address.ts';
import { createAnswer } from './answer.ts';
import { configure } from './configuration.ts';
import { addTokenExchange } from './exchange.ts';
import { PostingProvider } from './form-post.ts';
import { createGrants } from './grants.ts';
import { createReadLogOut } from './logout-request.ts';
import type { ProviderOptions } from './options.ts';
import { overrideBody, overrideClaims, overrideClients, overrideSessions, overrideTokens } from './overrides.ts';
import { createWaiting } from './pending-requests.ts';
import { overridePushedRequests } from './pushed-requests.ts';
import { reportEvents } from './report-events.ts';
import { createLibrarySessions } from './session.ts';

export type OpenIdProvider = ReturnType<typeof createProvider>;

/**
 * Offers OpenID Connect and OAuth 2.1 by oidc-provider, a certified library. Only this folder uses the library. Janua's session alone
 * decides which user is signed in: the library's session is made from it for each request, and is not stored.
 */
export function createProvider(options: ProviderOptions) {
  const derive = createDerive(options.key);
  const returnAddress = createReturnAddress(derive, options.now);
  const provider: Provider = new PostingProvider(
    options.issuer,
    configure(options, {
      derive,
      needsConsent: (ctx) => grants.needsConsent(ctx),
      loadGrant: (ctx) => grants.load(ctx),
      returnAddress: returnAddress.make,
    }),
  );
  const grants = createGrants(provider, options, derive);
  const { get, findByUid, ...sessions } = createLibrarySessions(provider, options, derive);
  overrideSessions(provider, { get, findByUid }, derive);
  overrideClients(provider, options);
  overrideTokens(provider, options);
  overrideClaims(provider);
  overrideBody(provider);
  addTokenExchange(provider, options, derive);
  overridePushedRequests(provider, options);
  reportEvents(provider, options);

  return {
    answer: createAnswer(provider, options, returnAddress, grants.keep),
    ...createWaiting(provider, options),
    ...sessions,

    /** Returns the address that a login leads to. The request begins anew there. */
    returnAddress: returnAddress.make,

    /** Ends the wait of a request with a result. @returns the address of the redirect */
    finishInteraction: (req: IncomingMessage, res: ServerResponse, result: InteractionResults): Promise<string> =>
      provider.interactionResult(req, res, result),

    giveDevice: grants.giveDevice,

    readLogOut: createReadLogOut(provider),

    /** Returns the `sid` by which ID tokens of an application name a session. */
    sidOf: (sessionId: string, clientId: string): string => derive('sid', sessionId, clientId),

    /**
     * Tells an application that a session has ended (OpenID Connect Back-Channel Logout 1.0).
     * @throws {Error} if the application does not accept it
     */
    async tellLogOut({ clientId, subject, sid }: { clientId: string; subject: string; sid: string }): Promise<void> {
      const client = await provider.Client.find(clientId);
      if (client?.backchannelLogoutUri) await (client as unknown as BackChannel).backchannelLogout(subject, sid);
    },
  };
}

/** Missing in the types of the library. */
interface BackChannel {
  backchannelLogout(subject: string, sid: string): Promise<void>;
}
