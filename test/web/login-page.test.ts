import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startServer } from './server.ts';

test('the cookie of a failed login holds the user name, but none that is too long', async () => {
  await using server = await startServer();
  for (const [username, isKept] of [
    ['€'.repeat(254), true],
    ['x'.repeat(255), false],
    ['x'.repeat(60_000), false],
    ['€'.repeat(5000), false],
  ] as const) {
    const { headers, statusCode } = await server.post('/auth/token', { username, password: '' });
    assert.equal(statusCode, 303);
    const [, kept = ''] = /^login-failure=([\w-]+); /.exec(String(headers['set-cookie'])) ?? [];
    const text = Buffer.from(kept, 'base64url').toString();
    assert.equal(text.endsWith(` ${isKept ? username : ''}`), true, text.slice(0, 60));
    assert.ok(JSON.stringify(headers).length < 4000, 'a browser and a proxy take the headers');
  }
});
