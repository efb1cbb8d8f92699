import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readBareStyle } from '../../../src/web/bare-style.ts';
import { startJanua, type TestJanua } from '../../janua.ts';

/** One request for each kind of answer. */
const requests = [
  ['GET', '/', 200],
  ['GET', '/auth/home', 303],
  ['GET', '/auth/verify', 401],
  ['GET', '/auth/forward', 303],
  ['GET', '/admin/me', 303],
  ['GET', '/api/me', 401],
  ['POST', '/auth/token', 303],
  ['POST', '/api/login', 400],
  ['POST', '/api/logout', 401],
  ['PUT', '/api/me', 405],
  ['OPTIONS', '/api/me', 204],
  ['GET', '/nothing', 404],
  ['GET', '/%zz', 400],
  ['GET', '/docs', 200],
  ['GET', '/docs/swagger-ui.css', 200],
  ['GET', '/docs/nothing', 404],
  ['GET', '/openapi.json', 200],
  ['GET', '/health/live', 200],
  ['GET', '/assets/janua.css', 200],
  ['GET', '/assets/pico.css', 200],
  ['GET', '/assets/nothing', 404],
] as const;

/** The whole policy, because one more directive could allow what the others forbid. */
const policy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "object-src 'none'",
  "frame-ancestors 'none'",
].join('; ');

for (const https of [false, true]) {
  describe(https ? 'over HTTPS' : 'over plain HTTP', () => {
    let janua: TestJanua;
    before(async () => {
      janua = await startJanua(https ? { settings: { PUBLIC_URL: 'https://auth.example.com' } } : {});
    });
    after(() => janua[Symbol.asyncDispose]());

    for (const [method, url, status] of requests) {
      test(`the answer to ${method} ${url} has all security headers`, async () => {
        const { headers, statusCode, body } = await janua.app.inject({ method, url });
        assert.equal(statusCode, status);
        const expected = url === '/auth/verify' ? readBareStyle(undefined).contentSecurityPolicy : policy;
        assert.equal(headers['content-security-policy'], expected);
        // A page must not override them.
        if (String(headers['content-type']).startsWith('text/html'))
          assert.doesNotMatch(body, /http-equiv|name="referrer"|referrerpolicy/i);
        assert.equal(headers['x-content-type-options'], 'nosniff');
        assert.equal(headers['referrer-policy'], 'strict-origin');
        assert.equal(headers['cross-origin-opener-policy'], 'same-origin');
        assert.equal(headers['cross-origin-resource-policy'], 'same-origin');
        assert.equal(headers['strict-transport-security'], https ? 'max-age=31536000; includeSubDomains' : undefined);
        for (const name of ['x-powered-by', 'server']) assert.equal(headers[name], undefined);
        if (/\.(css|js)$/.test(url) && statusCode === 200) return;
        assert.equal(headers['cache-control'], url === '/openapi.json' ? 'no-cache' : 'no-store');
      });
    }
  });
}

test('assets may be cached, and are revalidated by their ETag', async () => {
  await using janua = await startJanua();
  for (const name of ['pico.css', 'janua.css', 'theme.css', 'pages.js', 'logo.svg']) {
    const answer = await janua.get(`/assets/${name}`);
    assert.equal(answer.headers['cache-control'], 'public, max-age=3600');
    assert.equal(answer.headers.pragma, undefined);
    const again = await janua.get(`/assets/${name}`, { 'if-none-match': String(answer.headers.etag) });
    assert.equal(again.statusCode, 304);
  }
});

test('over HTTPS the cookies are Secure and have the prefix __Host-', async () => {
  await using janua = await startJanua({ settings: { PUBLIC_URL: 'https://auth.example.com' } });
  const payload = { username: 'ann@example.com', password: 'correct horse battery' };
  const answer = await janua.app.inject({ method: 'POST', url: '/api/login', payload });
  const [session, browser] = answer.headers['set-cookie'] as string[];
  assert.match(session ?? '', /^__Host-session=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
  assert.match(browser ?? '', /^__Host-browser=[^;]+; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=31536000$/);
  const value = /=([^;]+)/.exec(session ?? '')?.[1];
  assert.equal((await janua.get('/api/me', { cookie: `__Host-session=${value}` })).statusCode, 200);
  for (const name of ['session', '__host-session', '__HOST-SESSION']) {
    assert.equal((await janua.get('/api/me', { cookie: `${name}=${value}` })).statusCode, 401);
  }
  const out = await janua.post('/api/logout', undefined, { cookie: `__Host-session=${value}` });
  assert.equal(out.headers['set-cookie'], '__Host-session=; Path=/; HttpOnly; SameSite=Lax; Secure; Max-Age=0');
});

test('a forged host never appears in an answer', async () => {
  await using janua = await startJanua();
  const { cookie } = await janua.logIn();
  const forged = {
    host: 'evil.example',
    'x-forwarded-host': 'evil.example',
    'x-forwarded-proto': 'https',
    forwarded: 'host=evil.example',
  };
  for (const [method, url] of [
    ['GET', '/'],
    ['GET', '/admin/me'],
    ['GET', 'http://evil.example/admin/me?x'],
    ['POST', '/auth/token'],
    ['GET', '/docs'],
    ['GET', '/openapi.json'],
    ['GET', '/nothing'],
    ['GET', '/auth/token'],
    ['POST', '/auth/logout'],
  ] as const) {
    for (const headers of [forged, { ...forged, ...cookie }]) {
      const answer = await janua.app.inject({ method, url, headers });
      assert.doesNotMatch(JSON.stringify(answer.headers) + answer.body, /evil/, url);
    }
  }
});
