import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { networkOf } from '../../src/ground/text/networks.ts';
import { createTrustedProxies } from '../../src/web/client-address.ts';

const trusted = ['127.0.0.1', '10.0.0.0/8', '::1', 'fd00::/8'];
const behindProxies = createTrustedProxies(trusted).findClient;
const alone = createTrustedProxies([]).findClient;

describe('without a trusted proxy, only the address of the connection counts', () => {
  for (const forwardedFor of [undefined, '', '203.0.113.9', '203.0.113.9, 127.0.0.1', 'unknown', ','])
    test(`whatever X-Forwarded-For says: ${forwardedFor}`, () => {
      const client = alone('198.51.100.7', forwardedFor);
      const address = '198.51.100.7';
      assert.deepEqual(client, { address, from: 'connection' });
      assert.equal(
        behindProxies('198.51.100.7', forwardedFor).address,
        '198.51.100.7',
        'the connection does not come from a trusted proxy',
      );
    });
});

describe('behind trusted proxies, X-Forwarded-For is read from the right', () => {
  for (const [peer, forwardedFor, address, from] of [
    ['127.0.0.1', '203.0.113.9', '203.0.113.9', 'trusted-proxy'],
    ['::ffff:127.0.0.1', '203.0.113.9', '203.0.113.9', 'trusted-proxy'],
    ['127.0.0.1', '192.0.2.1, 203.0.113.9', '203.0.113.9', 'trusted-proxy'],
    ['127.0.0.1', '192.0.2.1,203.0.113.9 , 10.1.2.3', '203.0.113.9', 'trusted-proxy'],
    ['10.9.9.9', '203.0.113.9, 10.1.2.3, ::1, fd00::5', '203.0.113.9', 'trusted-proxy'],
    ['127.0.0.1', '192.0.2.1, 192.0.2.2, 192.0.2.3, 192.0.2.4, 203.0.113.9', '203.0.113.9', 'trusted-proxy'],
    ['127.0.0.1', '10.1.2.3', '10.1.2.3', 'trusted-proxy'],
    ['127.0.0.1', '203.0.113.9:4711', '203.0.113.9', 'trusted-proxy'],
    ['127.0.0.1', '[2001:db8::1]:4711', '2001:db8::1', 'trusted-proxy'],
    ['127.0.0.1', 'fe80::1%eth0', 'fe80::1', 'trusted-proxy'],
    ['127.0.0.1', undefined, undefined, 'unknown'],
    ['127.0.0.1', '', undefined, 'unknown'],
    ['127.0.0.1', 'unknown', undefined, 'unknown'],
    ['127.0.0.1', '203.0.113.9, _hidden', undefined, 'unknown'],
    ['127.0.0.1', '203.0.113.9,', undefined, 'unknown'],
    ['127.0.0.1', '0313.0.113.9', undefined, 'unknown'],
    ['127.0.0.1', '1.2.3', undefined, 'unknown'],
    ['127.0.0.1', '203.0.113.9 evil', undefined, 'unknown'],
    [undefined, '203.0.113.9', undefined, 'unknown'],
  ] as const)
    test(`the client behind ${peer} with ${forwardedFor} is ${address}`, () => {
      const client = behindProxies(peer, forwardedFor);
      assert.deepEqual([client.address, client.from], [address, from]);
    });
});

describe('the throttle counts IPv4 by address and IPv6 by /64, and an end site is a /48', () => {
  for (const [peer, network, endSite] of [
    ['203.0.113.9', '203.0.113.9', '203.0.113.9'],
    ['::ffff:203.0.113.9', '203.0.113.9', '203.0.113.9'],
    ['::ffff:cb00:7109', '203.0.113.9', '203.0.113.9'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8:1:2::1', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:DB8:1:2:ffff::', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    ['2001:db8:1:3::1', '2001:db8:1:3::/64', '2001:db8:1::/48'],
    ['::1', '::/64', '::/48'],
  ] as const)
    test(`${peer} counts as ${network} of ${endSite}`, () => {
      const { address } = alone(peer, undefined);
      assert.deepEqual([networkOf(address, 64), networkOf(address, 48)], [network, endSite]);
    });
});

describe('a peer on a Unix socket has no address', () => {
  const { findClient: onSocket, noteListening } = createTrustedProxies(['unix']);
  noteListening(['/run/app.sock'], { info() {}, warn() {} });

  test('and X-Forwarded-For names the client if sockets are trusted', () => {
    assert.equal(onSocket(undefined, '192.0.2.1, 203.0.113.9').address, '203.0.113.9');
    assert.equal(onSocket(undefined, '203.0.113.9').from, 'trusted-proxy');
    assert.equal(onSocket(undefined, undefined).from, 'unknown');
  });

  test('but an untrusted peer with an address still counts as itself', () =>
    assert.equal(onSocket('198.51.100.7', '203.0.113.9').address, '198.51.100.7'));
});
