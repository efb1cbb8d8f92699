import { randomBytes } from 'node:crypto';
import type { LoginRequest } from '../../core/access/admit.ts';
import { Refusal } from '../../core/access/refusal.ts';
import type { Caller } from '../../core/audit/event.ts';
import { perSecond } from '../../core/throttle/backoff.ts';
import { Unavailable } from '../../ground/faults/unavailable.ts';
import { endSiteOf } from '../../ground/text/networks.ts';
import { createCookie, loggedOutCookie } from '../../web/cookies.ts';
import type { UpstreamCore } from './events.ts';
import { createProvider, type Provider } from './provider.ts';
import { noSuchUpstream, notConfirmed, signInOver, upstreamRefused, upstreamUnreachable } from './refusals.ts';
import { type Refuse, rethrowWithNext } from './refuse.ts';
import { createSignedTexts, flowSeconds } from './sealed.ts';
import { provesAnew } from './upstream.ts';
import { UpstreamFault } from './upstream-fault.ts';

/** A sign-in that has begun. The browser stores it in a signed cookie until the provider redirects back. */
export interface Flow {
  readonly upstream: string;
  readonly state: string;
  /** The id of the session whose user links an account or confirms their identity. Undefined for a login. */
  readonly sessionId?: string | undefined;
  readonly remembered?: boolean | undefined;
  readonly confirms?: boolean | undefined;
  /** Path at which the user continues after a login or a confirmation. */
  readonly next?: string | undefined;
}

/** The parts of a request that a sign-in needs. */
export interface SignInRequest extends LoginRequest {
  readonly caller: Caller;
}

/** Sends a browser to another provider, and handles its return. */
export function createRoundTrips(core: UpstreamCore, refuse: Refuse) {
  const { upstreams, tokens, throttle, now } = core;
  const own = { ...core, fetch: core.overrides.fetch };
  const providers = new Map(upstreams.map((upstream) => [upstream.id, createProvider(upstream, own)]));
  const sealed = createSignedTexts(core.key, now);
  const cookie = createCookie('upstream', core.https, flowSeconds);
  const loggedOut = loggedOutCookie(core.https);

  const redirectUri = (id: string) => `${core.baseUrl()}/auth/upstream/${id}/callback`;

  /** Derives nonce and verifier from the state with this server's key, so that neither has to be stored. */
  const checksOf = (state: string, since?: number) => ({
    state,
    since,
    nonce: sealed.derive('nonce', state),
    verifier: sealed.derive('verifier', state),
  });

  /** @throws {Refusal} `no-such-upstream` */
  function requireProvider(id: string): Provider {
    const provider = providers.get(id);
    if (provider === undefined) throw new Refusal(noSuchUpstream);
    return provider;
  }

  /** Waits for a request to the provider. @throws {Refusal} `upstream-unreachable`, or `refused` */
  async function ask<Result>(caller: Caller, work: Promise<Result>, refused = upstreamRefused): Promise<Result> {
    try {
      return await work;
    } catch (error) {
      if (!(error instanceof UpstreamFault)) throw error;
      return refuse(error.reason, caller, error.reason === 'unreachable' ? upstreamUnreachable : refused);
    }
  }

  return {
    sealed,
    cookie,
    loggedOut,

    /** Lists the providers in the order of the settings, each with the redirect address to register there. */
    list: () => Array.from(providers.values(), (provider) => ({ provider, redirectUri: redirectUri(provider.id) })),

    /**
     * Begins a sign-in.
     * @returns the address for the browser to open, and the cookie for the way back
     * @throws {Refusal} `no-such-upstream`, `upstream-unreachable`
     */
    async begin(
      { upstream, ...flow }: Omit<Flow, 'state'>,
      { headers, caller }: Pick<SignInRequest, 'headers' | 'caller'>,
    ) {
      const provider = requireProvider(upstream);
      if (flow.confirms && !provesAnew(provider)) throw new Refusal(noSuchUpstream);
      const state = randomBytes(32).toString('base64url');
      const checks = checksOf(state, flow.confirms ? now() : undefined);
      const choosesAccount = flow.sessionId === undefined && loggedOut.amount(headers.cookie) !== 'none';
      const url = await ask(caller, provider.authorizationUrl(redirectUri(upstream), checks, choosesAccount));
      return { url, name: provider.name, cookie: cookie.header(sealed.seal('flow', { ...flow, upstream, state })) };
    },

    /**
     * Handles the return of a browser, once, and finds its user at the provider. A sign-in that gets no turn is not used up, and can return
     * again.
     * @param query of the address, as sent
     * @throws {Refusal} `no-such-upstream`, `sign-in-over`, `upstream-refused`, `not-confirmed`, `upstream-unreachable`
     * @throws {Unavailable} when too many wait
     */
    async takeBack(upstream: string, query: string, { headers, caller }: Pick<SignInRequest, 'headers' | 'caller'>) {
      const provider = requireProvider(upstream);
      const flow = sealed.open<Flow>('flow', cookie.read(headers.cookie) ?? '');
      const [state, ...more] = new URLSearchParams(query).getAll('state');
      const isOurs = flow?.upstream === upstream && flow.state === state && more.length === 0;
      if (!isOurs) return refuse('over', caller, signInOver);
      const address = new URL(`${redirectUri(upstream)}?${query}`);
      const checks = checksOf(flow.state, flow.confirms ? flow.expiresAt - flowSeconds * 1000 : undefined);
      const refused = flow.confirms ? notConfirmed(flow.next) : upstreamRefused;
      const network = endSiteOf(caller.address);
      // Limited, because each return stores a row, and most call the provider, which limits the requests of this server.
      if (!(await throttle.take([{ key: `upstream-back:${network}`, policy: perSecond }])))
        throw new Unavailable(`The provider ${upstream}`, perSecond.firstWaitSeconds);
      return provider.inTurn(network, async () => {
        if (!(await tokens.markUsed('upstream', flow.state, flow.expiresAt))) return refuse('over', caller, signInOver);
        const profile = await ask(caller, provider.findProfile(address, checks), refused).catch((error) =>
          rethrowWithNext(error, flow.next),
        );
        return { flow, provider, profile };
      });
    },
  };
}
