import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { startJanua } from '../janua.ts';

const made = /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[\da-f]{4}-[\da-f]{12}$/;

describe('a request id', () => {
  for (const [name, id] of [
    ['from a trusted proxy is accepted', 'edge-1:a_b.C'],
    ['of 64 characters is accepted', 'x'.repeat(64)],
  ] as const) {
    test(name, async () => {
      await using janua = await startJanua({ settings: { TRUSTED_PROXIES: ['127.0.0.1'] } });
      const answer = await janua.get('/api/me', { 'x-request-id': id });
      assert.equal(answer.headers['x-request-id'], id);
      const [event] = await janua.services.auditTrail.findByRequestId(id);
      assert.ok(event !== undefined && 'kind' in event);
      assert.equal(event.kind, 'access-refused');
    });
  }

  for (const [name, id] of [
    ['that is empty', ''],
    ['that is too long', 'x'.repeat(65)],
    ['with a blank', 'a b'],
    ['with an escaped line break', 'a%0d%0ab'],
    ['given twice', ['one', 'two']],
  ] as const) {
    test(`${name} is replaced, even from a trusted proxy`, async () => {
      await using janua = await startJanua({ settings: { TRUSTED_PROXIES: ['127.0.0.1'] } });
      const headers = { 'x-request-id': id as string | string[] };
      assert.match(String((await janua.get('/api/me', headers)).headers['x-request-id']), made);
    });
  }

  test('from any other client is replaced, so that a client cannot take the id of another request', async () => {
    for (const TRUSTED_PROXIES of [[], ['10.0.0.0/8']]) {
      await using janua = await startJanua({ settings: { TRUSTED_PROXIES } });
      const headers = { 'x-request-id': 'edge-1' };
      for (const url of ['/api/me', '/%zz', '/nothing'])
        assert.match(String((await janua.get(url, headers)).headers['x-request-id']), made, url);
    }
  });
});
