import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createReadiness } from '../../src/core/stores/readiness.ts';
import { startJanua } from '../janua.ts';
import { startServer } from './server.ts';

test('a running server is alive and ready', async () => {
  await using janua = await startJanua();
  for (const url of ['/health/live', '/health/ready']) {
    const answer = await janua.get(url);
    assert.equal(answer.statusCode, 200);
    assert.equal(answer.body, '{"status":"ok"}');
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    assert.equal(answer.headers['cache-control'], 'no-store');
  }
});

test('a server without a store is alive but not ready', async () => {
  await using server = await startServer({
    findUnavailable: async () => ['The database', 'Redis'],
  });
  assert.equal((await server.get('/health/live')).statusCode, 200);
  for (const headers of [{}, { 'x-expected-format': 'application/json' }]) {
    const answer = await server.get('/health/ready', headers);
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['retry-after'], '5');
    assert.equal(answer.headers['content-type'], 'application/json; charset=utf-8');
    const detail = 'The database and Redis are unavailable';
    const request_id = answer.headers['x-request-id'];
    assert.deepEqual(answer.json(), { title: 'Service Unavailable', status: 503, detail, request_id });
  }
});

test('the stores are checked at most twice a second, for all clients together', async ({ mock }) => {
  mock.timers.enable({ apis: ['setTimeout'] });
  let checks = 0;
  async function check(): Promise<void> {
    checks += 1;
  }
  const readiness = createReadiness([['The database', check]]);
  for (const [passed, expected] of [
    [0, 1],
    [499, 1],
    [1, 2],
  ] as const) {
    mock.timers.tick(passed);
    await Promise.all([readiness.findUnavailable(), readiness.findUnavailable()]);
    assert.deepEqual(await readiness.findUnavailable(), []);
    assert.equal(checks, expected);
  }
});

test('a server is not ready after its database was closed', async () => {
  const janua = await startJanua();
  await janua.closeStores();
  assert.notEqual((await janua.get('/health/ready')).statusCode, 200);
  await janua.app.close();
});
