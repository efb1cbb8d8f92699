import assert from 'node:assert/strict';
import { once } from 'node:events';
import { request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { test } from 'node:test';
import { findRequester } from '../../../src/ground/faults/requester.ts';
import { startServer } from '../server.ts';

test('the work of a request counts for its network and, once signed in, for its account, even if the body comes late', async () => {
  const signedIn = { user: { id: 'ann' }, session: {}, scopes: [] };
  const begun = Promise.withResolvers<void>();
  await using server = await startServer({
    parts: { requireSignedIn: async () => signedIn as never },
    findClient: () => ({ address: '2001:db8:1:2::3', from: 'trusted-proxy' }),
    addRoutes(app) {
      const handler = async () => findRequester() ?? ['the server'];
      app.post('/stranger', { onRequest: async () => begun.resolve(), handler });
      app.post('/account', { config: { signedIn: true }, handler });
    },
  });
  await server.app.listen({ port: 0, host: '127.0.0.1' });
  const { port } = server.app.server.address() as AddressInfo;
  for (const [path, account] of [
    ['/stranger', ''],
    ['/account', 'ann'],
  ]) {
    const headers = { 'content-type': 'application/json', 'content-length': 2 };
    const asked = request({ port, path, method: 'POST', headers });
    asked.flushHeaders();
    await begun.promise;
    asked.end('{}');
    const [answer] = await once(asked, 'response');
    assert.deepEqual(await json(answer), ['2001:db8:1::/48', `2001:db8:1::/48 ${account}`]);
  }
  assert.equal(findRequester(), undefined);
});
