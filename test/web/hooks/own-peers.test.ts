import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startJanua } from '../../janua.ts';

const behindProxy = {
  HOST: '0.0.0.0',
  PUBLIC_URL: 'https://auth.example.com',
  TRUSTED_PROXIES: ['10.0.0.2'],
} as const;

/** Requests a page as a machine that claims to forward the request of a client. */
async function statusFrom(remoteAddress: string, url: string, settings: object): Promise<number> {
  await using janua = await startJanua({ settings });
  const headers = { 'x-forwarded-for': '203.0.113.9', 'x-forwarded-proto': 'https', 'sec-purpose': 'prefetch' };
  return (await janua.app.inject({ url, remoteAddress, headers })).statusCode;
}

for (const [name, settings, peer, url, status] of [
  ['a page to the proxy', behindProxy, '10.0.0.2', '/auth/login', 200],
  ['no page to another machine', behindProxy, '10.0.0.3', '/auth/login', 421],
  ['no page to the machine itself', behindProxy, '127.0.0.1', '/api/me', 421],
  ['nothing at an unknown address', behindProxy, '10.0.0.3', '/nothing', 421],
  ['nothing at an address that resembles the checks', behindProxy, '10.0.0.3', '/health/../auth/login', 421],
  ['no key to another machine', behindProxy, '10.0.0.3', '/oidc/jwks', 421],
  ['no prefetch of another machine', behindProxy, '10.0.0.3', '/oidc/auth', 421],
  ['whether it lives to another machine', behindProxy, '10.0.0.3', '/health/live', 200],
  ['whether it is ready to another machine', behindProxy, '10.0.0.3', '/health/ready', 200],
  [
    'any machine, if the network is trusted',
    { ...behindProxy, ALLOW_PLAIN_HTTP: 'on' },
    '10.0.0.3',
    '/auth/login',
    200,
  ],
  ['any peer on this machine', { ...behindProxy, HOST: '127.0.0.1' }, '127.0.0.1', '/auth/login', 200],
] as const)
  test(`a server behind a proxy on another machine answers ${name}`, async () => {
    assert.equal(await statusFrom(peer, url, settings), status);
  });

test('an app of another team with a part of Janua answers as the app does', async () => {
  await using janua = await startJanua({
    settings: behindProxy,
    stores: { users: 'SQLite', sessions: 'SQL', mounted: true },
  });
  const { statusCode } = await janua.app.inject({ url: '/auth/login', remoteAddress: '10.0.0.3' });
  assert.equal(statusCode, 200);
});
