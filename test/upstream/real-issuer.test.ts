import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { Provider } from 'oidc-provider';
import { google, open } from './opened.ts';

const claims = {
  email: 'rose@example.com',
  email_verified: true,
  given_name: 'Rose',
  family_name: 'Red',
  name: 'Rose Red',
};

/** An OpenID issuer by `oidc-provider`. It signs every browser in as Rose, and has claims in userinfo alone, as is usual. */
async function startIssuer(method: 'client_secret_basic' | 'client_secret_post') {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: 'janua',
        // Both have characters that Basic encodes.
        client_secret: 'our secret: 100%+',
        redirect_uris: ['http://localhost:5000/auth/upstream/own/callback'],
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
  const callback = provider.callback();
  server.on('request', async (request, response) => {
    if (!request.url?.startsWith('/interaction/')) return callback(request, response);
    const { params } = await provider.interactionDetails(request, response);
    const grant = new provider.Grant({ accountId: 'rose', clientId: String(params.client_id) });
    grant.addOIDCScope(String(params.scope));
    const result = { login: { accountId: 'rose' }, consent: { grantId: await grant.save() } };
    return provider.interactionFinished(request, response, result);
  });
  return {
    issuer,
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

describe('with an issuer by oidc-provider', () => {
  for (const method of ['client_secret_basic', 'client_secret_post'] as const)
    test(`a user signs in, and Janua authenticates by ${method}`, async () => {
      await using issuer = await startIssuer(method);
      const entry = {
        ...google,
        ...{ id: 'own', kind: 'openid', name: 'Own', issuer: issuer.issuer },
        ...{ clientSecret: 'our secret: 100%+', trustedDomains: ['example.com'] },
      };
      await using opened = await open({ entries: [entry] });
      const browser = opened.createBrowser();
      const answer = await browser.back(await issuer.visit(await browser.begin('own')));
      assert.equal(answer.statusCode, 303, answer.body);
      assert.equal(await browser.whoAmI(), 'rose@example.com');
      const account = await opened.services.users.findByUsername('rose@example.com');
      assert.deepEqual([account?.user.firstName, account?.user.lastName], ['Rose', 'Red']);
    });
});
