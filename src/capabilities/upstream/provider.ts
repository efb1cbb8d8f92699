import type { Configuration } from 'openid-client';
import { createTurns } from '../../ground/faults/turns.ts';
import { createConfigurations, loadLibrary, type ProviderOptions } from './configurations.ts';
import { readGitHubUser } from './github.ts';
import { readProfile } from './profile.ts';
import type { Claims, Profile, Upstream } from './upstream.ts';
import { createFail, UpstreamFault } from './upstream-fault.ts';

/**
 * Providers at which a browser is signed in to one account at a time. They do not know `prompt=select_account`, or refuse it, as earlier
 * versions of Janua do.
 */
const hasOneAccount: ReadonlySet<Upstream['kind']> = new Set(['gitlab', 'keycloak', 'janua']);

/**
 * Limits for each provider. `atOnce` and `ofNetwork`: the most sign-ins whose codes are redeemed at the same time, in all and from one
 * network. `waiting`: the most that wait for a turn, each for at most `waitingMilliseconds`. Every code costs a request to the provider.
 * Without limits, a stranger who sends made-up codes could make this server send any number of requests.
 */
export const redeemLimits = { atOnce: 8, ofNetwork: 4, waiting: 50, waitingMilliseconds: 5_000 };

/** The values that bind the provider's answer to the sign-in that Janua began. */
export interface Checks {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /**
   * The user must have signed in at the provider after this time, in milliseconds since 1970. Undefined if an existing session at the
   * provider is enough.
   */
  readonly since: number | undefined;
}

export type Provider = ReturnType<typeof createProvider>;

/** Talks to one provider: OpenID Connect, or OAuth with GitHub. Every method throws `UpstreamFault`. */
export function createProvider(upstream: Upstream, { fetch, log, now }: ProviderOptions) {
  const { id, kind, issuer } = upstream;
  const fail = createFail(id, log);
  const configurations = createConfigurations(upstream, { fetch, now }, fail);
  const { atOnce, ofNetwork, waiting, waitingMilliseconds } = redeemLimits;
  const turns = createTurns({ part: `The provider ${id}`, atOnce, waiting });
  const isGitHub = kind === 'github';
  const scope = (upstream.scopes ?? (isGitHub ? ['read:user', 'user:email'] : ['openid', 'email', 'profile'])).join(
    ' ',
  );

  /** Finds the `prompt` with which the provider asks for the account, instead of using its session (OpenID Connect Core 1.0, 3.1.2.1). */
  function promptOf(configuration: Configuration): { readonly prompt?: string } {
    const announced = configuration.serverMetadata().prompt_values_supported as unknown;
    const supported = Array.isArray(announced) ? announced : [hasOneAccount.has(kind) ? 'login' : 'select_account'];
    const prompt = ['select_account', 'login'].find((value) => supported.includes(value));
    return prompt === undefined ? {} : { prompt };
  }

  async function redeem(address: URL, { state, nonce, verifier, since }: Checks): Promise<Claims> {
    const client = await loadLibrary();
    const configuration = await configurations.open();
    const checks = {
      expectedState: state,
      pkceCodeVerifier: verifier,
      ...(!isGitHub && { expectedNonce: nonce }),
      // With `maxAge`, the library requires `auth_time` (OpenID Connect Core 1.0, 3.1.2.1).
      ...(since !== undefined && { maxAge: Math.ceil((now() - since) / 1000) }),
    };
    const tokens = await client.authorizationCodeGrant(configuration, address, checks);
    await configurations.keepKeys(configuration);
    if (isGitHub) {
      const read = (url: string) =>
        client.fetchProtectedResource(configuration, tokens.access_token, new URL(url), 'GET', null);
      return { iss: issuer, ...(await readGitHubUser(read)) };
    }
    const claims: Claims = { ...tokens.claims() };
    const { userinfo_endpoint: userinfo } = configuration.serverMetadata();
    if (claims.email !== undefined || userinfo === undefined) return claims;
    return { ...(await client.fetchUserInfo(configuration, tokens.access_token, String(claims.sub))), ...claims };
  }

  return {
    id,
    kind,
    name: upstream.name,
    issuer,
    check: configurations.check,

    /**
     * Makes the address where the user signs in.
     * @param choosesAccount whether the user chooses an account there, even if already signed in
     */
    async authorizationUrl(
      redirectUri: string,
      { state, nonce, verifier, since }: Checks,
      choosesAccount: boolean,
    ): Promise<string> {
      const configuration = await configurations.open();
      const client = await loadLibrary();
      const challenge = await client.calculatePKCECodeChallenge(verifier);
      const url = client.buildAuthorizationUrl(configuration, {
        redirect_uri: redirectUri,
        scope,
        state,
        code_challenge: challenge,
        code_challenge_method: 'S256',
        ...(!isGitHub && { nonce }),
        ...(choosesAccount && promptOf(configuration)),
        ...(since !== undefined && { prompt: 'login', max_age: '0' }),
      });
      return url.href;
    },

    /** Runs `takeBack` when its network has a turn. @throws {Unavailable} when too many wait, or the turn does not come in time */
    inTurn: <T>(network: string, takeBack: () => Promise<T>): Promise<T> =>
      turns.take(
        { places: [{ key: network, atOnce: ofNetwork }], parties: [network] },
        takeBack,
        AbortSignal.timeout(waitingMilliseconds),
      ),

    /**
     * Checks the answer of the provider, and redeems its code. Its tokens are not stored.
     * @param address the full address of the callback
     */
    async findProfile(address: URL, checks: Checks): Promise<Profile> {
      const claims = await redeem(address, checks).catch((error) =>
        error instanceof UpstreamFault ? Promise.reject(error) : fail(error),
      );
      return readProfile(upstream, claims) ?? fail(new Error('the claims name no user'), 'invalid-response');
    },
  };
}
