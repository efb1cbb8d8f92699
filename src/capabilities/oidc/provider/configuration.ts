import type { Configuration, KoaContextWithOIDC, Provider } from 'oidc-provider';
import { pageWithHints } from '../../../ground/text/page-hints.ts';
import { pathWithNext } from '../../../web/next.ts';
import { acrValues, claimsOfScopes } from '../claims.ts';
import { codeGrant, findMissingChallenge, mayUse, outlivesSession, refreshGrant } from '../clients/library-client.ts';
import { isSameOrigin } from '../clients/uri-rules.ts';
import { clientSignatures } from '../keys/foreign-keys.ts';
import { signatures, thumbprintOf } from '../keys/signing-keys.ts';
import { readToken } from '../keys/token-parts.ts';
import { machineTokenSeconds } from '../machines/machine.ts';
import type { Derive } from '../records/derived-ids.ts';
import { authorizationPath, waitingSeconds, withoutPrompt } from '../sign-in/pending-address.ts';
import { adapterOf } from './adapter.ts';
import { accountClaims, addToSignedToken } from './client-claims.ts';
import { actorClaims } from './exchange.ts';
import { createFeatures } from './features.ts';
import { fetchFor } from './fetch.ts';
import { errors } from './library.ts';
import type { ProviderOptions } from './options.ts';
import { createPolicy } from './policy.ts';
import { withPushed } from './pushed-requests.ts';
import { findAccountIn, signedInOf } from './requests.ts';

/** Most seconds until an assertion of a client expires. Until then, Janua remembers that it was used. */
const longestAssertion = 300;

/** Seconds by which the clock of a client may be wrong. */
const clockTolerance = 15;

/** The parts of the provider that its own configuration needs. */
interface OfProvider {
  readonly derive: Derive;
  /** Returns the address at which a browser without a session repeats its request after the login. */
  readonly returnAddress: (parameters: Readonly<Record<string, unknown>>) => string;
  readonly needsConsent: (ctx: KoaContextWithOIDC) => Promise<boolean>;
  readonly loadGrant: (ctx: KoaContextWithOIDC) => Promise<InstanceType<Provider['Grant']> | undefined>;
}

/** Configures the features and lifetimes of the library. Everything that Janua does not offer is off, because less is safer. */
export function configure(options: ProviderOptions, ofProvider: OfProvider): Configuration {
  const isHttps = options.issuer.startsWith('https:');
  const prefix = isHttps ? '__Secure-' : '';
  return {
    adapter: (model: string) => adapterOf(model, options),
    jwks: { keys: [...options.keys] },
    acrValues: Object.values(acrValues),
    claims: { ...claimsOfScopes, iss: null, sid: null },
    scopes: ['openid', 'offline_access'],
    // Many applications read only the ID token, so it has all claims.
    conformIdTokenClaims: false,
    responseTypes: ['code'],
    clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'none', 'private_key_jwt'],
    clientDefaults: { grant_types: [codeGrant], response_types: ['code'], id_token_signed_response_alg: 'RS256' },
    extraClientMetadata: {
      properties: ['own', 'groups', 'secondFactor', 'pkce', 'api', 'secrets', 'machine', 'trusts', 'claims', 'picture'],
    },
    enabledJWA: {
      idTokenSigningAlgValues: [...signatures],
      clientAuthSigningAlgValues: [...clientSignatures],
      // A proof brings its own key, so none whose check takes long.
      dPoPSigningAlgValues: ['ES256', 'EdDSA', 'Ed25519'],
    },
    assertJwtClientAuthClaimsAndHeader({ oidc }, { aud, exp }) {
      // With a list as audience, or the address of an endpoint, another server could use the assertion here (draft-ietf-oauth-rfc7523bis).
      if (aud !== oidc.issuer) throw new errors.InvalidClientAuth('the audience is not the issuer alone');
      const last = Date.now() / 1000 + longestAssertion + clockTolerance;
      if (Number(exp) > last) throw new errors.InvalidClientAuth('it lasts too long');
    },
    clockTolerance,
    discovery: { service_documentation: undefined },
    pkce: {
      required({ oidc, state }, client) {
        const missing = findMissingChallenge(client, oidc.params ?? {});
        if (missing === undefined) return false;
        const other = missing === 'no-challenge-nor-nonce' && client.pkce !== 'required' ? ', or a nonce' : '';
        const words = `send code_challenge with code_challenge_method=S256 (PKCE)${other}`;
        state.reason = missing;
        throw new errors.InvalidRequest(words);
      },
    },
    allowOmittingSingleRegisteredRedirectUri: false,
    enableHttpPostMethods: false,
    fetch: fetchFor(options),
    cookies: {
      keys: [ofProvider.derive('cookies')],
      // The library's cookies have paths, which the prefix `__Host-` forbids (RFC 6265bis 4.1.3).
      names: {
        session: `${prefix}oidc-session`,
        interaction: `${prefix}oidc-interaction`,
        resume: `${prefix}oidc-resume`,
      },
      short: { httpOnly: true, sameSite: 'lax', secure: isHttps },
    },
    routes: {
      authorization: authorizationPath,
      token: '/oidc/token',
      pushed_authorization_request: '/oidc/par',
      userinfo: '/oidc/userinfo',
      jwks: '/oidc/jwks',
      introspection: '/oidc/introspection',
      revocation: '/oidc/revocation',
      end_session: '/oidc/logout',
      device_authorization: '/oidc/device-authorization',
      code_verification: '/oidc/device',
    },
    ttl: {
      AccessToken: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? 3600,
      AuthorizationCode: 60,
      ClientCredentials: (_ctx, token) => token.resourceServer?.accessTokenTTL ?? machineTokenSeconds,
      DeviceCode: 600,
      Grant: options.sessionSeconds,
      IdToken: 3600,
      Interaction: waitingSeconds,
      RefreshToken: 30 * 86_400,
      Session: options.sessionSeconds,
    },
    features: createFeatures(options),
    interactions: {
      policy: createPolicy(ofProvider.needsConsent, options.signUpPath !== undefined),
      async url(ctx, { uid, params: asked, prompt }) {
        const params = withPushed(asked, ctx.oidc.entities.PushedAuthorizationRequest?.jti);
        // The address has no `prompt=create`, because the user may follow the link in the mail late. After 15 minutes, the time in the
        // address no longer proves that the account is new, and the prompt would ask for another sign-up.
        if (prompt.name === 'create' && options.signUpPath !== undefined)
          return pathWithNext(options.signUpPath, ofProvider.returnAddress(withoutPrompt(params, 'create')));
        return signedInOf(ctx) === undefined
          ? ofProvider.returnAddress(params)
          : pageWithHints(`/oidc/interaction/${uid}`, params);
      },
    },
    clientBasedCORS: (_ctx, origin, { redirectUris = [] }) =>
      redirectUris.some((address) => isSameOrigin(origin, new URL(address).origin)),
    expiresWithSession: async ({ oidc }, source) => !outlivesSession(oidc.client ?? { clientId: '' }, source.scopes),
    issueRefreshToken: async (_ctx, client) => client.grantTypeAllowed(refreshGrant),
    // A thief of a refresh token that is bound to a key cannot use it (RFC 9700 2.2.2).
    rotateRefreshToken,
    extraTokenClaims: actorClaims,
    async findAccount(ctx, subject, token) {
      const { oidc } = ctx;
      const account = await findAccountIn(ctx, subject, options);
      // Looking up a grant that is no longer valid revokes it for good.
      if (account === undefined && token && 'grantId' in token)
        await options.records.of('Grant').find(String(token.grantId));
      if (account === undefined || (oidc.client !== undefined && !mayUse(oidc.client, account.user))) return undefined;
      const claims = (use: string) => accountClaims(oidc.client, use, subject, account, options);
      return { accountId: subject, claims };
    },
    formats: { customizers: { jwt: (ctx, token, parts) => addToSignedToken(ctx, token, parts, options) } },
    loadExistingGrant: ofProvider.loadGrant,
    renderError(ctx, fault) {
      ctx.state.fault = fault;
      ctx.body = fault;
    },
  };
}

/**
 * Tells whether a refresh token is replaced. Bound ones are not. The successor that a public client gets with a proof is bound, even if the
 * token from before was not (RFC 9449 5). The library has checked the proof.
 */
function rotateRefreshToken(ctx: KoaContextWithOIDC): boolean {
  const { client, entities } = ctx.oidc;
  const token = entities.RefreshToken;
  if (token === undefined || token.jkt !== undefined) return false;
  const { jwk } = readToken(ctx.get('DPoP')).header ?? {};
  if (jwk && client?.tokenEndpointAuthMethod === 'none') token.jkt = thumbprintOf(jwk);
  return true;
}
