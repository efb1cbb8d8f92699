import { text } from '../../../web/openapi/responses.ts';
import { pictureAddress, picturePath } from '../pictures/stored-pictures.ts';
import type { Resource } from '../resources/resources.ts';
import { type Client, signsUsersIn } from './clients.ts';

/** The address of a picture, in the API. */
export const pictureText = text(`${picturePath}/${'x'.repeat(43)}`, 'The address of its picture at this server');

/** Describes a client for administrators, on pages, in the API and in commands. */
export const describeClient = ({ id, name, secrets, createdAt, ...client }: Client) => ({
  client_id: id,
  name,
  public: secrets === undefined,
  redirect_uris: client.redirectUris,
  post_logout_redirect_uris: client.postLogoutRedirectUris,
  backchannel_logout_uri: client.backchannelLogoutUri ?? null,
  client_uri: client.clientUri ?? null,
  own: client.own,
  device: client.device,
  second_factor: client.secondFactor,
  require_pushed_authorization_requests: client.pushedRequests,
  dpop_bound_access_tokens: client.boundTokens,
  groups: client.groups,
  pkce: secrets === undefined ? 'required' : client.pkce,
  id_token_signed_response_alg: client.idTokenAlg,
  machine: client.machine
    ? {
        scopes: client.machine.scopes,
        within: client.machine.within,
        may: Object.entries(client.machine.may).map(([uri, scopes]) => ({ uri, scopes })),
        granted_by: client.machine.grantedBy ?? null,
      }
    : null,
  trusts: client.trusts.map(({ issuer, claims, once, keys, grantedBy }) => ({
    issuer,
    claims: Object.entries(claims).map(([claim, value]) => ({ claim, value })),
    once,
    uploaded_keys: keys?.length ?? null,
    granted_by: grantedBy ?? null,
  })),
  claims: client.claims,
  jwks: client.jwks.map(({ kid, kty, crv }) => ({ kid: kid ?? null, kty: kty ?? '', crv: crv ?? null })),
  jwks_uri: client.jwksUri ?? null,
  secrets: (secrets ?? []).map((secret) => ({
    name: secret.name,
    created_at: new Date(secret.createdAt).toISOString(),
    expires_at: timeOf(secret.expiresAt),
    last_used_at: timeOf(secret.lastUsedAt),
  })),
  picture: pictureAddress(client.picture) ?? null,
  created_at: createdAt.toISOString(),
});

type Described = ReturnType<typeof describeClient>;

/** Tells whether the client is neither an application nor a program, such as one whose grant was taken back. */
export const isUnusable = ({
  machine,
  redirect_uris,
  device,
}: Pick<Described, 'machine' | 'redirect_uris' | 'device'>) =>
  machine === null && !signsUsersIn({ redirectUris: redirect_uris, device });

const timeOf = (time: number | undefined) => (time === undefined ? null : new Date(time).toISOString());

export const describeResource = ({ uri, scopes, tokenFormat, alg, clientId, exchanges }: Resource) => ({
  uri,
  scopes,
  token_format: tokenFormat,
  alg: tokenFormat === 'jwt' ? alg : null,
  client_id: clientId ?? null,
  exchange_for: Object.entries(exchanges).map(([uri, scopes]) => ({ uri, scopes })),
});
