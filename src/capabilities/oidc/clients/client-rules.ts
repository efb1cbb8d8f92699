import type { FieldFault } from '../../../core/access/refusal.ts';
import { admins, ownScopes } from '../../../core/users/scopes.ts';
import { isPlainLine, printable } from '../../../ground/text/printable.ts';
import { machineScopes } from '../machines/machine.ts';
import { longestTrust, mostTrusts, nameTrust, type Trust, textOfTrust } from '../machines/trust.ts';
import type { NewResource } from '../resources/resources.ts';
import { providerScopes } from '../sign-in/requested-scopes.ts';
import { findTableFaults } from './claim-rules.ts';
import { hasKeys } from './client-keys.ts';
import { longestDays, type NewSecret } from './client-secrets.ts';
import { type ClientSettings, isProgram, type NewClient, signsUsersIn } from './clients.ts';
import { mayOmitNonce } from './library-client.ts';
import { findRedirectFault, isBackchannelUri, isPage, isResourceUri } from './uri-rules.ts';

export const maxNameLength = 100;
export const mostAddresses = 50;

/** RFC 6749 3.3. */
const scopeToken = /^[!#-[\]-~]{1,100}$/;

export interface ClientRules {
  /** Names of all groups. Undefined if a column of a team's own table has them. */
  readonly groups: readonly string[] | undefined;
  /** Hosts that may be called without TLS. */
  readonly privateHosts: readonly string[];
  /** The origins of this server. */
  readonly publicOrigins: ReadonlySet<string>;
}

/**
 * Finds the faults of a client, field by field.
 * @param before the client before a change. A program may lose its grant without becoming an application
 */
export function findClientFaults(client: NewClient, rules: ClientRules, before?: ClientSettings): FieldFault[] {
  const { groups, privateHosts } = rules;
  const { name, redirectUris, postLogoutRedirectUris, backchannelLogoutUri, clientUri, machine } = client;
  const isApplication = machine === undefined && (before === undefined || signsUsersIn(before));
  const judge = (field: string, uris: readonly string[]): FieldFault | false => {
    if (uris.length > mostAddresses) return { field, code: 'too-many', values: { count: mostAddresses } };
    const [fault] = uris.flatMap((uri) => {
      const code = findRedirectFault(uri, client);
      return code === undefined ? [] : [{ field, code, values: { address: printable(uri.slice(0, 255)) } }];
    });
    return fault ?? false;
  };
  const unknownGroup = client.groups.find((group) => groups?.includes(group) === false);
  const checks: readonly (FieldFault | false)[] = [
    name === '' && { field: 'name', code: 'missing' },
    [...name].length > maxNameLength && { field: 'name', code: 'too-long', values: { count: maxNameLength } },
    !isPlainLine(name) && { field: 'name', code: 'malformed' },
    isApplication && !signsUsersIn(client) && { field: 'redirect_uris', code: 'missing' },
    judge('redirect_uris', redirectUris),
    judge('post_logout_redirect_uris', postLogoutRedirectUris),
    backchannelLogoutUri !== undefined &&
      !isBackchannelUri(backchannelLogoutUri, privateHosts) && {
        field: 'backchannel_logout_uri',
        code: 'not-a-backchannel',
      },
    clientUri !== undefined && !isPage(clientUri) && { field: 'client_uri', code: 'not-a-page' },
    client.pkce === 'optional' &&
      !mayOmitNonce(client, client.isPublic) && { field: 'pkce', code: 'pkce-not-optional' },
    unknownGroup !== undefined && {
      field: 'groups',
      code: 'unknown-group',
      values: { name: printable(unknownGroup.slice(0, 64)) },
    },
    ...findMachineFaults(client, groups),
    // Its secrets may be in the hands of administrators who may do less than the program.
    machine !== undefined &&
      before !== undefined &&
      !isProgram(before) && { field: 'machine_scopes', code: 'not-of-application' },
    ...findTrustFaults(client, rules),
    client.claims.length > 0 && machine !== undefined && { field: 'claims', code: 'not-of-program' },
    ...findTableFaults(client.claims, groups, before?.claims),
    ...findKeyFaults(client, rules),
  ];
  return checks.filter((fault) => fault !== false);
}

/** Finds the faults of a program that acts as itself. Its resources are judged where they are stored. */
function findMachineFaults(
  { machine, isPublic, device, own, redirectUris, secondFactor, boundTokens }: NewClient,
  groups: ClientRules['groups'],
): (FieldFault | false)[] {
  if (machine === undefined) return [];
  const { scopes, within, may } = machine;
  const code = 'not-of-program';
  const unknown = within.find((group) => group === admins || groups?.includes(group) === false);
  return [
    isPublic && { field: 'public', code },
    device && { field: 'device', code },
    own && { field: 'own', code },
    secondFactor && { field: 'second_factor', code },
    // No route of Janua takes the proof that such a token needs.
    boundTokens && scopes.length > 0 && { field: 'dpop_bound_access_tokens', code },
    redirectUris.length > 0 && { field: 'redirect_uris', code },
    scopes.length === 0 && Object.keys(may).length === 0 && { field: 'machine_scopes', code: 'missing' },
    scopes.some((scope) => !machineScopes.some((known) => known === scope)) && {
      field: 'machine_scopes',
      code: 'not-a-program-scope',
      values: { scopes: machineScopes.join(', ') },
    },
    scopes.length > 0 && within.length === 0 && { field: 'within', code: 'missing' },
    unknown !== undefined && {
      field: 'within',
      code: unknown === admins ? 'not-within-admins' : 'unknown-group',
      values: { name: printable(unknown.slice(0, 64)) },
    },
  ];
}

/** Finds the faults of the trusts of a client. `parseTrust` has judged what they compare. */
function findTrustFaults({ machine, trusts }: NewClient, rules: ClientRules): (FieldFault | false)[] {
  const field = 'trusts';
  const foreign = trusts.find(({ issuer }) => !isForeignIssuer(issuer, rules));
  const long = trusts.find((trust) => textOfTrust(trust).length > longestTrust);
  const entryOf = (trust: Trust) => ({ entry: printable(nameTrust(trust).slice(0, 255)) });
  return [
    trusts.length > 0 && machine === undefined && { field, code: 'only-of-program' },
    trusts.length > mostTrusts && { field, code: 'too-many', values: { count: mostTrusts } },
    foreign !== undefined && { field, code: 'not-an-issuer', values: entryOf(foreign) },
    long !== undefined && { field, code: 'too-long', values: { count: longestTrust } },
  ];
}

/** Finds the faults of the keys of a client. `readClientKeys` has judged the keys themselves. */
function findKeyFaults(client: NewClient, { privateHosts }: ClientRules): (FieldFault | false)[] {
  const { isPublic, jwks, jwksUri, trusts } = client;
  const field = jwksUri === undefined ? 'jwks' : 'jwks_uri';
  return [
    isPublic && hasKeys(client) && { field, code: 'keys-of-public' },
    jwks.length > 0 && jwksUri !== undefined && { field, code: 'keys-or-address' },
    trusts.length > 0 && hasKeys(client) && { field, code: 'keys-or-trusts' },
    jwksUri !== undefined && !isBackchannelUri(jwksUri, privateHosts) && { field, code: 'not-a-backchannel' },
  ];
}

/** Tells whether an issuer may be trusted: another server than this one, because users get tokens of this one. */
function isForeignIssuer(issuer: string, { privateHosts, publicOrigins }: ClientRules): boolean {
  if (!isBackchannelUri(issuer, privateHosts) || issuer.includes('?')) return false;
  return !publicOrigins.has(new URL(issuer).origin);
}

/** Characters of the longest name of a secret. */
export const maxSecretName = 50;

/** Finds the faults of a new secret of a client, field by field. */
export function findSecretFaults({ name, days = 1 }: NewSecret): FieldFault[] {
  const field = 'name';
  const checks: readonly (FieldFault | false)[] = [
    name === '' && { field, code: 'missing' },
    [...name].length > maxSecretName && { field, code: 'too-long', values: { count: maxSecretName } },
    !isPlainLine(name) && { field, code: 'malformed' },
    !(Number.isInteger(days) && days >= 1 && days <= longestDays) && {
      field: 'expires_in_days',
      code: 'not-between',
      values: { least: 1, most: longestDays },
    },
  ];
  return checks.filter((fault) => fault !== false);
}

/** Most other resources for which a resource may exchange its tokens. */
export const mostExchanges = 20;

/** Finds the faults of a resource, field by field. */
export function findResourceFaults({ uri, scopes, tokenFormat, exchanges = {} }: NewResource): FieldFault[] {
  const taken: readonly string[] = [...Object.keys(ownScopes), ...providerScopes];
  const checks: readonly (FieldFault | false)[] = [
    !isResourceUri(uri) && { field: 'uri', code: 'not-a-resource' },
    scopes.length === 0 && { field: 'scopes', code: 'missing' },
    scopes.some((scope) => !scopeToken.test(scope) || taken.includes(scope)) && {
      field: 'scopes',
      code: 'not-a-scope',
    },
    // A signed token names no session and no grant, with which the new token would have to end.
    tokenFormat === 'jwt' && Object.keys(exchanges).length > 0 && { field: 'exchange_for', code: 'not-of-signed' },
    uri in exchanges && { field: 'exchange_for', code: 'not-for-itself' },
    Object.keys(exchanges).length > mostExchanges && {
      field: 'exchange_for',
      code: 'too-many',
      values: { count: mostExchanges },
    },
  ];
  return checks.filter((fault) => fault !== false);
}
