import type { KoaContextWithOIDC } from 'oidc-provider';
import { type ClientSecret, findSent, isLiving } from '../clients/client-secrets.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import { isRegistered } from '../clients/uri-rules.ts';
import { readRetiredHint } from '../keys/retired-keys.ts';
import { readToken } from '../keys/token-parts.ts';
import type { Derive } from '../records/derived-ids.ts';
import { addTable } from './client-claims.ts';
import { takesForms } from './form-post.ts';
import { errors, Provider } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { partyOfClient } from './parties.ts';
import { replace } from './replace.ts';
import type { LibrarySessions } from './session.ts';
import { requireWorkload, type TrustingClient, takeAssertion } from './workload-assertion.ts';

/** The shape of a client id: printable ASCII (RFC 6749 A.1), as long as a stored id may be. */
const clientIdShape = /^[!-~]{1,255}$/;

type ConfidentialClient = TrustingClient & ProviderClient & { readonly secrets?: readonly ClientSecret[] };

/** Changes how the library looks up clients, and compares their secrets and addresses. */
export function overrideClients({ Client }: Provider, options: ProviderOptions): void {
  const { noteSecret, now } = options;
  const { find } = Client;
  replace(Client, {
    // The library parses an unknown id as a URL, which takes quadratic time for a long id. The id in an assertion may also be a deeply
    // nested list, and converting that to a text takes quadratic time too.
    find: async (id: unknown) => (typeof id === 'string' && clientIdShape.test(id) ? find.call(Client, id) : undefined),
  });
  replace(Client.prototype, {
    async compareClientSecret(this: ConfidentialClient, sent: string) {
      const { clientId, secrets, api } = this;
      if (Provider.ctx?.state.assertion !== undefined) return requireWorkload(Provider.ctx, this, options);
      const secret = findSent(secrets ?? [], sent);
      if (secret === undefined) return false;
      if (!isLiving(secret, now())) {
        const { ctx } = Provider;
        if (ctx !== undefined) ctx.state.reason = 'expired-secret';
        return false;
      }
      if (api === undefined) await noteSecret({ id: clientId, secrets }, secret.name);
      return true;
    },
    redirectUriAllowed(this: { redirectUris: readonly string[] }, address: string) {
      return isRegistered(address, this.redirectUris);
    },
    postLogoutRedirectUriAllowed(this: { postLogoutRedirectUris?: readonly string[] }, address: string) {
      return isRegistered(address, this.postLogoutRedirectUris ?? []);
    },
    // Each ID token has a `sid`, because a logout may name its session by the token. The library adds a `sid` only for clients with a
    // back-channel logout address.
    includeSid: () => true,
    responseModeAllowed: (mode: string | undefined) =>
      mode === 'query' || (mode === 'form_post' && takesForms(Provider.ctx?.oidc.params?.redirect_uri)),
  });

  // The library allows a client either web addresses or native ones, and one of the other kind would make the whole client invalid. Our
  // clients may have addresses of both kinds: `findRedirectFault` has judged each of them.
  replace((Client as unknown as { Schema: { prototype: object } }).Schema.prototype, {
    redirectUris() {},
  });
}

/**
 * Seconds by which the time in a proof (RFC 9449) may be off. The library remembers a proof for as long, but one that is dated ahead is valid
 * for twice as long.
 */
const proofSeconds = 300;

/**
 * Returns the party for which an assertion or proof counts. A proof beside an access token counts for the user and the application alone:
 * no application can use up what others may send.
 */
function partyOfUse(clientId: string, options: Pick<ProviderOptions, 'isListed'>): string {
  const { client, entities } = Provider.ctx?.oidc ?? {};
  const token = entities?.AccessToken;
  if (client === undefined && token !== undefined) return `user ${token.accountId} of ${token.clientId}`;
  return partyOfClient({ clientId, tokenEndpointAuthMethod: client?.tokenEndpointAuthMethod }, options);
}

/** Changes how the library makes and checks tokens. */
export function overrideTokens(
  { RefreshToken, ReplayDetection, IdToken, Client }: Provider,
  { issuer, keys, records, findRetiredKey, isListed }: ProviderOptions,
): void {
  replace(RefreshToken.prototype, {
    generateTokenId() {
      const former = Provider.ctx?.oidc.entities.RotatedRefreshToken;
      return former === undefined ? records.newRefreshToken() : records.successorOf(former.jti);
    },
  });

  // The library finds, then saves: an assertion or proof that is sent several times at once would be accepted each time.
  replace(ReplayDetection, {
    async unique(client: string, jti: string, end: number): Promise<boolean> {
      const hasProof = Boolean(Provider.ctx?.get('DPoP'));
      const seconds = end + (hasProof ? proofSeconds : 0);
      const use = await records.useAssertion({
        ...{ issuer: client, jti, end: seconds * 1000 },
        party: partyOfUse(client, { isListed }),
      });
      if (use === 'too-many') throw new errors.TemporarilyUnavailable('too many assertions in five minutes');
      return use === 'new';
    },
  });

  const { validate } = IdToken;
  replace(IdToken, {
    async validate(token: string, { clientId }: ProviderClient) {
      const kid = readToken(token).header?.kid;
      // The client may have had another algorithm when the token was signed. The key has only one algorithm, whatever the token says (RFC
      // 8725 3.1).
      const idTokenSignedResponseAlg = keys.find((key) => key.kid === kid)?.alg ?? 'RS256';
      const asItWas = { clientId, idTokenSignedResponseAlg } as InstanceType<typeof Client>;
      return validate.call(IdToken, token, asItWas).catch(async (error: unknown) => {
        const hint = await readRetiredHint(token, { issuer, clientId, findKey: findRetiredKey });
        return hint ?? Promise.reject(error);
      });
    },
  });
}

/** Adds the claims of the client's table to those that the library selects by scopes. It has no claims of single clients. */
export function overrideClaims({ Claims }: Provider): void {
  const { result } = Claims.prototype;
  replace(Claims.prototype, {
    async result(this: InstanceType<typeof Claims> & { readonly available: object }) {
      return addTable(this.available, await result.call(this));
    },
  });
}

/** Makes the library find Janua's sessions, and derive their names in ID tokens and the ids of their grants. */
export function overrideSessions(
  { Session }: Provider,
  { get, findByUid }: Pick<LibrarySessions, 'get' | 'findByUid'>,
  derive: Derive,
): void {
  replace(Session, { get, findByUid });
  replace(Session.prototype, {
    resetIdentifier() {},
    sidFor(this: { uid: string }, clientId: string) {
      return derive('sid', this.uid, clientId);
    },
    grantIdFor(this: { uid: string; granted?: Record<string, string> }, clientId: string, given?: string) {
      this.granted ??= {};
      if (given !== undefined) this.granted[clientId] = given;
      return this.granted[clientId] ?? derive('grant', this.uid, clientId);
    },
  });
}

/**
 * Adds to the body the client id that `takeEmptySecret` found in the header `Authorization` of a public client, and takes an assertion of
 * another issuer out of it. The library has no hook between reading the body and using it, so this replaces the property `body`.
 */
export function overrideBody(provider: Provider): void {
  const { OIDCContext } = provider as unknown as { OIDCContext: { prototype: object } };
  const bodies = new WeakMap<object, Readonly<Record<string, unknown>> | undefined>();
  Object.defineProperty(OIDCContext.prototype, 'body', {
    get(this: object) {
      return bodies.get(this);
    },
    set(this: { readonly ctx: KoaContextWithOIDC }, sent: Readonly<Record<string, unknown>> | undefined) {
      const body = sent && takeAssertion(this.ctx, sent);
      const { publicClient } = this.ctx.state;
      const isOther = body?.client_id !== undefined && body.client_id !== publicClient;
      // If the body names another client, the library gets both ids, and refuses them as a repeated field.
      const client_id = isOther ? [body.client_id, publicClient] : publicClient;
      bodies.set(this, publicClient === undefined ? body : { ...body, client_id });
    },
  });
}
