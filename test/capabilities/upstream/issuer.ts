import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import { google } from './opened.ts';

/** Basic encodes its characters. */
const clientSecret = 'our secret: 100%+';

const claims = {
  email: 'rose@example.com',
  email_verified: true,
  given_name: 'Rose',
  family_name: 'Red',
  name: 'Rose Red',
};

/** An OpenID issuer by `oidc-provider`. It signs every browser in as Rose, and has claims in userinfo alone, as is usual. */
export async function startIssuer(
  method: 'client_secret_basic' | 'client_secret_post',
  redirectUri = () => 'http://localhost:5000/auth/upstream/own/callback',
) {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  /** Made at the first request, because the address of Janua may not be known before. */
  const open = () =>
    new Provider(issuer, {
      clients: [
        {
          client_id: 'janua',
          client_secret: clientSecret,
          redirect_uris: [redirectUri()],
          token_endpoint_auth_method: method,
        },
      ],
      clientAuthMethods: [method],
      claims: { openid: ['sub'], email: ['email', 'email_verified'], profile: ['name', 'given_name', 'family_name'] },
      cookies: { keys: ['a test'] },
      findAccount: (_context, sub) => ({ accountId: sub, claims: async () => ({ sub, ...claims }) }),
      interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
      features: { devInteractions: { enabled: false } },
      ttl: { Interaction: 60, Grant: 60, Session: 60, AccessToken: 60, IdToken: 60, AuthorizationCode: 60 },
      pkce: { required: () => true },
    });
  let provider: Provider | undefined;
  server.on('request', async (request, response) => {
    provider ??= open();
    if (!request.url?.startsWith('/interaction/')) return provider.callback()(request, response);
    const { params } = await provider.interactionDetails(request, response);
    const grant = new provider.Grant({ accountId: 'rose', clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    const result = { login: { accountId: 'rose' }, consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, response, result);
  });
  const entry = {
    ...google,
    ...{ id: 'own', kind: 'openid', name: 'Own', issuer, clientSecret, trustedDomains: ['example.com'] },
  };
  return {
    /** In the file of providers. */
    entry,
    /** Follows redirects as a browser does, and gives the address of Janua that they end at. */
    async visit(url: string): Promise<string> {
      const cookies = new Map<string, string>();
      for (let next = url; ; ) {
        if (!next.startsWith(issuer)) return next;
        const cookie = Array.from(cookies, ([name, value]) => `${name}=${value}`).join('; ');
        const answer = await fetch(next, { redirect: 'manual', headers: { cookie } });
        for (const line of answer.headers.getSetCookie()) {
          const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
          cookies.set(name, value);
        }
        const location = answer.headers.get('location');
        assert.ok(location, await answer.text());
        next = new URL(location, next).href;
      }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
