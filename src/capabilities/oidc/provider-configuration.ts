import { type Configuration, errors, type KoaContextWithOIDC, type Provider } from 'oidc-provider';
import { pageWithHints } from '../../ground/text/page-hints.ts';
import { pathWithNext } from '../../web/next.ts';
import { isSameOrigin } from './addresses.ts';
import { acrValues, claimsOf, claimsOfScopes } from './claims.ts';
import type { Derive } from './derived-ids.ts';
import { adapterOf } from './provider-adapter.ts';
import {
  codeGrant,
  findMissingChallenge,
  isDocument,
  lasts,
  mayUse,
  type ProviderClient,
  refreshGrant,
} from './provider-client.ts';
import type { ProviderOptions } from './provider-options.ts';
import { createPolicy } from './provider-policy.ts';
import { requestOf, signedInOf } from './provider-requests.ts';
import { authorizationPath, waitingSeconds, withoutPrompt } from './waiting.ts';

/** Seconds that an assertion of a client may still last. Until then, Janua remembers that it was used. */
const longestAssertion = 300;

/** Seconds by which the clock of a client may be wrong. */
const clockTolerance = 15;

/** Whether a client has an address on the origin of a resource. */
const isOfOrigin = ({ redirectUris = [] }: ProviderClient, resource: unknown): boolean =>
  redirectUris.some((address) => URL.parse(address)?.origin === URL.parse(String(resource))?.origin);

interface IssuedToken {
  readonly clientId?: string | undefined;
  /** The resource that it was made for, if any. */
  readonly aud?: unknown;
}

const audienceOf = ({ aud }: IssuedToken) => (aud === undefined ? undefined : String(aud));

/** What the configuration needs of the provider that is made of it. */
interface Own {
  readonly derive: Derive;
  /** Where a browser without a session asks again, once its user has logged in. */
  readonly returnAddress: (parameters: Readonly<Record<string, unknown>>) => string;
  readonly needsConsent: (ctx: KoaContextWithOIDC) => Promise<boolean>;
  readonly loadGrant: (ctx: KoaContextWithOIDC) => Promise<InstanceType<Provider['Grant']> | undefined>;
}

/** What we offer and how long it lasts. What is not offered is off: less is safer. */
export function configure(options: ProviderOptions, own: Own): Configuration {
  /** Whether the user of a token may still use the application that has it. */
  async function isLetIn(token: object): Promise<boolean> {
    const { accountId, clientId = '' } = token as { readonly accountId?: string; readonly clientId?: string };
    const account = accountId === undefined ? undefined : await options.findAccount(accountId);
    const groups = (await options.findClient(clientId))?.groups;
    return account !== undefined && mayUse({ clientId, groups }, account.user);
  }

  /**
   * A resource with a secret asks about tokens that were made for it, and an application about its own. Where a resource has no secret, a
   * client with an address on its origin may ask for it.
   */
  async function mayAsk(client: ProviderClient, token: IssuedToken): Promise<boolean> {
    const { tokenEndpointAuthMethod, api } = client;
    const audience = audienceOf(token);
    if (api !== undefined) return audience === api;
    if (tokenEndpointAuthMethod === 'none' || isDocument(client.clientId)) return false;
    if (token.clientId === client.clientId) return true;
    if (audience === undefined || !isOfOrigin(client, audience)) return false;
    const resource = await options.findResource(audience);
    return resource !== undefined && resource.clientId === undefined;
  }

  return {
    adapter: (model: string) => adapterOf(model, options),
    jwks: { keys: [...options.keys] },
    acrValues: Object.values(acrValues),
    claims: { ...claimsOfScopes, iss: null, sid: null },
    scopes: ['openid', 'offline_access'],
    // Many applications read the ID token alone.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientAuthMethods: [
      'client_secret_basic',
      'client_secret_post',
      'none',
      ...(options.allowsDocument ? (['private_key_jwt'] as const) : []),
    ],
    clientDefaults: { grant_types: [codeGrant], response_types: ['code'], id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: { properties: ['own', 'groups', 'secondFactor', 'pkce', 'api'] },
    enabledJWA: {
      idTokenSigningAlgValues: ['RS256'],
      clientAuthSigningAlgValues: ['RS256', 'PS256', 'ES256'],
    },
    assertJwtClientAuthClaimsAndHeader({ oidc }, { aud, exp }) {
      // With a list, or the address of an endpoint, another server could use the assertion here (draft-ietf-oauth-rfc7523bis).
      if (aud !== oidc.issuer) throw new errors.InvalidClientAuth('the audience is not the issuer alone');
      const last = Date.now() / 1000 + longestAssertion + clockTolerance;
      if (Number(exp) > last) throw new errors.InvalidClientAuth('it lasts too long');
    },
    clockTolerance,
    discovery: { service_documentation: undefined },
    pkce: {
      required({ oidc, state }, client) {
        const missing = findMissingChallenge(client, oidc.params ?? {});
        if (missing === undefined) return false;
        const other = missing === 'no-challenge-nor-nonce' && client.pkce !== 'required' ? ', or a nonce' : '';
        const words = `send code_challenge with code_challenge_method=S256 (PKCE)${other}`;
        state.reason = missing;
        throw new errors.InvalidRequest(words);
      },
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    enableHttpPostMethods: false,
    fetch: (address, init) => options.fetch(address instanceof Request ? address.url : address, init),
    cookies: {
      keys: [own.derive('cookies')],
      names: { session: 'oidc-session', interaction: 'oidc-interaction', resume: 'oidc-resume' },
      short: { httpOnly: true, sameSite: 'lax', secure: options.issuer.startsWith('https:') },
    },
    routes: {
      authorization: authorizationPath,
      token: '/oidc/token',
      userinfo: '/oidc/userinfo',
      jwks: '/oidc/jwks',
      introspection: '/oidc/introspection',
      revocation: '/oidc/revocation',
      end_session: '/oidc/logout',
      device_authorization: '/oidc/device-authorization',
      code_verification: '/oidc/device',
    },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 3600,
      AuthorizationCode: 60,
      DeviceCode: 600,
      Grant: options.sessionSeconds,
      IdToken: 3600,
      Interaction: waitingSeconds,
      RefreshToken: 30 * 86_400,
      Session: options.sessionSeconds,
    },
    features: {
      devInteractions: { enabled: false },
      dPoP: { enabled: false },
      pushedAuthorizationRequests: { enabled: false },
      claimsParameter: { enabled: true },
      backchannelLogout: { enabled: true },
      rpInitiatedLogout: { enabled: true },
      revocation: {
        enabled: true,
        allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
      },
      introspection: {
        enabled: true,
        async allowedPolicy(ctx, client, token) {
          if (await mayAsk(client, token)) return isLetIn(token);
          ctx.state.refusal = options.onRefused({
            request: requestOf(ctx),
            clientId: client.clientId,
            error: 'invalid_token',
            ...{
              reason: 'token-of-another',
              detail: `the token is for ${audienceOf(token) ?? token.clientId}`,
              parameters: {},
            },
          });
          return false;
        },
      },
      deviceFlow: {
        enabled: true,
        charset: 'base-20',
        mask: '****-****',
        // Without `User-Agent`, whose length a stranger chooses.
        deviceInfo: (ctx) => ({ address: requestOf(ctx)?.caller.address }),
      },
      resourceIndicators: {
        enabled: true,
        defaultResource: async (_ctx, _client, oneOf) => oneOf ?? [],
        // A resource that was asked for at authorization need not be named again. There is one at most.
        useGrantedResource: async () => true,
        async getResourceServerInfo({ oidc }, uri) {
          // A token is for one, and the user sees one.
          if ([oidc.params?.resource ?? []].flat().length > 1) throw new errors.InvalidTarget('name one resource');
          const resource = await options.findResource(uri);
          if (resource === undefined) throw new errors.InvalidTarget('unknown resource');
          const isSigned = resource.tokenFormat === 'jwt';
          return {
            scope: resource.scopes.join(' '),
            audience: resource.uri,
            accessTokenFormat: resource.tokenFormat,
            accessTokenTTL: isSigned ? 300 : 3600,
            ...(isSigned && { jwt: { sign: { alg: resource.alg } } }),
          };
        },
      },
      ...(options.allowsDocument && {
        rpMetadataChoices: { enabled: true },
        clientIdMetadataDocument: {
          enabled: true,
          ack: 'draft-02',
          allowFetch: async (_ctx: KoaContextWithOIDC, address: string) => options.allowsDocument?.(address) ?? false,
          allowClient: async (_ctx: KoaContextWithOIDC, { clientId }: { clientId: string }) =>
            options.allowsDocument?.(clientId) ?? false,
        },
      }),
    },
    interactions: {
      policy: createPolicy(own.needsConsent, options.signUpPath !== undefined),
      async url(ctx, { uid, params, prompt }) {
        // The mail may arrive long after the request, so that the sign-up alone would not show that it was meant.
        if (prompt.name === 'create' && options.signUpPath !== undefined)
          return pathWithNext(options.signUpPath, own.returnAddress(withoutPrompt(params, 'create')));
        return signedInOf(ctx) === undefined
          ? own.returnAddress(params)
          : pageWithHints(`/oidc/interaction/${uid}`, params);
      },
    },
    clientBasedCORS: (_ctx, origin, { redirectUris = [] }) =>
      redirectUris.some((address) => isSameOrigin(origin, new URL(address).origin)),
    expiresWithSession: async ({ oidc }, source) => !lasts(oidc.client ?? { clientId: '' }, source.scopes),
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed(refreshGrant),
    rotateRefreshToken: true,
    async findAccount({ oidc }, subject, token) {
      const account = await options.findAccount(subject);
      // What lasts then ends for good: to look for the grant ends it.
      if (account === undefined && token && 'grantId' in token)
        await options.records.of('Grant').find(String(token.grantId));
      if (account === undefined || (oidc.client !== undefined && !mayUse(oidc.client, account.user))) return undefined;
      return { accountId: subject, claims: async () => claimsOf(subject, account) };
    },
    loadExistingGrant: own.loadGrant,
    renderError(ctx, fault) {
      ctx.state.fault = fault;
      ctx.body = fault;
    },
  };
}
