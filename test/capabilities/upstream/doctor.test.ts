import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { checkUpstreams } from '../../../src/doctor/upstreams.ts';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { google, writeUpstreams } from './opened.ts';

test('janua doctor tells which providers can be reached', async () => {
  const server = createServer(({ url = '' }, response) => {
    response.statusCode = url === '/good/.well-known/openid-configuration' ? 200 : 404;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const entry = { ...google, kind: 'openid', name: 'Own' };
  using file = writeUpstreams([
    { ...entry, id: 'good', issuer: `${origin}/good/` },
    { ...entry, id: 'wrong', issuer: `${origin}/wrong` },
    { ...entry, id: 'away', issuer: 'http://127.0.0.1:9' },
  ]);
  const findings = await Array.fromAsync(checkUpstreams(loadSettings({}, { UPSTREAMS_FILE: file.path }), 2000));
  server.close();
  assert.deepEqual(
    findings.map(({ state, message }) => `${state}: ${message.replace(origin, '')}`),
    [
      'ok: The provider Own can be reached at /good/.',
      'wrong: The provider Own cannot be reached at /wrong: it answers 404.',
      'wrong: The provider Own cannot be reached at http://127.0.0.1:9: no answer.',
    ],
  );
});
