import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attemptOf } from '../../../src/core/access/login-limits.ts';

test('an attempt counts for the network that a client may hold: an IPv4 address, an IPv6 /64, and the /48 of a site', () => {
  for (const [sent, address, endSite] of [
    ['192.0.2.1', '192.0.2.1', '192.0.2.1'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', '2001:db8:1::/48'],
    [undefined, undefined, undefined],
  ] as const) {
    const attempt = attemptOf('ann', undefined, undefined, { address: sent }, { digestName: (name) => name });
    assert.deepEqual([attempt.address, attempt.endSite], [address, endSite]);
  }
});
