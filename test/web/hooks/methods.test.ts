import assert from 'node:assert/strict';
import { once } from 'node:events';
import { METHODS } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { after, before, test } from 'node:test';
import { startJanua, type TestJanua } from '../../janua.ts';

let janua: TestJanua;
let port: number;
before(async () => {
  janua = await startJanua();
  await janua.app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = janua.app.addresses();
  port = typeof address === 'object' ? address.port : 0;
});
after(() => janua[Symbol.asyncDispose]());

/** Sends raw bytes, and returns everything until the connection closes. */
async function raw(bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  socket.end(bytes, 'latin1');
  return text(socket);
}

const routes: Record<string, string> = {
  '/': 'GET, HEAD',
  '/auth/login': 'GET, HEAD',
  '/auth/home': 'GET, HEAD',
  '/auth/token': 'POST',
  '/auth/logout': 'POST',
  '/auth/confirm': 'GET, HEAD, POST',
  '/admin/me': 'GET, HEAD',
  '/api/login': 'POST',
  '/api/logout': 'POST',
  '/api/me': 'GET, HEAD',
  '/docs': 'GET, HEAD',
  '/docs/': 'GET, HEAD',
  '/favicon.ico': 'GET, HEAD',
  '/openapi.json': 'GET, HEAD',
  '/health/live': 'GET, HEAD',
  '/health/ready': 'GET, HEAD',
  '/assets/janua.css': 'GET, HEAD',
  '/docs/swagger-ui.css': 'GET, HEAD',
};

for (const [path, methods] of Object.entries(routes)) {
  test(`${path}: OPTIONS names ${methods}, and every other method is 405`, async () => {
    for (const method of METHODS.filter((name) => name !== 'CONNECT')) {
      if (methods.split(', ').includes(method)) continue;
      if (path === '/auth/token' && ['GET', 'HEAD'].includes(method)) continue;
      const answer = await raw(`${method} ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      assert.match(answer, method === 'OPTIONS' ? /^HTTP\/1.1 204/ : /^HTTP\/1.1 405/, method);
      assert.match(answer, new RegExp(`\r\nallow: ${methods}, OPTIONS\r\n`));
      assert.match(answer, /x-content-type-options: nosniff/);
    }
  });
}

test('a browser that opens the address of the login form is sent to the login page, and a program gets 405', async () => {
  for (const method of ['GET', 'HEAD'] as const) {
    const page = await janua.app.inject({ method, url: '/auth/token' });
    assert.deepEqual([page.statusCode, page.headers.location], [303, '/auth/login']);
    assert.match(String(page.headers['content-security-policy']), /default-src 'none'/);
    const headers = { 'x-expected-format': 'application/json' };
    const program = await janua.app.inject({ method, url: '/auth/token', headers });
    assert.deepEqual([program.statusCode, program.headers.allow], [405, 'POST, OPTIONS']);
  }
});

test('the page about a request that cannot be answered has its request id, unless there is no such page', async () => {
  for (const [request, status] of [
    [{ method: 'PUT', url: '/auth/login' }, 405],
    [{ method: 'POST', url: '/auth/language', headers: { 'content-type': 'text/plain' }, payload: 'a' }, 415],
    [{ method: 'GET', url: '/nothing' }, 404],
  ] as const) {
    const page = await janua.send(request);
    assert.equal(page.statusCode, status);
    assert.equal(page.body.includes(String(page.headers['x-request-id'])), status !== 404);
  }
});

for (const url of [
  '/nothing',
  '/admin/me/x.css',
  '/admin/me;x.css',
  '/admin/me%3Fx.css',
  '/admin/',
  '/auth',
  '/ADMIN/ME',
  '/admin/me/',
  '/admin%2Fme',
  '//admin/me',
  '/.git/config',
  '/.env',
  '/assets/',
  '/assets/../package.json',
  '/assets/%2e%2e/views/login.eta',
  '/assets/janua.css.map',
  '/robots.txt\0',
  '/a/'.repeat(500),
]) {
  test(`${url.slice(0, 40)} is 404 in the expected format, and is not echoed`, async () => {
    const first = await janua.get('/something-else');
    for (const method of ['GET', 'POST', 'OPTIONS', 'DELETE'] as const) {
      const page = await janua.app.inject({
        method,
        url,
        headers: { 'content-type': 'text/plain' },
        payload: method === 'GET' ? '' : 'x',
      });
      assert.equal(page.statusCode, 404, method);
      assert.equal(page.headers['content-type'], 'text/html; charset=utf-8');
      assert.equal(page.body, first.body, 'every unknown address gets the same page');
    }
    const program = await janua.get(url, { 'x-expected-format': 'application/json' });
    assert.deepEqual(program.json(), {
      title: 'Not Found',
      status: 404,
      detail: 'There is nothing at this address.',
      request_id: program.headers['x-request-id'],
    });
  });
}

for (const [path, methods] of Object.entries(routes).filter(([, allowed]) => allowed.includes('GET'))) {
  test(`HEAD ${path} answers as GET, without a body`, async () => {
    const [get, head] = [await janua.app.inject(path), await janua.app.inject({ method: 'HEAD', url: path })];
    assert.equal(head.body, '');
    assert.equal(head.statusCode, get.statusCode, methods);
    assert.equal(get.headers['content-length'], String(Buffer.byteLength(get.body)));
    const own = { date: '', 'x-request-id': '' };
    assert.deepEqual({ ...head.headers, ...own }, { ...get.headers, ...own });
  });
}

test('a client that asks for a part of a file gets the whole file, with its length', async () => {
  const whole = await janua.get('/assets/janua.css');
  for (const range of ['bytes=2-11', 'bytes=-5', 'bytes=0-1,4-5']) {
    const { headers, statusCode, body } = await janua.get('/assets/janua.css', { range });
    assert.deepEqual(
      [statusCode, headers['content-length'], headers['content-range'], body],
      [200, String(Buffer.byteLength(body)), undefined, whole.body],
    );
  }
});

test('broken HTTP is answered with 4xx', async () => {
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n',
    'POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab',
    'GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    'nonsense\r\n\r\n',
  ]) {
    assert.match(await raw(bytes), /^HTTP\/1.1 4\d\d/);
  }
});

test('an address or a header of 20,000 characters is 431', async () => {
  const long = 'x'.repeat(20_000);
  for (const bytes of [`GET /${long} HTTP/1.1\r\nHost: x`, `GET / HTTP/1.1\r\nHost: x\r\nA: ${long}`])
    assert.match(await raw(`${bytes}\r\nConnection: close\r\n\r\n`), /^HTTP\/1.1 431/);
});

test('two Authorization fields are 400, and an event', async () => {
  const { auditTrail } = janua.services;
  const recorded = async () =>
    (await Array.fromAsync(auditTrail.find({ order: 'newest-first', kind: 'access-refused', limit: 100 }))).filter(
      (event) => 'reason' in event && event.reason === 'several-authorization-headers',
    ).length;
  for (const path of ['/api/me', '/admin/me', '/auth/home', '/auth/login']) {
    const answer = await raw(
      `GET ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Og==\r\nauthorization: Bearer x\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1.1 400/, path);
    if (path.startsWith('/api')) assert.match(answer, /"error":"invalid_request"/);
  }
  for (const path of ['/api/logout', '/auth/logout']) {
    const answer = await raw(
      `POST ${path} HTTP/1.1\r\nHost: x\r\nAuthorization: Basic Og==\r\nauthorization: Bearer x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
    );
    assert.match(answer, /^HTTP\/1.1 400/, path);
  }
  assert.equal(await recorded(), 6);
});

test('a missing file and a forbidden file get the same 404', async () => {
  const missing = await janua.get('/something-else');
  for (const url of [
    '/docs/nothing',
    '/docs/..%2fpackage.json',
    '/docs/%2e%2e/package.json',
    '/docs/.git',
    // These files exist where those that are served are, and above.
    '/assets/layout.eta',
    '/assets/assets.ts',
    '/assets/login-page.eta',
    '/docs/docs.eta',
    '/docs/openapi.ts',
    '/docs/index.html',
    '/docs/swagger-initializer.js',
    // This file exists in the folder in which the tests run.
    '/docs/package.json',
    '/assets/package.json',
  ]) {
    const answer = await janua.get(url);
    assert.equal(answer.statusCode, 404, url);
    assert.equal(answer.body, missing.body);
  }
});
