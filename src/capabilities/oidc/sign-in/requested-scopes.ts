import { readNames } from '../../../core/users/scopes.ts';
import { claimsOfScopes } from '../claims.ts';
import type { Resource } from '../resources/resources.ts';

/** All scopes of OpenID Connect that Janua supports. */
export const providerScopes: readonly string[] = [...Object.keys(claimsOfScopes), 'offline_access'];

/** The scopes of OpenID Connect, single claims, and scopes of resources that a request asks for. */
export interface RequestedScopes {
  readonly requestParamOIDCScopes: ReadonlySet<string>;
  readonly requestParamClaims: ReadonlySet<string>;
  readonly requestParamScopes: ReadonlySet<string>;
  readonly resourceServers?: Readonly<Record<string, { readonly scopes: ReadonlySet<string> }>> | undefined;
}

/**
 * Returns the name of a resource's scope in a consent. It contains the address, because another resource may have a scope of the same name.
 */
export const resourceScope = (scope: string, resource: string): string => `${scope}@${resource}`;

export const scopesOfResources = ({ requestParamScopes, resourceServers = {} }: RequestedScopes) =>
  Object.entries(resourceServers).flatMap(([resource, { scopes }]) =>
    [...requestParamScopes].filter((scope) => scopes.has(scope)).map((scope) => ({ resource, scope })),
  );

/** Lists the scopes that a request asks for, as consents store them. A claim counts as its scope. */
export const requestedOf = (asked: RequestedScopes): string[] => [
  ...new Set([
    ...asked.requestParamOIDCScopes,
    ...[...asked.requestParamClaims].flatMap((claim) => scopeOfClaim(claim) ?? []),
    ...scopesOfResources(asked).map(({ scope, resource }) => resourceScope(scope, resource)),
  ]),
];

export const scopeOfClaim = (claim: string): string | undefined =>
  Object.entries(claimsOfScopes).find(([, claims]) => (claims as readonly string[]).includes(claim))?.[0];

/** Lists the claims that a request names one by one (OpenID Connect Core 5.5). Unknown claims are left out. */
function claimsIn(sent: unknown): string[] {
  const { userinfo, id_token }: Record<string, object | undefined> = JSON.parse(String(sent ?? '{}'));
  return [userinfo, id_token].flatMap((part) => Object.keys(part ?? {})).filter((claim) => scopeOfClaim(claim));
}

type FindResource = (uri: string) => Promise<Resource | undefined>;

/** Reads from the parameters of a request which scopes and claims it asks for. */
export async function readRequestedScopes(
  parameters: Readonly<Record<string, unknown>>,
  findResource: FindResource,
): Promise<RequestedScopes> {
  const { resource, claims } = parameters;
  const scope = typeof parameters.scope === 'string' ? parameters.scope : '';
  const found = await findResources(resource, findResource);
  const scopes = [...readNames(scope), ...findImpliedScopes(found, scope)];
  return {
    requestParamScopes: new Set(scopes),
    requestParamOIDCScopes: new Set(scopes.filter((name) => providerScopes.includes(name))),
    requestParamClaims: new Set(claimsIn(claims)),
    resourceServers: Object.fromEntries(found.map(([uri, names]) => [uri, { scopes: new Set(names) }])),
  };
}

/** Adds the scopes that `findImpliedScopes` finds. */
export async function withScopes<Parameters extends Readonly<Record<string, unknown>>>(
  parameters: Parameters,
  findResource: FindResource,
): Promise<Parameters> {
  const { resource, scope = '' } = parameters;
  // A request may name one resource. The library refuses several.
  if (typeof scope !== 'string' || Array.isArray(resource)) return parameters;
  const unnamed = findImpliedScopes(await findResources(resource, findResource), scope);
  return unnamed.length === 0 ? parameters : { ...parameters, scope: [...readNames(scope), ...unnamed].join(' ') };
}

/**
 * Finds the scopes to add to a request. A client of MCP names a resource, and often none of its scopes. The client then gets all of them.
 */
function findImpliedScopes(found: readonly FoundResource[], scope: string): readonly string[] {
  const names = found.flatMap(([, scopes]) => scopes);
  return readNames(scope).some((name) => names.includes(name)) ? [] : names;
}

/** The address as the request spells it, and the scopes of the resource. */
type FoundResource = readonly [string, readonly string[]];

async function findResources(sent: unknown, findResource: FindResource): Promise<FoundResource[]> {
  const uris = [sent ?? []].flat().map(String);
  const found = await Promise.all(uris.map(async (uri) => [uri, (await findResource(uri))?.scopes] as const));
  return found.flatMap(([uri, scopes]) => (scopes === undefined ? [] : [[uri, scopes] as const]));
}
