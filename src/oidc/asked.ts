import { claimsOfScopes } from './claims.ts';

/** What a request asks for: scopes of OpenID Connect, single claims, and scopes of resources. */
export interface Asked {
  readonly requestParamOIDCScopes: ReadonlySet<string>;
  readonly requestParamClaims: ReadonlySet<string>;
  readonly requestParamScopes: ReadonlySet<string>;
  readonly resourceServers?: Readonly<Record<string, { readonly scopes: ReadonlySet<string> }>> | undefined;
}

/** Scopes of a resource are kept with its address, because another one may have a scope of the same name. */
export const resourceScope = (scope: string, resource: string): string => `${scope}@${resource}`;

export const scopesOfResources = ({ requestParamScopes, resourceServers = {} }: Asked) =>
  Object.entries(resourceServers).flatMap(([resource, { scopes }]) =>
    [...requestParamScopes].filter((scope) => scopes.has(scope)).map((scope) => ({ resource, scope })),
  );

/** As consents keep it. A claim belongs to its scope. */
export const requestedOf = (asked: Asked): string[] => [
  ...new Set([
    ...asked.requestParamOIDCScopes,
    ...[...asked.requestParamClaims].flatMap((claim) => scopeOfClaim(claim) ?? []),
    ...scopesOfResources(asked).map(({ scope, resource }) => resourceScope(scope, resource)),
  ]),
];

export const scopeOfClaim = (claim: string): string | undefined =>
  Object.entries(claimsOfScopes).find(([, claims]) => (claims as readonly string[]).includes(claim))?.[0];
