import { Provider } from 'oidc-provider';
import { hashSecret, isSame } from '../../core/sessions/credential.ts';
import { isRegistered } from './addresses.ts';
import type { ProviderClient } from './provider-client.ts';
import { takesForms } from './provider-form-post.ts';
import type { ProviderOptions } from './provider-options.ts';
import { readRetiredHint } from './retired-keys.ts';

/** How the library knows its clients. */
export function overrideClients({ Client }: Provider): void {
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
  { issuer, records, findRetiredKey }: Pick<ProviderOptions, 'issuer' | 'records' | 'findRetiredKey'>,
): void {
  const { generateTokenId } = RefreshToken.prototype as unknown as { generateTokenId(this: object): string };
  Object.assign(RefreshToken.prototype, {
    generateTokenId(this: object) {
      const former = Provider.ctx?.oidc.entities.RotatedRefreshToken;
      return former === undefined ? generateTokenId.call(this) : records.successorOf(former.jti);
    },
  });

  // The library finds, then saves: an assertion that is sent several times at once would count each time.
  Object.assign(ReplayDetection, {
    unique: (issuer: string, jti: string, end: number) => records.useAssertion(issuer, jti, end * 1000),
  });

  const { validate } = IdToken;
  Object.assign(IdToken, {
    validate: (token: string, client: ProviderClient) =>
      validate.call(IdToken, token, client as InstanceType<typeof Client>).catch(async (error: unknown) => {
        const hint = await readRetiredHint(token, { issuer, clientId: client.clientId, findKey: findRetiredKey });
        return hint ?? Promise.reject(error);
      }),
  });
}
