import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { findRedirectFault, isRegistered } from '../../../../src/capabilities/oidc/clients/uri-rules.ts';
import { openProvider, type ProviderUnderTest, requireAnswer } from '../application.ts';

let server: ProviderUnderTest;
before(async () => {
  server = await openProvider();
});
after(() => server[Symbol.asyncDispose]());

const production = 'https://app.example.com/callback';
const [localTls, local, scheme] = [
  'https://localhost:3000/callback',
  'http://127.0.0.1/callback',
  'com.example.app:/cb',
];

describe('a client keeps its production address', () => {
  for (const [beside, client] of Object.entries({
    'https on loopback': { redirectUris: [production, localTls] },
    'http on loopback': { redirectUris: [production, 'http://localhost:5173/callback'] },
    'https and http on loopback': { redirectUris: [production, localTls, local] },
    'https on loopback after a logout': {
      redirectUris: [production, local],
      postLogoutRedirectUris: ['https://localhost:3000/', 'https://app.example.com/'],
    },
    'http on loopback after a logout': {
      redirectUris: [production],
      postLogoutRedirectUris: ['http://localhost:3000/'],
    },
    'a scheme of its own': { redirectUris: [production, scheme], isPublic: true },
    'a scheme of its own after a logout': {
      redirectUris: [production],
      postLogoutRedirectUris: ['com.example.app:/bye'],
      isPublic: true,
    },
    'all of them': {
      redirectUris: [production, localTls, local, scheme],
      postLogoutRedirectUris: ['https://localhost:3000/', 'com.example.app:/bye', 'http://[::1]/'],
      isPublic: true,
    },
  })) {
    test(`beside ${beside}, and each address works`, async () => {
      const app = await server.addApplication({ own: false, ...client });
      const browser = await server.browser();
      for (const redirect_uri of client.redirectUris) {
        const begun = await app.begin({ redirect_uri });
        const page = await browser.open(begun.address);
        const place = page.isElsewhere ? page : await browser.submit(page.url, { decision: 'allow' });
        assert.ok(place.url.href.startsWith(redirect_uri), place.url.href);
        assert.ok((await app.finish(begun, requireAnswer(place))).id_token);
      }
      for (const address of 'postLogoutRedirectUris' in client ? client.postLogoutRedirectUris : []) {
        const sent = new URLSearchParams({ client_id: app.clientId, post_logout_redirect_uri: address });
        const place = await (await server.browser(false)).open(`/oidc/logout?${sent}`);
        assert.equal(place.url.href, address);
      }
    });
  }
});

test('an address that cannot work is refused with the reason', () => {
  for (const [address, ofSecret, ofPublic] of [
    [production, undefined, undefined],
    [localTls, undefined, undefined],
    [local, undefined, undefined],
    [scheme, 'redirect-of-program', undefined],
    ['http://app.example.com/callback', 'redirect-without-tls', 'redirect-without-tls'],
    ['http://127.0.0.1.example.com/', 'redirect-without-tls', 'redirect-without-tls'],
    ['obsidian:/cb', 'not-a-redirect', 'not-a-redirect'],
    ['javascript:alert(1)', 'not-a-redirect', 'not-a-redirect'],
    ['https://app.example.com/#a', 'not-a-redirect', 'not-a-redirect'],
  ] as const) {
    assert.equal(findRedirectFault(address, { isPublic: false }), ofSecret, address);
    assert.equal(findRedirectFault(address, { isPublic: true }), ofPublic, address);
  }
});

test('the reason names the address', async () => {
  const redirectUris = [production, 'http://app.example.com/callback'];
  await assert.rejects(server.addApplication({ redirectUris }), {
    faults: [{ field: 'redirect_uris', code: 'redirect-without-tls', values: { address: redirectUris[1] } }],
  });
});

test('only the port of http on loopback may differ from what is registered', () => {
  const registered = [production, localTls, local, 'http://[::1]:80/cb?x=1'];
  for (const [address, isSame] of [
    [production, true],
    ['http://127.0.0.1:50123/callback', true],
    ['http://[::1]:1/cb?x=1', true],
    ['http://[::1]/cb?x=1', true],
    ['https://app.example.com:8443/callback', false],
    ['https://localhost:3001/callback', false],
    ['http://127.0.0.1:50123/callback/', false],
    ['http://127.0.0.1:50123/callback#x', false],
    ['http://127.0.0.1:1:2/callback', false],
    ['http://127.0.0.1:99999/callback', false],
    ['http://127.0.0.1:80@evil.example.com/callback', false],
    ['http://127.0.0.1:80\\@evil.example.com/callback', false],
    ['http://evil@127.0.0.1:80/callback', false],
    ['http://127.0.0.1.evil.example.com/callback', false],
    ['http://localhost:50123/callback', false],
    ['http://[::1]:1/cb', false],
  ] as const)
    assert.equal(isRegistered(address, registered), isSame, address);
});
