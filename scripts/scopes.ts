import { claimsOfScopes } from '../src/capabilities/oidc/claims.ts';
import { providerScopes } from '../src/capabilities/oidc/sign-in/requested-scopes.ts';
import { admins, ownScopes, rightsOf } from '../src/core/users/scopes.ts';
import { asCode, asTable } from './markdown.ts';

const claimsOf = (scope: string): string =>
  Object.hasOwn(claimsOfScopes, scope)
    ? claimsOfScopes[scope as keyof typeof claimsOfScopes].map(asCode).join(', ')
    : 'a refresh token that outlives the session';

/** Every scope. @param routes with the scopes that open each */
export function makeScopesPage(made: string, routes: ReadonlyMap<string, readonly string[]>): string {
  const ofAdmins = rightsOf([admins], []).scopes;
  const opens = (scope: string) => [...routes].filter(([, scopes]) => scopes.includes(scope)).map(([route]) => route);
  return `# Scopes

${made} [Administration](../administration.md#groups-and-scopes) says how to grant them.

## Janua's own

A request has a scope if a group of its user grants it, and its credential carries it. To change users, groups and clients, an
administrator also needs [the rights that they hold](../administration.md#who-may-change-what).

${asTable(
  ['scope', 'allows', 'routes', 'held by default'],
  Object.entries(ownScopes).map(([scope, words]) => [
    asCode(scope),
    words,
    opens(scope).map(asCode).join('<br>'),
    ofAdmins.includes(scope) ? `members of ${asCode(admins)}` : 'no user',
  ]),
)}

Every page has the same address below \`/api\` too.

## Of your applications

| scopes | allow | held by default |
| --- | --- | --- |
| those that \`SCOPES\` names | what your application does with them ([Fastify](../library.md)) | no user: grant them to groups |
| those of \`janua resources add URI --scopes …\` | what the [server that accepts access tokens](../openid/README.md) does with them | an application that asks for them, with the consent of its user |

## Of OpenID Connect

An application that asks for a scope gets it with the consent of its user. Janua does not ask for applications that were added
with \`--own\`.

${asTable(
  ['scope', 'gives the application'],
  providerScopes.map((scope) => [asCode(scope), claimsOf(scope)]),
)}
`;
}
