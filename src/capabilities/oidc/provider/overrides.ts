import { errors, Provider } from 'oidc-provider';
import { hashSecret, isSame } from '../../../core/sessions/credential.ts';
import { isRegistered } from '../clients/addresses.ts';
import type { ProviderClient } from '../clients/library-client.ts';
import { readRetiredHint } from '../keys/retired-keys.ts';
import { readToken } from '../keys/token-parts.ts';
import { takesForms } from './form-post.ts';
import type { ProviderOptions } from './options.ts';
import { networkOf } from './requests.ts';

/** The shape of a client id: printable ASCII (RFC 6749 A.1), as long as a stored id may be. */
const clientIdShape = /^[!-~]{1,255}$/;

/** Changes how the library looks up clients, and compares their secrets and addresses. */
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
    // An ID token names its session, because it is the hint at a logout. The library names it only for clients with a back channel.
    includeSid: () => true,
    responseModeAllowed: (mode: string | undefined) =>
      mode === 'query' || (mode === 'form_post' && takesForms(Provider.ctx?.oidc.params?.redirect_uri)),
  });

  // The library allows a client either web addresses or native ones, and one of the other kind would make the whole client invalid. Our
  // clients may have addresses of both kinds: `findRedirectFault` has judged each of them.
  Object.assign((Client as unknown as { Schema: { prototype: object } }).Schema.prototype, {
    redirectUris() {},
  });
}

/** Changes how the library makes and checks tokens. */
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

  // The library finds, then saves: an assertion that is sent several times at once would be accepted each time.
  Object.assign(ReplayDetection, {
    async unique(client: string, jti: string, end: number): Promise<boolean> {
      // A stranger may have any number of hosts, so the network counts.
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
