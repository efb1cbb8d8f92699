import type { Configuration, CustomFetch, ExportedJWKSCache } from 'openid-client';
import type { Log } from '../../ground/faults/log.ts';
import { readBody } from '../../ground/text/read-body.ts';
import type { Upstream } from './upstream.ts';
import type { Fail } from './upstream-fault.ts';

/** Milliseconds for which a provider's discovery document is used, and milliseconds before it is requested again after a failure. */
const [freshMilliseconds, retryMilliseconds] = [60 * 60 * 1000, 60 * 1000];

const timeoutSeconds = 5;

/** Seconds after which the library requests keys again for a key that it does not know. */
const keysCooldownSeconds = 60;

const jsonType = { 'content-type': 'application/json' };

/**
 * Longest answers of a provider, in bytes, and the longest text in its discovery document, in characters. Some providers put pictures into
 * userinfo. The document is parsed for each sign-in, and a URL parser takes quadratic time for a long host.
 */
const longest = { answer: 128 * 1024, userinfo: 1024 * 1024, document: 64 * 1024, text: 512 };

/** Loaded at the first sign-in, because most servers need no more than passwords. */
export const loadLibrary = () => import('openid-client');

export interface ProviderOptions {
  /** Default: `fetch` of Node. */
  readonly fetch: CustomFetch | undefined;
  readonly log: Pick<Log, 'warn'>;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** Makes configurations for a provider. Its discovery document is cached for an hour. */
export function createConfigurations(upstream: Upstream, { fetch, now }: Omit<ProviderOptions, 'log'>, fail: Fail) {
  const { kind, issuer, clientId, clientSecret } = upstream;
  const fetchAtMost =
    (bytesOf: (address: string) => number): CustomFetch =>
    async (address, init) => {
      const response = await (fetch ?? (globalThis.fetch as CustomFetch))(address, init);
      const { status, headers } = response;
      return new Response(response.body && (await readBody(response.body, bytesOf(address))), { status, headers });
    };

  /** The discovery document of the provider, as JSON, and when it expires in milliseconds since 1970. */
  let known: { readonly document: string; readonly until: number } | undefined;

  let opening: Promise<string> | undefined;

  let keys: ExportedJWKSCache | undefined;

  /** @param fetch returns the discovery document */
  async function configure(fetch: CustomFetch): Promise<Configuration> {
    const client = await loadLibrary();
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
    const userinfo = URL.parse(String(configuration.serverMetadata().userinfo_endpoint))?.href;
    configuration[client.customFetch] = fetchAtMost((address) =>
      address === userinfo ? longest.userinfo : longest.answer,
    );
    return configuration;
  }

  async function configureGitHub(): Promise<Configuration> {
    const client = await loadLibrary();
    const endpoints = {
      issuer,
      authorization_endpoint: `${issuer}/login/oauth/authorize`,
      token_endpoint: `${issuer}/login/oauth/access_token`,
    };
    const configuration = new client.Configuration(endpoints, clientId, {}, client.ClientSecretPost(clientSecret));
    configuration.timeout = timeoutSeconds;
    configuration[client.customFetch] = fetchAtMost(() => longest.answer);
    return configuration;
  }

  /** Requests the discovery document of the provider. */
  async function discover(): Promise<string> {
    let document = '';
    await configure(async (address, init) => {
      const answer = await fetchAtMost(() => longest.document)(address, init);
      document = await answer.clone().text();
      return answer;
    });
    return document;
  }

  /**
   * Makes a configuration for one sign-in, with the cached keys of the provider. If a token has an unknown key, the library requests the
   * keys again only if they are older than a minute. The cache is dated back, so that a key that the provider has just added is found at
   * once.
   */
  async function open(): Promise<Configuration> {
    if (kind === 'github') return configureGitHub();
    const document = await findDocument();
    const configuration = await configure(async () => new Response(document, { headers: jsonType }));
    const uat = Math.min(keys?.uat ?? 0, Math.floor(Date.now() / 1000) - keysCooldownSeconds);
    if (keys !== undefined) (await loadLibrary()).setJwksCache(configuration, { ...keys, uat });
    return configuration;
  }

  /** Finds the discovery document. Parallel sign-ins share one request to the provider. */
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

  return {
    open,

    /** Requests the discovery document again. GitHub has none. */
    async check(): Promise<void> {
      await (kind === 'github' ? configureGitHub() : discover()).catch((error) => fail(error, 'unreachable'));
    },

    /** Caches the keys that the library has requested from the provider. */
    async keepKeys(configuration: Configuration): Promise<void> {
      keys = (await loadLibrary()).getJwksCache(configuration) ?? keys;
    },
  };
}

/**
 * Checks the endpoints. Browsers are sent to one of them, and our client secret to the other.
 * @throws {Error} if one is no address, or has no TLS although the issuer has it, or if a text of the document is too long
 */
function requireEndpoints(configuration: Configuration, issuer: URL): void {
  const metadata = configuration.serverMetadata();
  for (const [name, value] of Object.entries(metadata))
    if (typeof value === 'string' && value.length > longest.text)
      throw new Error(`the ${name} of ${issuer.href} has more than ${longest.text} characters`);
  const { authorization_endpoint, token_endpoint } = metadata;
  for (const [name, endpoint] of Object.entries({ authorization_endpoint, token_endpoint })) {
    const protocol = URL.parse(String(endpoint))?.protocol;
    if (protocol !== 'https:' && !(protocol === 'http:' && issuer.protocol === 'http:'))
      throw new Error(`the ${name} of ${issuer.href} is no address of the web`);
  }
}
