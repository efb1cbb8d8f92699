/** Raw bytes that no honest client sends. The server answers 4xx or nothing, and closes the connection at once. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { mostUnanswered, type ServerOptions } from '../../src/server.ts';
import { securityHeaders } from '../../src/web/hooks/security-headers.ts';
import { startServer, type TestServer } from '../web/server.ts';
import { exchange, open, parseAnswers } from './wire.ts';

/** A request to hide within another. If it were treated as a request of its own, the log would have its path. */
const hidden = 'GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n';

const head = (line: string, ...fields: string[]) => `${[line, 'Host: a', ...fields].join('\r\n')}\r\n\r\n`;
const get = (...fields: string[]) => head('GET /health/live HTTP/1.1', 'Connection: close', ...fields);
const line = (first: string) => head(first, 'Connection: close');
const post = (fields: readonly string[], body = '') => head('POST /api/logout HTTP/1.1', ...fields) + body;
const sized = (length: string) => post([`Content-Length: ${length}`], `{}${hidden}`);
const coded = (coding: string) => post([`Transfer-Encoding: ${coding}`], `0\r\n\r\n${hidden}`);
const chunks = (body: string) => post(['Transfer-Encoding: chunked', 'Connection: close'], body);

async function serve(limits: Pick<ServerOptions, 'timeouts'> = {}): Promise<{ server: TestServer; port: number }> {
  const server = await startServer({
    ...limits,
    parts: { logOut: async () => {}, logIn: async () => assert.fail('this test sends no login') },
  });
  await server.app.listen({ host: '127.0.0.1', port: 0 });
  const [address] = server.app.addresses();
  return { server, port: typeof address === 'object' ? address.port : 0 };
}

/** Expects that the server still serves other clients. */
async function assertServes(port: number): Promise<void> {
  const [answer] = parseAnswers(await exchange(port, get()));
  assert.equal(answer?.status, 200);
}

// These tests never wait for a server timeout: the default ones are longer than their clients wait.
describe('broken or ambiguous HTTP', () => {
  let server: TestServer;
  let port: number;
  before(async () => {
    ({ server, port } = await serve());
  });
  after(() => server[Symbol.asyncDispose]());

  const statusesOf = async (bytes: string) => parseAnswers(await exchange(port, bytes)).map(({ status }) => status);
  const assertNothingHidden = () =>
    assert.doesNotMatch(server.log.join(), /\/hidden/, 'the hidden request is not served');

  const refused: Record<string, string[]> = {
    'two lengths in one request': [
      post(['Content-Length: 6', 'Transfer-Encoding: chunked'], `0\r\n\r\n${hidden}`),
      post(['Transfer-Encoding: chunked', 'Content-Length: 6'], `0\r\n\r\n${hidden}`),
      post(['Content-Length: 2', 'Content-Length: 2'], `{}${hidden}`),
      post(['Content-Length: 2', 'Content-Length: 40'], `{}${hidden}`),
      post(['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], `0\r\n\r\n${hidden}`),
      'POST /api/logout HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    'invalid lengths': [
      ...['2, 2', '+2', '-2', '0x2', '2 2', '2;', '2.0', '', '2\0', '\xb2', '99999999999999999999'].map(sized),
    ],
    'codings that two parsers may read differently': [
      ...[
        'xchunked',
        'chunked, identity',
        '\x0bchunked',
        '\xa0chunked',
        'gzip',
        'identity',
        '"chunked"',
        'chunked;a=b',
        '',
      ].map(coded),
      ...['chunked, chunked', 'chu\r\n nked', '\r\n chunked', 'chunked\0', 'chunked\n'].map(coded),
      post(['Transfer-Encoding : chunked'], `0\r\n\r\n${hidden}`),
      post([' Transfer-Encoding: chunked'], `0\r\n\r\n${hidden}`),
      post(['Transfer_Encoding: chunked'], `0\r\n\r\n${hidden}`),
      post(['Transfer-Encoding\0: chunked'], `0\r\n\r\n${hidden}`),
    ],
    'invalid chunks': [
      ...['zz\r\n\r\n', '-1\r\n', '0x2\r\n{}\r\n0\r\n\r\n', ' 2\r\n{}\r\n', '2 \r\n{}\r\n'].map(chunks),
      ...['2\n{}\n0\n\n', '2;a\n{}\r\n0\r\n\r\n', 'fffffffffffffffff\r\na', '\r\n2\r\n{}\r\n'].map(chunks),
      chunks(`2\r\n{}0\r\n\r\n${hidden}`),
      chunks(`2;${'a'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`),
      chunks(`0\r\nA: ${'a'.repeat(20_000)}\r\n\r\n`),
    ],
    'invalid fields': [
      ...['A: b\r\n folded', 'A: b\r\n\tfolded', 'A: b\nB: c', 'A: b\rB: c', 'A: b\0c', 'A\0: b'].map((field) =>
        get(field),
      ),
      ...['A', ': a', 'A b: c', 'A : c', 'A: \x7f', 'A: \x01', '\xe9: a', ' A: b', '(A): b'].map((field) => get(field)),
      'GET /health/live HTTP/1.1\nHost: a\n\n',
    ],
    'a missing, double or invalid Host': [
      get('Host: a'),
      get('host: b'),
      'GET /health/live HTTP/1.1\r\nConnection: close\r\n\r\n',
      ...['a b', 'a@b', 'a/b', 'a, b', '[::1', 'a:b', 'http://a', '\xe9'].map(
        (name) => `GET /health/live HTTP/1.1\r\nHost: ${name}\r\n\r\n`,
      ),
    ],
    'invalid first lines': [
      ...['GET /', 'GET / HTTP/3.7', 'GET / http/1.1', 'GET / HTTP/1.1 x', 'GET\t/\tHTTP/1.1', 'GET / HTTP/1', ''].map(
        line,
      ),
      ...['GET /\0 HTTP/1.1', 'GET /\x7f HTTP/1.1', 'G\0T / HTTP/1.1', ' GET / HTTP/1.1', '/ HTTP/1.1'].map(line),
      `${'A'.repeat(20_000)} / HTTP/1.1\r\n\r\n`,
    ],
    'other protocols': [
      'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
      '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03',
      'SSH-2.0-a\r\n',
      '\0\0\0\0',
      'EHLO a\r\n',
      `CONNECT evil.example:443 HTTP/1.1\r\nHost: evil.example\r\n\r\n${hidden}`,
    ],
    'heads that are too large': [
      get(`A: ${'a'.repeat(17_000)}`),
      get(`${'a'.repeat(17_000)}: a`),
      get(...Array.from({ length: 5000 }, () => 'a: b')),
      line(`GET /${'a'.repeat(17_000)} HTTP/1.1`),
      `GET /${'a'.repeat(1_000_000)}`,
    ],
  };
  for (const [title, requests] of Object.entries(refused)) {
    test(`${title}: the server answers 4xx or nothing, and closes the connection`, async () => {
      for (const bytes of requests) {
        const statuses = await statusesOf(bytes);
        const shown = JSON.stringify(bytes).slice(0, 200);
        assert.ok(
          statuses.every((status) => status >= 400 && status < 500),
          `${shown}: ${statuses}`,
        );
      }
      assertNothingHidden();
      await assertServes(port);
    });
  }

  test('the server refuses a coding before the chunks, although the parser accepts it', async () => {
    for (const coding of ['gzip, chunked', 'identity, chunked', 'identity\r\nTransfer-Encoding: chunked']) {
      const statuses = await statusesOf(post([`Transfer-Encoding: ${coding}`], '0\r\n\r\n'));
      assert.deepEqual(statuses, [400], coding);
    }
    for (const coding of ['chunked', 'CHUNKED', '\tchunked']) {
      const fields = [`Transfer-Encoding: ${coding}`, 'Content-Type: application/json', 'Connection: close'];
      const statuses = await statusesOf(post(fields, '2\r\n{}\r\n0\r\n\r\n'));
      assert.deepEqual(statuses, [200], coding);
    }
  });

  test('two Authorization fields are refused, however they are spelt, and with one value too', async () => {
    const names = ['Authorization', 'authorization', 'AUTHORIZATION', 'authorizatioN'];
    for (const first of names)
      for (const second of names) {
        const twice = post([
          `${first}: Bearer x`,
          'A: b',
          `${second}: Bearer x`,
          'Content-Length: 0',
          'Connection: close',
        ]);
        assert.deepEqual(await statusesOf(twice), [400], twice);
      }
  });

  test('an answer about ambiguous HTTP has all security headers', async () => {
    for (const bytes of [get('Host: b'), post(['Transfer-Encoding: gzip, chunked'], '0\r\n\r\n')]) {
      const [answer] = parseAnswers(await exchange(port, bytes));
      assert.equal(answer?.status, 400, bytes);
      const headers = Object.fromEntries(answer.headers);
      assert.deepEqual({ ...headers, ...securityHeaders({ https: false }) }, headers, bytes);
    }
  });

  test('a request hidden in a body is never handled, whatever the answer to the outer request', async () => {
    const length = `Content-Length: ${hidden.length}`;
    const requests: [status: number, bytes: string][] = [
      [404, head('POST /nothing HTTP/1.1', length)],
      [405, head('POST /auth/home HTTP/1.1', length)],
      [415, head('POST /api/logout HTTP/1.1', 'Content-Type: text/plain', length)],
      [400, head('POST /api/logout HTTP/1.1', 'Content-Type: application/json', length)],
      [403, head('POST /api/logout HTTP/1.1', 'Origin: https://evil.example', length)],
      [200, head('GET /health/live HTTP/1.1', length)],
      [204, head('OPTIONS /health/live HTTP/1.1', length)],
    ];
    for (const [status, request] of requests) {
      const [first, ...others] = await statusesOf(request + hidden + get());
      assert.equal(first, status, request);
      // The server also answers the request after the body, unless it has closed the connection.
      assert.ok(['', '200'].includes(others.join()), `${request}: ${others}`);
    }
    const many = hidden.repeat(5000);
    const large = head('POST /api/logout HTTP/1.1', 'Content-Type: application/json', `Content-Length: ${many.length}`);
    assert.equal((await statusesOf(large + many + get()))[0], 413);
    assertNothingHidden();
  });

  test('pipelined requests are answered in order, up to a broken one', async () => {
    const paths = ['/health/live', '/nothing', '/docs'];
    const bytes = paths.map((path) => head(`GET ${path} HTTP/1.1`)).join('');
    assert.deepEqual(await statusesOf(bytes + get()), [200, 404, 200, 200]);
    const broken = await statusesOf(`${head('GET /health/live HTTP/1.1')}GET / HTTP/9\r\n\r\n${hidden}`);
    assert.equal(broken.at(-1), 400);
    await exchange(port, get() + hidden);
    assertNothingHidden();
  });

  test('the server upgrades no connection, and accepts only Expect: 100-continue', async () => {
    for (const protocol of ['websocket', 'h2c', 'TLS/1.0', '__proto__']) {
      const upgrade = get(`Upgrade: ${protocol}`, 'Connection: upgrade', 'HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA');
      assert.deepEqual(await statusesOf(upgrade), [200], protocol);
    }
    const fields = ['Connection: close', 'Content-Length: 2', 'Content-Type: application/json'];
    const continued = await exchange(port, post(['Expect: 100-continue', ...fields], '{}'));
    assert.match(continued, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 /);
    assert.deepEqual(await statusesOf(post(['Expect: more', ...fields], '{}')), [417]);
  });

  test('a foreign host in the target does not appear in the answer', async () => {
    for (const scheme of ['http', 'https']) {
      const bytes = head(`GET ${scheme}://evil.example/auth/login HTTP/1.1`, 'Connection: close');
      assert.doesNotMatch(await exchange(port, bytes), /evil\.example/);
    }
  });

  test('the server does not wait for a client that closes its side in the middle of a request', async () => {
    for (const part of ['', 'GET', 'GET / HTTP/1.1\r\nHost', post(['Content-Length: 100'], '{'), chunks('5\r\nab')]) {
      using connection = await open(port);
      connection.socket.end(part, 'latin1');
      const statuses = parseAnswers(await connection.rest()).map(({ status }) => status);
      assert.ok(
        statuses.every((status) => status >= 400 && status < 500),
        `${JSON.stringify(part)}: ${statuses}`,
      );
    }
    await assertServes(port);
  });
});

describe('the server cuts off slow clients, and serves others meanwhile', () => {
  const short = {
    requestTimeout: 400,
    connectionTimeout: 600,
    http: { headersTimeout: 200, connectionsCheckingInterval: 50 },
  };
  let server: TestServer;
  let port: number;
  before(async () => {
    ({ server, port } = await serve({ timeouts: short }));
  });
  after(() => server[Symbol.asyncDispose]());

  const parts: Record<string, string> = {
    'a connection without a request': '',
    'half a first line': 'GET /he',
    'a head without an end': 'GET /health/live HTTP/1.1\r\nHost: a\r\n',
    'HTTP/0.9': 'GET /health/live\r\n',
    'a missing body': post(['Content-Type: application/json', 'Content-Length: 100']),
    'half a body': post(['Content-Type: application/json', 'Content-Length: 100'], '{"a":'),
    'chunks without an end': post(['Content-Type: application/json', 'Transfer-Encoding: chunked'], '2\r\n{}\r\n'),
    'a body shorter than its length': post(['Content-Type: application/json', 'Content-Length: 60000'], '{'),
  };
  for (const [title, bytes] of Object.entries(parts)) {
    test(title, async () => {
      using opened = new DisposableStack();
      const many = await Promise.all(Array.from({ length: 20 }, async () => opened.use(await open(port))));
      for (const connection of many) connection.send(bytes);
      await assertServes(port);
      for (const connection of many) {
        const statuses = parseAnswers(await connection.rest()).map(({ status }) => status);
        assert.ok(statuses.length === 0 || statuses.join() === '408', `${statuses}`);
      }
    });
  }

  test('a client that sends a byte now and then', async () => {
    for (const start of [
      'GET /health/live HTTP/1.1\r\nA: ',
      post(['Content-Length: 9999', 'Content-Type: application/json']),
    ]) {
      using connection = await open(port);
      connection.send(start);
      using _dripping = setInterval(() => connection.send('a'), 20);
      const statuses = parseAnswers(await connection.rest()).map(({ status }) => status);
      assert.ok(statuses.length === 0 || statuses.join() === '408', `${statuses}`);
    }
  });

  test('a client that does not read its answers', async () => {
    const accepted = once(server.app.server, 'connection');
    using connection = await open(port);
    const [ours] = (await accepted) as [Socket];
    connection.socket.pause();
    // More than the buffers of both sides hold.
    connection.send(head('GET /docs/swagger-ui.js HTTP/1.1').repeat(mostUnanswered));
    await once(ours, 'close');
    await assertServes(port);
  });
});
