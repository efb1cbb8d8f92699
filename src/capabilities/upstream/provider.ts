import type { Configuration, CustomFetch, ExportedJWKSCache } from 'openid-client';
import type { Log } from '../../ground/faults/log.ts';
import { readBody } from '../../ground/text/read-body.ts';
import { readGitHubUser } from './github.ts';
import { readProfile } from './profile.ts';
import type { Claims, Profile, Upstream } from './upstream.ts';

/** How long what a provider says about itself is believed, and how long it is left in peace after it could not be reached. */
const [freshMilliseconds, retryMilliseconds] = [60 * 60 * 1000, 60 * 1000];

const timeoutSeconds = 5;

/** After which the library asks for a key that it does not know. */
const keysCooldownSeconds = 60;

const jsonType = { 'content-type': 'application/json' };

/** Bytes of the longest answer of a provider. Some put pictures into userinfo. */
const longestAnswer = 1024 * 1024;

/** Loaded at the first sign-in, because most servers need no more than passwords. */
const load = () => import('openid-client');

/** Browsers have one account at these, which do not know `select_account`, or refuse it, as earlier versions of Janua do. */
const hasOneAccount: ReadonlySet<Upstream['kind']> = new Set(['gitlab', 'keycloak', 'janua']);

export interface ProviderOptions {
  /** Default: Node's. */
  readonly fetch: CustomFetch | undefined;
  readonly log: Pick<Log, 'warn'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What one sign-in is bound to. */
export interface Checks {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
  /** The user must sign in at the provider after this moment, in milliseconds since 1970. Without it, a session there is enough. */
  readonly since: number | undefined;
}

/** `unreachable` is nothing that the user or the answer is to blame for. */
export class UpstreamFault extends Error {
  override readonly name = 'UpstreamFault';
  readonly reason: 'unreachable' | 'denied' | 'invalid-response';

  constructor(reason: UpstreamFault['reason'], cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

export type Provider = ReturnType<typeof createProvider>;

/** Talks to one provider: OpenID Connect, or OAuth with GitHub. Every method throws `UpstreamFault`. */
export function createProvider(upstream: Upstream, { fetch, log, now }: ProviderOptions) {
  const { id, kind, issuer, clientId, clientSecret } = upstream;
  const isGitHub = kind === 'github';
  const scope = (upstream.scopes ?? (isGitHub ? ['read:user', 'user:email'] : ['openid', 'email', 'profile'])).join(
    ' ',
  );
  const boundedFetch: CustomFetch = async (address, init) => {
    const response = await (fetch ?? (globalThis.fetch as CustomFetch))(address, init);
    const { status, headers } = response;
    return new Response(response.body && (await readBody(response.body, longestAnswer)), { status, headers });
  };

  /** What the provider says about itself, as JSON. */
  let known: { readonly document: string; readonly until: number } | undefined;

  let opening: Promise<string> | undefined;

  let keys: ExportedJWKSCache | undefined;

  function fail(error: unknown, reason = reasonOf(error)): never {
    const { code, message, error: answer } = error as Readonly<Record<string, unknown>>;
    log.warn(
      { event: 'upstream_failed', upstream: id, reason, code, answer, detail: message },
      'a sign-in with a provider failed',
    );
    throw new UpstreamFault(reason, error);
  }

  /** @param fetch reads what the provider says about itself */
  async function configure(fetch: CustomFetch): Promise<Configuration> {
    const client = await load();
    const [post, basic] = [client.ClientSecretPost(clientSecret), client.ClientSecretBasic(clientSecret)];
    // Without a list, servers take Basic alone (OpenID Connect Discovery 1.0, 3).
    const authenticate: typeof post = (server, ...rest) =>
      (server.token_endpoint_auth_methods_supported?.includes('client_secret_post') ? post : basic)(server, ...rest);
    const execute = [
      client.enableNonRepudiationChecks,
      ...(issuer.startsWith('http:') ? [client.allowInsecureRequests] : []),
    ];
    const options = { execute, timeout: timeoutSeconds, [client.customFetch]: fetch };
    const configuration = await client.discovery(new URL(issuer), clientId, {}, authenticate, options);
    requireEndpoints(configuration, new URL(issuer));
    configuration[client.customFetch] = boundedFetch;
    return configuration;
  }

  async function configureGitHub(): Promise<Configuration> {
    const client = await load();
    const endpoints = {
      issuer,
      authorization_endpoint: `${issuer}/login/oauth/authorize`,
      token_endpoint: `${issuer}/login/oauth/access_token`,
    };
    const configuration = new client.Configuration(endpoints, clientId, {}, client.ClientSecretPost(clientSecret));
    configuration.timeout = timeoutSeconds;
    configuration[client.customFetch] = boundedFetch;
    return configuration;
  }

  /** Asks the provider what it says about itself. */
  async function discover(): Promise<string> {
    let document = '';
    await configure(async (address, init) => {
      const answer = await boundedFetch(address, init);
      document = await answer.clone().text();
      return answer;
    });
    return document;
  }

  /**
   * A configuration for one sign-in. The library asks for keys that it does not know only if those of the configuration are a minute old. The
   * provider may have changed them since, so they are said to be.
   */
  async function open(): Promise<Configuration> {
    if (isGitHub) return configureGitHub();
    const document = await findDocument();
    const configuration = await configure(async () => new Response(document, { headers: jsonType }));
    const uat = Math.min(keys?.uat ?? 0, Math.floor(Date.now() / 1000) - keysCooldownSeconds);
    if (keys !== undefined) (await load()).setJwksCache(configuration, { ...keys, uat });
    return configuration;
  }

  /** The provider is asked at most once at a time, however many users wait for it. */
  async function findDocument(): Promise<string> {
    if (known !== undefined && now() < known.until) return known.document;
    opening ??= refresh().finally(() => {
      opening = undefined;
    });
    return opening;
  }

  async function refresh(): Promise<string> {
    try {
      known = { document: await discover(), until: now() + freshMilliseconds };
    } catch (error) {
      if (known === undefined) return fail(error, 'unreachable');
      known = { ...known, until: now() + retryMilliseconds };
    }
    return known.document;
  }

  /** Makes the provider ask for the account, in place of going on with its session (OpenID Connect Core 1.0, 3.1.2.1). */
  function promptOf(configuration: Configuration): { readonly prompt?: string } {
    const announced = configuration.serverMetadata().prompt_values_supported as unknown;
    const supported = Array.isArray(announced) ? announced : [hasOneAccount.has(kind) ? 'login' : 'select_account'];
    const prompt = ['select_account', 'login'].find((value) => supported.includes(value));
    return prompt === undefined ? {} : { prompt };
  }

  async function redeem(address: URL, { state, nonce, verifier, since }: Checks): Promise<Claims> {
    const client = await load();
    const configuration = await open();
    const checks = {
      expectedState: state,
      pkceCodeVerifier: verifier,
      ...(!isGitHub && { expectedNonce: nonce }),
      // `auth_time` is then required (OpenID Connect Core 1.0, 3.1.2.1).
      ...(since !== undefined && { maxAge: Math.ceil((now() - since) / 1000) }),
    };
    const tokens = await client.authorizationCodeGrant(configuration, address, checks);
    keys = client.getJwksCache(configuration) ?? keys;
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

    /** Asks the provider again what it says about itself. */
    async check(): Promise<void> {
      await (isGitHub ? configureGitHub() : discover()).catch((error) => fail(error, 'unreachable'));
    },

    /** Gives the address where the user signs in. @param choosesAccount whether the user shall choose an account there, although they are signed in */
    async authorizationUrl(
      redirectUri: string,
      { state, nonce, verifier, since }: Checks,
      choosesAccount: boolean,
    ): Promise<string> {
      const configuration = await open();
      const client = await load();
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

    /** Checks the answer of the provider, and redeems its code. Its tokens are not kept. @param address where the browser came back to */
    async findProfile(address: URL, checks: Checks): Promise<Profile> {
      const claims = await redeem(address, checks).catch((error) =>
        error instanceof UpstreamFault ? Promise.reject(error) : fail(error),
      );
      return readProfile(upstream, claims) ?? fail(new Error('the claims name no user'), 'invalid-response');
    },
  };
}

/** The browser is led to one of them, and our secret goes to the other. @throws {Error} if one is no address, or has no TLS although the issuer has it */
function requireEndpoints(configuration: Configuration, issuer: URL): void {
  const { authorization_endpoint, token_endpoint } = configuration.serverMetadata();
  for (const [name, endpoint] of Object.entries({ authorization_endpoint, token_endpoint })) {
    const protocol = URL.parse(String(endpoint))?.protocol;
    if (protocol !== 'https:' && !(protocol === 'http:' && issuer.protocol === 'http:'))
      throw new Error(`the ${name} of ${issuer.href} is no address of the web`);
  }
}

/** Network errors, time limits and answers of 500 or more are the provider's. */
function reasonOf(error: unknown): UpstreamFault['reason'] {
  const { code = '', error: answer = '', status = 0, cause } = error as Readonly<Record<string, unknown>>;
  if (answer === 'access_denied') return 'denied';
  const isAway =
    ['OAUTH_TIMEOUT', 'OAUTH_ABORT'].includes(String(code)) ||
    ['server_error', 'temporarily_unavailable'].includes(String(answer)) ||
    Math.max(Number(status), cause instanceof Response ? cause.status : 0) >= 500 ||
    (error instanceof TypeError && code === '') ||
    cause instanceof TypeError;
  return isAway ? 'unreachable' : 'invalid-response';
}
