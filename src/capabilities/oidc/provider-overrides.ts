import { errors, Provider } from 'oidc-provider';
import { hashSecret, isSame } from '../../core/sessions/credential.ts';
import { isRegistered } from './addresses.ts';
import type { ProviderClient } from './provider-client.ts';
import { takesForms } from './provider-form-post.ts';
import type { ProviderOptions } from './provider-options.ts';
import { networkOf } from './provider-requests.ts';
import { readRetiredHint } from './retired-keys.ts';
import { readToken } from './token-parts.ts';

/** Printable ASCII (RFC 6749 A.1), no longer than what is stored. */
const clientIdShape = /^[!-~]{1,255}$/;

/** How the library knows its clients. */
export function overrideClients({ Client }: Provider): void {
  const { find } = Client;
  Object.assign(Client, {
    // The library reads an unknown id as the address of a document, which takes a time that is quadratic for a long one.
    find: async (id: string) => (clientIdShape.test(id) ? find.call(Client, id) : undefined),
  });
  Object.assign(Client.prototype, {
    compareClientSecret(this: { clientSecret: string }, sent: string) {
      return isSame(hashSecret(sent), this.clientSecret);
    },
    redirectUriAllowed(this: { redirectUris: readonly string[] }, address: string) {
      return isRegistered(address, this.redirectUris);
    },
    postLogoutRedirectUriAllowed(this: { postLogoutRedirectUris?: readonly string[] }, address: string) {
      return isRegistered(address, this.postLogoutRedirectUris ?? []);
    },
    // An ID token names its session, also to clients without a back channel: it is the hint at a logout.
    includeSid: () => true,
    responseModeAllowed: (mode: string | undefined) =>
      mode === 'query' || (mode === 'form_post' && takesForms(Provider.ctx?.oidc.params?.redirect_uri)),
  });

  // The library knows web clients and native ones, and a single address of the other kind would make a whole client void. Ours have
  // addresses of both kinds: `findRedirectFault` has judged each of them.
  Object.assign((Client as unknown as { Schema: { prototype: object } }).Schema.prototype, {
    redirectUris() {},
  });
}

/** How the library makes and checks what it issues. */
export function overrideTokens(
  { RefreshToken, ReplayDetection, IdToken, Client }: Provider,
  { issuer, keys, records, findRetiredKey, isListed }: ProviderOptions,
): void {
  Object.assign(RefreshToken.prototype, {
    generateTokenId() {
      const former = Provider.ctx?.oidc.entities.RotatedRefreshToken;
      return former === undefined ? records.newRefreshToken() : records.successorOf(former.jti);
    },
  });

  // The library finds, then saves: an assertion that is sent several times at once would count each time.
  Object.assign(ReplayDetection, {
    async unique(client: string, jti: string, end: number): Promise<boolean> {
      // A stranger may have any number of hosts.
      const party = isListed(client) ? `host ${new URL(client).host}` : `network ${networkOf(Provider.ctx)}`;
      const use = await records.useAssertion({ issuer: client, jti, end: end * 1000, party });
      if (use === 'too-many') throw new errors.TemporarilyUnavailable('too many assertions in five minutes');
      return use === 'new';
    },
  });

  const { validate } = IdToken;
  Object.assign(IdToken, {
    async validate(token: string, { clientId }: ProviderClient) {
      const kid = readToken(token).header?.kid;
      // The client may have had another algorithm when the token was signed. A key has one, whatever the token says (RFC 8725 3.1).
      const idTokenSignedResponseAlg = keys.find((key) => key.kid === kid)?.alg ?? 'RS256';
      const asItWas = { clientId, idTokenSignedResponseAlg } as InstanceType<typeof Client>;
      return validate.call(IdToken, token, asItWas).catch(async (error: unknown) => {
        const hint = await readRetiredHint(token, { issuer, clientId, findKey: findRetiredKey });
        return hint ?? Promise.reject(error);
      });
    },
  });
}
