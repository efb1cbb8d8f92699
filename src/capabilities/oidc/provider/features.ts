import type { Configuration, KoaContextWithOIDC } from 'oidc-provider';
import type { Account } from '../../../core/users/account.ts';
import { ownScopes, readNames } from '../../../core/users/scopes.ts';
import { tableOf } from '../claim-table.ts';
import { claimsOf } from '../claims.ts';
import { isDocumentClient, mayUse, type ProviderClient } from '../clients/library-client.ts';
import { type Machine, machineGrant, machineTokenSeconds, onlyResource, scopesAt } from '../machines/machine.ts';
import { introspectionClaims } from './client-claims.ts';
import { isStillExchanged } from './exchange.ts';
import { prefetch } from './fetch.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { findAccountIn, findClientIn, requestOf } from './requests.ts';
import { describeServer } from './resource-server.ts';

type Features = NonNullable<Configuration['features']>;

/** Configures the features of the library that Janua offers. */
export const createFeatures = (options: ProviderOptions): Features => ({
  devInteractions: { enabled: false },
  dPoP: { enabled: true },
  pushedAuthorizationRequests: { enabled: true },
  claimsParameter: { enabled: true },
  clientCredentials: { enabled: true },
  backchannelLogout: { enabled: true },
  rpInitiatedLogout: { enabled: true },
  revocation: {
    enabled: true,
    allowedPolicy: async (_ctx, client, token) => token.clientId === client.clientId,
  },
  introspection: {
    enabled: true,
    async allowedPolicy(ctx, client, token) {
      if (await mayAsk(client, token, options)) {
        if ((token as IssuedToken).kind === 'ClientCredentials') return isProgramsToken(token, options);
        if (!(await isStillExchanged(token as IssuedToken, options))) return false;
        const account = await findUserOfToken(ctx, client, token, options);
        if (account !== undefined) Object.assign(ctx.state, await describeToken(token, account, client, options));
        return account !== undefined;
      }
      ctx.state.refusal = options.onRefused({
        request: requestOf(ctx),
        clientId: client.clientId,
        clientName: client.clientName,
        error: 'invalid_token',
        reason: 'token-of-another',
        detail: `the token is for ${audienceOf(token) ?? token.clientId}`,
        parameters: {},
      });
      return false;
    },
  },
  deviceFlow: {
    enabled: true,
    charset: 'base-20',
    mask: '****-****',
    // The `User-Agent` is left out, because a stranger chooses its length.
    deviceInfo: (ctx) => ({ address: requestOf(ctx)?.caller.address }),
  },
  resourceIndicators: createResourceIndicators(options),
  ...(options.allowsDocument && {
    rpMetadataChoices: { enabled: true },
    clientIdMetadataDocument: {
      enabled: true,
      ack: 'draft-02',
      async allowFetch(ctx: KoaContextWithOIDC | undefined, address: string) {
        if (!options.allowsDocument?.(address)) return false;
        await prefetch(options, ctx, address);
        return true;
      },
      allowClient: async (_ctx: KoaContextWithOIDC, { clientId }: { clientId: string }) =>
        options.allowsDocument?.(clientId) ?? false,
    },
  }),
});

interface IssuedToken {
  /** The name of its model, such as `AccessToken`. */
  readonly kind?: string | undefined;
  readonly scope?: string | undefined;
  readonly clientId?: string | undefined;
  /** The resource that the token was made for, if any. */
  readonly aud?: unknown;
}

const audienceOf = ({ aud }: IssuedToken) => (aud === undefined ? undefined : String(aud));

/**
 * Returns the `username` of an introspection response (RFC 7662 2.2), if the token is an access token, and its scopes allow the name. Other
 * responses have none. Mail servers accept any token with a username, and a refresh token is valid for a month.
 */
function usernameFor(
  { scope = '' }: IssuedToken,
  account: Account,
  client: { readonly claims?: unknown } | undefined,
): string | undefined {
  // The table gives this user another name, or none.
  if (tableOf(client).some(({ claim }) => claim === 'preferred_username')) return undefined;
  const { preferred_username: username, email } = claimsOf('', account);
  const scopes = readNames(scope);
  return scopes.includes('profile') ? username : scopes.includes('email') ? email : undefined;
}

/** Returns what an introspection response says about the user: the `username`, and the claims that the table of the client puts there. */
async function describeToken(token: IssuedToken, account: Account, asking: ProviderClient, options: ProviderOptions) {
  const { kind, clientId = '' } = token;
  if (kind !== 'AccessToken') return {};
  const client = clientId === asking.clientId ? asking : await findClientIn(clientId, options);
  const claims = await introspectionClaims(client, account, options);
  const { preferred_username: named } = claims;
  return { claims, username: typeof named === 'string' ? named : usernameFor(token, account, client) };
}

/**
 * Tells whether a client has a redirect address on the origin of a resource. Such a client may ask about the tokens of a resource that has
 * no secret (`mayAsk`).
 */
const isOfOrigin = ({ redirectUris = [] }: ProviderClient, resource: unknown): boolean =>
  redirectUris.some((address) => URL.parse(address)?.origin === URL.parse(String(resource))?.origin);

/** Finds the user of a token. Undefined if the user may no longer use the application that has the token. */
async function findUserOfToken(
  ctx: object,
  asking: ProviderClient,
  token: object,
  options: ProviderOptions,
): Promise<Account | undefined> {
  const { accountId, clientId = '' } = token as { readonly accountId?: string; readonly clientId?: string };
  const account = accountId === undefined ? undefined : await findAccountIn(ctx, accountId, options);
  const groups = (clientId === asking.clientId ? asking : await findClientIn(clientId, options))?.groups;
  return account !== undefined && mayUse({ clientId, groups }, account.user) ? account : undefined;
}

/** Tells whether a program may still have its token, and all that it carries. */
async function isProgramsToken(
  { clientId = '', aud, scope }: IssuedToken,
  { findClient, isGranted, issuer }: ProviderOptions,
): Promise<boolean> {
  const { machine } = (await findClient(clientId)) ?? {};
  if (machine === undefined || !(await isGranted(machine))) return false;
  const allowed = scopesAt(machine, String(aud), issuer);
  return readNames(scope).every((name) => allowed.includes(name));
}

/**
 * Tells whether a client may ask about a token. A resource with a secret may ask about tokens that were made for it, and an application
 * about its own. If a resource has no secret, a client with an address on its origin may ask instead.
 */
async function mayAsk(client: ProviderClient, token: IssuedToken, { findResource }: ProviderOptions): Promise<boolean> {
  const { tokenEndpointAuthMethod, api } = client;
  const audience = audienceOf(token);
  if (api !== undefined) return audience === api;
  if (tokenEndpointAuthMethod === 'none' || isDocumentClient(client.clientId)) return false;
  if (token.clientId === client.clientId) return true;
  if (audience === undefined || !isOfOrigin(client, audience)) return false;
  const resource = await findResource(audience);
  return resource !== undefined && resource.clientId === undefined;
}

/**
 * Narrows the scopes of a program's request to those that it may have at the resource. Without any, it gets them all (RFC 6749 3.3).
 * @throws {errors.InvalidTarget} for a resource at which it may have none; {errors.InvalidScope} if it may have none of those
 */
async function narrowToGrant(
  { oidc: { client, params = {} }, state }: KoaContextWithOIDC,
  uri: string,
  { isGranted, issuer }: ProviderOptions,
) {
  const machine = client?.machine as Machine | undefined;
  const isStillGranted = machine !== undefined && (await isGranted(machine));
  const allowed = isStillGranted ? scopesAt(machine, uri, issuer) : [];
  if (allowed.length === 0) state.reason = isStillGranted ? 'not-of-program' : 'grant-ended';
  if (allowed.length === 0) throw new errors.InvalidTarget('unknown resource');
  const asked = readNames(typeof params.scope === 'string' ? params.scope : '');
  const scopes = asked.length === 0 ? allowed : allowed.filter((scope) => asked.includes(scope));
  if (scopes.length === 0) state.reason = 'program-lacks-scope';
  if (scopes.length === 0) throw new errors.InvalidScope('no scope was granted', asked.join(' '));
  params.scope = scopes.join(' ');
}

function createResourceIndicators(options: ProviderOptions): Features['resourceIndicators'] {
  const { findResource, issuer } = options;
  return {
    enabled: true,
    async defaultResource({ oidc }, { machine }, oneOf) {
      if (oidc.params?.grant_type !== machineGrant) return oneOf ?? [];
      const only = machine === undefined ? undefined : onlyResource(machine as Machine, issuer);
      if (only === undefined) throw new errors.InvalidTarget('name the resource');
      return only;
    },
    // A token request need not repeat the resource of the authorization request. There is one at most.
    useGrantedResource: async () => true,
    async getResourceServerInfo(ctx, uri) {
      const { oidc } = ctx;
      // A token is for one resource, and the page of the consent shows one.
      if ([oidc.params?.resource ?? []].flat().length > 1) throw new errors.InvalidTarget('name one resource');
      const isProgram = oidc.params?.grant_type === machineGrant;
      if (isProgram) await narrowToGrant(ctx, uri, options);
      if (isProgram && uri === issuer)
        return {
          scope: Object.keys(ownScopes).join(' '),
          audience: issuer,
          accessTokenFormat: 'opaque',
          accessTokenTTL: machineTokenSeconds,
        };
      const resource = await findResource(uri);
      if (resource === undefined) throw new errors.InvalidTarget('unknown resource');
      return describeServer(resource);
    },
  };
}
