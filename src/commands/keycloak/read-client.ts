import { givenSecret, requireStrongSecret } from '../../capabilities/oidc/clients/client-secrets.ts';
import { defaultSettings, type NewClient } from '../../capabilities/oidc/clients/clients.ts';
import { findRedirectFault } from '../../capabilities/oidc/clients/uri-rules.ts';
import { ChangeRefused } from '../../core/users/change-refused.ts';
import type { Tell } from './groups.ts';
import { flagOf, type Json, objectOf, textOf, textsOf } from './values.ts';

/** The clients that each realm has for Keycloak itself. */
const builtIn = ['account', 'account-console', 'admin-cli', 'broker', 'realm-management', 'security-admin-console'];

export const isBuiltIn = (client: Json): boolean =>
  builtIn.includes(textOf(client, 'clientId')) || textOf(objectOf(client, 'attributes'), 'realm_client') === 'true';

/** The form of a given `client_id`. */
const idShape = /^[A-Za-z0-9][\w.-]{1,127}$/;

/** The name of the secret that comes from Keycloak. */
const secretName = 'keycloak';

export type WantedClient = NewClient & { readonly id: string };

/**
 * Reads a client of an export of Keycloak 26 (`ClientRepresentation`).
 * @param further addresses that the operator has named, because Keycloak had a wildcard
 * @throws {ChangeRefused} if the client cannot be added, with the reason
 */
export function readClient(client: Json, further: readonly string[], tell: Tell): WantedClient {
  const id = textOf(client, 'clientId');
  requireUsable(client, id);
  const isPublic = flagOf(client, 'publicClient');
  const attributes = objectOf(client, 'attributes');
  const root = textOf(client, 'rootUrl');
  const addresses = createAddresses(root, isPublic, tell);
  const redirectUris = [...new Set([...addresses('redirect address', textsOf(client, 'redirectUris')), ...further])];
  const isDevice = textOf(attributes, 'oauth2.device.authorization.grant.enabled') === 'true';
  if (redirectUris.length === 0 && !isDevice)
    throw new ChangeRefused(`No redirect address can come. Name those of the application: --redirect-uri ${id}=URL`);
  if (flagOf(client, 'implicitFlowEnabled')) tell('The implicit flow is not offered: the client has to use codes.');
  if (flagOf(client, 'serviceAccountsEnabled')) tell('The service account is not brought: add a program (--machine).');
  const name = textOf(client, 'name');
  const page = textOf(client, 'baseUrl');
  return {
    ...defaultSettings,
    id,
    isPublic,
    name: name === '' || name.startsWith('${') ? id : name,
    redirectUris,
    postLogoutRedirectUris: addresses('address after logging out', logoutUris(attributes, redirectUris)),
    backchannelLogoutUri: textOf(attributes, 'backchannel.logout.url') || undefined,
    clientUri: page === '' || page.includes('${') ? undefined : absolute(page, root),
    device: isDevice,
    pkce: textOf(attributes, 'pkce.code.challenge.method') === '' ? 'nonce' : 'required',
    idTokenAlg: algorithmOf(textOf(attributes, 'id.token.signed.response.alg'), tell),
    secrets: isPublic ? undefined : secretsOf(client, tell),
  };
}

/** @throws {ChangeRefused} */
function requireUsable(client: Json, id: string): void {
  const type = textOf(client, 'clientAuthenticatorType') || 'client-secret';
  const reasons: readonly (string | false)[] = [
    !idShape.test(id) && 'Its id must have 2 to 128 letters, digits, dots, hyphens and underscores.',
    !flagOf(client, 'enabled', true) && 'It is disabled.',
    (textOf(client, 'protocol') || 'openid-connect') !== 'openid-connect' && 'Janua speaks OpenID Connect alone.',
    flagOf(client, 'bearerOnly') && 'It is an API. Add it as a resource: ./bin/janua resources add URL',
    !flagOf(client, 'standardFlowEnabled', true) &&
      'It signs no users in by codes. For a program, use: ./bin/janua clients add --machine',
    !flagOf(client, 'publicClient') && type !== 'client-secret' && `It proves itself by ${type}, not by a secret.`,
  ];
  const reason = reasons.find((one) => one !== false);
  if (reason) throw new ChangeRefused(reason);
}

const absolute = (address: string, root: string) =>
  address.startsWith('/') ? root.replace(/\/$/, '') + address : address;

/** Returns a function that leaves out the addresses which a client cannot have, such as those with a wildcard. */
function createAddresses(root: string, isPublic: boolean, tell: Tell) {
  return (what: string, addresses: readonly string[]) =>
    addresses
      .map((address) => absolute(address, root))
      .filter((address) => {
        const fault = findRedirectFault(address, { isPublic });
        if (fault !== undefined)
          tell(
            `The ${what} ${address} is not brought: ${address.includes('*') ? 'wildcards are not matched' : fault}.`,
          );
        return fault === undefined;
      });
}

/** Keycloak writes several in one text. `+` stands for the redirect addresses, and `-` for none. */
function logoutUris(attributes: Json, redirectUris: readonly string[]): readonly string[] {
  const texts = textOf(attributes, 'post.logout.redirect.uris').split('##');
  return [
    ...new Set(texts.flatMap((text) => (text === '+' ? redirectUris : text === '-' || text === '' ? [] : [text]))),
  ];
}

function algorithmOf(name: string, tell: Tell): 'RS256' | 'ES256' {
  if (name === 'ES256') return name;
  if (name !== '' && name !== 'RS256') tell(`Its ID tokens are signed by RS256 in place of ${name}.`);
  return 'RS256';
}

/** A client without a secret gets no tokens until it has one. */
function secretsOf(client: Json, tell: Tell): NewClient['secrets'] {
  const secret = textOf(client, 'secret');
  const lost = (reason: string) => {
    tell(`${reason} Give the application a new one: ./bin/janua clients rotate-secret ${textOf(client, 'clientId')}`);
    return [];
  };
  if (secret === '' || /^\*+$/.test(secret))
    return lost('The export hides its secret. Export by "kc.sh export", or put it into a file of "janua apply".');
  try {
    requireStrongSecret(secret);
  } catch (error) {
    if (error instanceof ChangeRefused) return lost('Its secret could be guessed, so it is not brought.');
    throw error;
  }
  return [givenSecret(secret, secretName, Date.now())];
}
