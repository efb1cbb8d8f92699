import type { KoaContextWithOIDC, Provider } from 'oidc-provider';
import { readNames } from '../../../core/users/scopes.ts';
import { exchangeGrant, mayUse, type ProviderClient } from '../clients/library-client.ts';
import type { Derive } from '../records/derived-ids.ts';
import type { Resource } from '../resources/resources.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { describeServer } from './resource-server.ts';

const onlyType = 'urn:ietf:params:oauth:token-type:access_token';

/** The parameters of RFC 8693 2.1. The library drops others. */
const parameters = [
  ...['subject_token', 'subject_token_type', 'requested_token_type', 'resource', 'scope'],
  ...['audience', 'actor_token', 'actor_token_type'],
];

type AccessToken = InstanceType<Provider['AccessToken']>;

/** An access token that was exchanged for another one. `act` names the resource that did so (RFC 8693 4.1). */
interface ExchangedToken {
  readonly gty?: string | undefined;
  readonly aud?: unknown;
  readonly scope?: string | undefined;
  readonly extra?: { readonly act?: { readonly sub?: string } } | undefined;
}

type ExchangeOptions = Pick<ProviderOptions, 'findResource' | 'findAccount'>;

/** Returns the claims to add to a token that is being exchanged. */
export const actorClaims = (ctx: KoaContextWithOIDC, { gty }: ExchangedToken) =>
  gty === exchangeGrant ? { act: { sub: apiOf(ctx.oidc.client) } } : undefined;

/** Returns the address of the resource that sends the request. */
const apiOf = (client: ProviderClient | undefined): string => String(client?.api);

/** Finds the scopes for which tokens of a resource may be exchanged, as far as the other resource still has them. */
const scopesOfPair = ({ exchanges }: Resource, target: Resource): readonly string[] =>
  (exchanges[target.uri] ?? []).filter((scope) => target.scopes.includes(scope));

/** Tells whether an administrator still allows the exchange by which a token was issued. True for other tokens. */
export async function isStillExchanged(
  { gty, aud, scope = '', extra }: ExchangedToken,
  { findResource }: ExchangeOptions,
): Promise<boolean> {
  if (gty !== exchangeGrant) return true;
  const [source, target] = [await findResource(String(extra?.act?.sub)), await findResource(String(aud))];
  if (source === undefined || target === undefined) return false;
  const allowed = scopesOfPair(source, target);
  return readNames(scope).every((name) => allowed.includes(name));
}

/**
 * Lets a resource exchange an opaque access token that it has received for one of another resource (RFC 8693), to call that one for the
 * same user. An administrator has allowed the pair, and the scopes. The new token ends with the grant and the session of the former one,
 * lasts no longer, and cannot be exchanged again.
 */
export function addTokenExchange(provider: Provider, options: ExchangeOptions, derive: Derive): void {
  const { findResource } = options;

  /** Finds the token that the resource has received. @throws {errors.InvalidRequest} RFC 8693 2.2.2 */
  async function findSubject({ oidc, state }: KoaContextWithOIDC) {
    const { params = {}, client } = oidc;
    const sent = await provider.AccessToken.find(String(params.subject_token));
    const holder = sent?.clientId === undefined ? undefined : await provider.Client.find(sent.clientId);
    const isOwn = sent?.isValid && sent.aud === client?.api && sent.gty !== exchangeGrant;
    if (isOwn && holder !== undefined && (await isOfUser(sent, holder))) return { token: sent, holder };
    state.reason = 'not-exchangeable';
    throw new errors.InvalidRequest('the subject_token is no valid token of a user that was made for this resource');
  }

  async function isOfUser({ accountId, clientId, grantId }: AccessToken, holder: ProviderClient): Promise<boolean> {
    const grant = grantId === undefined ? undefined : await provider.Grant.find(grantId);
    const account = await options.findAccount(accountId);
    return (
      grant?.accountId === accountId &&
      grant.clientId === clientId &&
      account !== undefined &&
      mayUse(holder, account.user)
    );
  }

  /** Finds the other resource, and the scopes of the new token. @throws {errors.InvalidTarget} @throws {errors.InvalidScope} */
  async function findTarget({ oidc, state }: KoaContextWithOIDC) {
    const { params = {}, client } = oidc;
    const uris = [params.resource ?? []].flat();
    if (uris.length !== 1) throw new errors.InvalidTarget('name one resource');
    const [source, target] = [await findResource(apiOf(client)), await findResource(String(uris[0]))];
    const allowed = source === undefined || target === undefined ? [] : scopesOfPair(source, target);
    if (target === undefined || allowed.length === 0) {
      state.reason = target && 'no-exchange';
      throw new errors.InvalidTarget('no exchange is allowed for that resource');
    }
    const asked = readNames(typeof params.scope === 'string' ? params.scope : '');
    const beyond = asked.filter((scope) => !allowed.includes(scope));
    if (beyond.length > 0) throw new errors.InvalidScope('the exchange does not allow that scope', beyond.join(' '));
    return { target, scope: allowed.filter((name) => asked.length === 0 || asked.includes(name)).join(' ') };
  }

  async function exchange(ctx: KoaContextWithOIDC): Promise<void> {
    requireParameters(ctx.oidc.params ?? {});
    const { token, holder } = await findSubject(ctx);
    const { target, scope } = await findTarget(ctx);
    const { accountId, grantId, sessionUid, sid, expiresWithSession } = token;
    const given = new provider.AccessToken({
      ...{ accountId, client: holder, gty: exchangeGrant, scope },
      ...{ grantId, sessionUid, sid, expiresWithSession },
    } as ConstructorParameters<Provider['AccessToken']>[0]);
    const described = describeServer(target);
    const accessTokenTTL = Math.min(described.accessTokenTTL, token.remainingTTL);
    given.resourceServer = new provider.ResourceServer(target.uri, { ...described, accessTokenTTL });
    // The library notes the format of a token when it makes the id.
    given.jti = (given as unknown as { generateTokenId(): string }).generateTokenId();
    // The same exchange gives the same token again, so that a resource that exchanges each token at each request fills no table.
    if (target.tokenFormat === 'opaque') given.jti = derive('exchanged token', token.jti, target.uri, scope);
    ctx.oidc.entity('AccessToken', given);
    ctx.body = {
      access_token: await given.save(),
      issued_token_type: onlyType,
      token_type: given.tokenType,
      expires_in: accessTokenTTL,
      scope,
    };
  }

  provider.registerGrantType(exchangeGrant, exchange, parameters, ['resource']);
}

/** @throws {errors.InvalidRequest} */
function requireParameters(params: Readonly<Record<string, unknown>>): void {
  const { subject_token: sent, subject_token_type: type, requested_token_type: wanted = onlyType } = params;
  const isBeyond = ['actor_token', 'actor_token_type', 'audience'].some((name) => params[name] !== undefined);
  const faults: readonly (string | false)[] = [
    typeof sent !== 'string' && "missing required parameter 'subject_token'",
    (type !== onlyType || wanted !== onlyType) && `only access tokens are exchanged: ${onlyType}`,
    isBeyond && "'actor_token' and 'audience' are not supported: name the 'resource'",
  ];
  const fault = faults.find((one) => one !== false);
  if (fault) throw new errors.InvalidRequest(fault);
}
