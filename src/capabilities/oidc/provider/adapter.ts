import type { ClientMetadata } from 'oidc-provider';
import { hasKeys } from '../clients/client-keys.ts';
import type { Client } from '../clients/clients.ts';
import { codeGrant, deviceGrant, exchangeGrant, refreshGrant } from '../clients/library-client.ts';
import type { UsableKey } from '../keys/foreign-keys.ts';
import { type FindPublishedKeys, NoKeys } from '../keys/published-keys.ts';
import { readToken as readParts } from '../keys/token-parts.ts';
import { machineGrant } from '../machines/machine.ts';
import type { Payload } from '../records/record-rows.ts';
import type { Records } from '../records/records.ts';
import { AlreadyUsed, PolledTooFast } from '../records/records.ts';
import type { ResourceCredentials } from '../resources/resources.ts';
import { findExcess } from '../sign-in/pending-address.ts';
import { errors, Provider } from './library.ts';
import { partyOfClient } from './parties.ts';
import { withPushed } from './pushed-requests.ts';
import { findClientIn, readRows, readToken } from './requests.ts';

export interface AdapterOptions {
  readonly records: Records;
  readonly findClient: (id: string) => Promise<Client | undefined>;
  readonly findCredentials: (clientId: string) => Promise<ResourceCredentials | undefined>;
  /** Finds the keys at the `jwks_uri` of a client. */
  readonly findKeysAt: FindPublishedKeys;
  /** Tells whether `CLIENT_ID_METADATA` names the host of a document. If it contains `any`, documents of other hosts are allowed too. */
  readonly isListed: (address: string) => boolean;
}

/**
 * Stands for the secrets of a client, because the library demands one. `compareClientSecret` compares what a client sends with the hashes.
 */
const placeholder = 'see secrets';

/** Returns what proves a client. With keys, no secret does: an attacker could otherwise use a stolen one. */
function proofOf(client: Client, keys: readonly UsableKey[]): Partial<ClientMetadata> {
  if (hasKeys(client)) return { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [...keys] as object[] } };
  const { secrets } = client;
  if (secrets === undefined) return { token_endpoint_auth_method: 'none' };
  return { token_endpoint_auth_method: 'client_secret_basic', client_secret: placeholder, secrets };
}

/** Returns a client in the terms of RFC 7591. */
const metadataOf = (client: Client, keys: readonly UsableKey[]): ClientMetadata => ({
  client_id: client.id,
  client_name: client.name,
  redirect_uris: [...client.redirectUris],
  post_logout_redirect_uris: [...client.postLogoutRedirectUris],
  response_types: client.redirectUris.length > 0 ? ['code'] : [],
  grant_types: grantTypesOf(client),
  ...proofOf(client, keys),
  ...(client.backchannelLogoutUri !== undefined && {
    backchannel_logout_uri: client.backchannelLogoutUri,
    backchannel_logout_session_required: true,
  }),
  id_token_signed_response_alg: client.idTokenAlg,
  require_pushed_authorization_requests: client.pushedRequests,
  dpop_bound_access_tokens: client.boundTokens,
  own: client.own,
  groups: client.groups,
  secondFactor: client.secondFactor,
  pkce: client.pkce,
  machine: client.machine,
  trusts: client.trusts,
  claims: client.claims,
  picture: client.picture,
});

const grantTypesOf = ({ redirectUris, device, machine }: Client): string[] =>
  machine === undefined
    ? [...(redirectUris.length > 0 ? [codeGrant] : []), refreshGrant, ...(device ? [deviceGrant] : [])]
    : [machineGrant];

/**
 * Returns a resource as a client that can only ask about its tokens, and exchange them. It has no redirect addresses, and other requests do
 * not find it (`mayBeResource`).
 */
const apiOf = ({ uri, clientId, secretHash }: ResourceCredentials): ClientMetadata => ({
  client_id: clientId,
  client_secret: placeholder,
  secrets: [{ name: '', hash: secretHash, createdAt: 0 }],
  redirect_uris: [],
  response_types: [],
  grant_types: [exchangeGrant],
  token_endpoint_auth_method: 'client_secret_basic',
  api: uri,
});

/** Tells whether a resource may have sent the current request. */
function mayBeResource(): boolean {
  const { route, params } = Provider.ctx?.oidc ?? {};
  return route === 'introspection' || (route === 'token' && params?.grant_type === exchangeGrant);
}

/**
 * Finds the keys with which the client may have signed a part of the request. Keys at an address are fetched only for such a request. The
 * library fetches keys again only if they do not fit, so that a key which the client has taken back would count for ever.
 */
async function findKeysOf({ id, name, jwks, jwksUri }: Client, findKeysAt: FindPublishedKeys) {
  const { ctx } = Provider;
  const signed = ctx?.oidc.params?.client_assertion;
  if (jwksUri === undefined || ctx === undefined || typeof signed !== 'string') return jwks;
  try {
    return await findKeysAt(jwksUri, readParts(signed).header?.kid);
  } catch (error) {
    if (!(error instanceof NoKeys)) throw error;
    Object.assign(ctx.state, { reason: 'client-keys', client: { clientId: id, clientName: name } });
    throw new errors.TemporarilyUnavailable('try again in a minute', error.message);
  }
}

/** Returns the token that the current request exchanges for another one. */
function findSubjectToken(): string | undefined {
  const { route, params } = Provider.ctx?.oidc ?? {};
  return route === 'token' && params?.grant_type === exchangeGrant ? String(params.subject_token) : undefined;
}

type Write = () => Promise<void>;

/** The delayed writes of token requests, by the library's contexts of the requests. */
const writes = new WeakMap<object, Write[]>();

/**
 * Delays the writes of a token request until the library is done, so that SQLite commits them together. The request reads none of the rows
 * that it writes.
 */
async function put(write: Write): Promise<void> {
  const { ctx } = Provider;
  if (ctx?.oidc.route !== 'token') return write();
  writes.set(ctx, [...(writes.get(ctx) ?? []), write]);
}

/**
 * Runs the delayed writes.
 * @throws {errors.InvalidGrant} if the code or token that the client sent was used already, or its grant was revoked meanwhile
 */
export async function finishWrites(ctx: object): Promise<void> {
  const finished = await Promise.allSettled((writes.get(ctx) ?? []).map((write) => write()));
  for (const result of finished) if (result.status === 'rejected') throw result.reason;
}

/**
 * Returns the client and the party of a pushed request.
 * @throws {errors.InvalidRequest} if it is longer than one may be that waits for its user
 */
function pushedBy(id: string, options: Pick<AdapterOptions, 'isListed'>): Payload {
  const { client, params = {} } = Provider.ctx?.oidc ?? {};
  const excess = findExcess(withPushed({ ...params }, id));
  if (excess !== undefined) throw new errors.InvalidRequest(excess);
  return client === undefined ? {} : { clientId: client.clientId, party: partyOfClient(client, options) };
}

const isSignUp = ({ prompt }: Payload) => (prompt as { name?: string } | undefined)?.name === 'create';

/** Creates the adapter through which the library finds and stores its records. */
export function adapterOf(model: string, options: AdapterOptions) {
  const { records, findCredentials } = options;
  const { upsert, find, findByUserCode, consume, destroy, revokeByGrantId } = records.of(model);
  const isClient = model === 'Client';
  const isToken = ['AccessToken', 'RefreshToken', 'ClientCredentials'].includes(model);
  const waits = model === 'Interaction' || model === 'DeviceCode';
  const isPushed = model === 'PushedAuthorizationRequest';

  async function run<Result>(step: () => Promise<Result>): Promise<Result> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof AlreadyUsed) throw new errors.InvalidGrant('it was used already');
      if (error instanceof PolledTooFast) throw new errors.SlowDown('wait five seconds before the next request');
      throw error;
    }
  }

  return {
    async upsert(id: string, payload: Payload, seconds: number): Promise<void> {
      // Janua stores clients and sessions itself.
      if (isClient || model === 'Session') return;
      const excess = waits ? findExcess((payload.params ?? {}) as Payload) : undefined;
      if (excess !== undefined) throw new errors.InvalidRequest(excess);
      if (isPushed) return run(() => upsert(id, { ...payload, ...pushedBy(id, options) }, seconds));
      // The request is not stored if the browser carries it in an address (`createReturnAddress`): without a session, or on the way to a
      // sign-up.
      if (model === 'Interaction' && (payload.session === undefined || isSignUp(payload))) return;
      const subject = findSubjectToken();
      await put(() => run(() => upsert(id, payload, seconds, subject)));
    },
    async find(id: string) {
      const polls = model === 'DeviceCode' && Provider.ctx?.oidc.route === 'token';
      if (!isClient)
        return run(async () => find(id, polls, await (isToken ? readToken(() => records.readToken(id)) : readRows())));
      const client = await findClientIn(id, options);
      if (client !== undefined) return metadataOf(client, await findKeysOf(client, options.findKeysAt));
      const api = mayBeResource() ? await findCredentials(id) : undefined;
      return api && apiOf(api);
    },
    findByUserCode,
    findByUid: async () => undefined,
    consume: (id: string) => put(() => run(() => consume(id))),
    async destroy(id: string): Promise<void> {
      // If two requests continue a sign-in at the same time, only the one that deletes the record gets a code.
      if (!(await run(() => destroy(id))) && model === 'Interaction')
        throw new errors.SessionNotFound('interaction session not found');
    },
    revokeByGrantId: (grantId: string) => run(() => revokeByGrantId(grantId)),
  };
}
