import assert from 'node:assert/strict';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import dns from 'node:dns';
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { describe, test } from 'node:test';
import { listenForMetrics, type MetricsListener } from '../../../src/core/telemetry/metrics-listener.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { createMigratedWorkplace } from '../../commands/janua-command.ts';
import { readFigures, sumOf } from './figures.ts';

const scrape = 'GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n';

/** Opens a connection that the server may cut off. */
async function open({ url }: MetricsListener): Promise<Socket> {
  const client = connect(Number(new URL(url).port)).on('error', () => {});
  await once(client, 'connect');
  return client;
}

/** Resolves when the connection is closed, even after a reset. */
const closeOf = (socket: Socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()));

const anywhere = { host: '127.0.0.1', port: 0 };

describe('the address for Prometheus', () => {
  test('serves metrics at /metrics in the text format, and nothing else', async () => {
    await using listener = await listenForMetrics(anywhere, async () => 'a 1\n');
    const answer = await fetch(listener.url);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    assert.equal(await answer.text(), 'a 1\n');
    assert.equal((await fetch(listener.url, { method: 'HEAD' })).status, 200);
    // fetch sends no TRACE.
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'QUERY']) {
      const [refused] = await once(request(listener.url, { method, agent: false }).end(), 'response');
      const { statusCode, headers } = refused.resume();
      assert.deepEqual([statusCode, headers.allow], [405, 'GET, HEAD'], method);
    }
    for (const path of ['/', '/metrics/', '/api/me']) {
      const missing = await fetch(new URL(path, listener.url));
      assert.deepEqual([missing.status, missing.headers.get('x-content-type-options')], [404, 'nosniff'], path);
    }
  });

  for (const [host, status] of [
    ['127.0.0.1', 200],
    ['10.0.0.5:9464', 200],
    ['[::1]:9464', 200],
    ['localhost:9464', 200],
    ['janua.localhost', 200],
    ['janua:9464', 200],
    ['localhost.evil.example', 421],
    ['evil.example:9464', 421],
    ['evil.example.', 421],
    ['127.0.0.1.evil.example', 421],
  ] as const)
    test(`answers ${status} to a request for the host ${host}`, async () => {
      await using listener = await listenForMetrics(anywhere, async () => 'a 1\n');
      const [answer] = await once(request(listener.url, { agent: false, headers: { host } }).end(), 'response');
      assert.equal(answer.resume().statusCode, status);
    });

  test('is known by the name that the operator wrote, and by no other one with a dot', async (t) => {
    const name = 'janua.example.internal';
    t.mock.method(dns, 'lookup', (_host: string, done: unknown, last: unknown = done) =>
      (last as (error: null, address: string, family: number) => void)(null, '127.0.0.1', 4),
    );
    await using listener = await listenForMetrics({ host: name, port: 0 }, async () => 'a 1\n');
    for (const [host, status] of [
      [`${name}:9464`, 200],
      [`other.${name}`, 421],
    ] as const) {
      const [answer] = await once(request(listener.url, { agent: false, headers: { host } }).end(), 'response');
      assert.equal(answer.resume().statusCode, status);
    }
  });

  test('answers 500 without a reason if the metrics cannot be read', async () => {
    await using listener = await listenForMetrics(anywhere, async () => {
      throw new Error('canary');
    });
    const answer = await fetch(listener.url);
    assert.equal(answer.status, 500);
    assert.equal(await answer.text(), '');
  });

  test('is a valid URL with IPv6', async () => {
    await using listener = await listenForMetrics({ host: '::1', port: 0 }, async () => '');
    assert.match(listener.url, /^http:\/\/\[::1\]:\d+\/metrics$/);
    assert.equal((await fetch(listener.url)).status, 200);
  });

  test('limits its connections, and closes those that send no request or do not read', async () => {
    // More than the system buffers for a client that does not read.
    const text = 'a 1\n'.repeat(5_000_000);
    await using listener = await listenForMetrics(anywhere, async () => text);
    const closed: Promise<void>[] = [];
    const follow = (message: unknown) => void closed.push(closeOf((message as { socket: Socket }).socket));
    subscribe('net.server.socket', follow);
    const clients = await Promise.all(Array.from({ length: 32 }, () => open(listener)));
    clients[0]?.pause().write(scrape);
    await assert.rejects(fetch(listener.url));
    unsubscribe('net.server.socket', follow);
    assert.equal(closed.length, 32);
    await Promise.all(closed);
    assert.equal((await fetch(listener.url)).status, 200);
    for (const client of clients) client.destroy();
  });

  test('is refused if it belongs to another machine', async () => {
    const elsewhere = listenForMetrics({ host: '192.0.2.1', port: 0 }, async () => '');
    await assert.rejects(
      elsewhere,
      (error) => error instanceof Misconfiguration && /METRICS_LISTEN/.test(error.message),
    );
  });
});

test('a server does not start if METRICS_LISTEN is in use, and says so', async () => {
  await using workplace = await createMigratedWorkplace();
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const address = other.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  const { code, stderr } = await workplace.run(['serve'], { env: { PORT: '0', METRICS_LISTEN: String(port) } });
  assert.equal(code, 2);
  assert.match(stderr, new RegExp(`^Port ${port} is in use already\\. .*METRICS_LISTEN\\.\n$`));
  other.close();
});

test('an invalid METRICS_LISTEN is refused without repeating its value', async () => {
  await using workplace = await createMigratedWorkplace();
  const { code, stderr } = await workplace.run(['serve'], { env: { METRICS_LISTEN: 'canary:x' } });
  assert.equal(code, 2);
  assert.match(stderr, /^METRICS_LISTEN must be a host and a port, .*\n$/);
  assert.doesNotMatch(stderr, /canary/);
});

test('metrics stay available until the last request is answered, and then the server ends', async () => {
  await using workplace = await createMigratedWorkplace();
  const server = await workplace.start(['serve'], { METRICS_LISTEN: '0', DRAIN_SECONDS: '60' });
  const [, url = ''] = /"url":"(http:[^"]+\/metrics)"/.exec(server.output) ?? [];
  server.process.kill('SIGTERM');
  let status = 200;
  while (status !== 503) status = (await fetch(`${server.url}/health/ready`)).status;
  const figures = readFigures(await (await fetch(url)).text());
  const drained = { route: '/health/ready', status: '503' };
  assert.equal(sumOf(figures, 'janua_http_requests_total', drained), 1);
  assert.equal(await server.stop(), 0);
});

test('a server without metrics and traces does not load their libraries', async () => {
  await using workplace = await createMigratedWorkplace();
  // Prints the URL of each loaded module.
  const watch = `import { registerHooks } from 'node:module';
    registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context); } });`;
  const loaded = async (env: Record<string, string>) => {
    const server = workplace.launch(['serve'], {
      PORT: '0',
      DRAIN_SECONDS: '0',
      NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(watch)}`,
      ...env,
    });
    let modules = '';
    server.stderr.on('data', (chunk) => {
      modules += chunk;
    });
    for await (const line of createInterface({ input: server.stdout })) if (line.includes('"ready"')) break;
    server.stdout.resume();
    server.kill('SIGTERM');
    await once(server, 'close');
    return modules.split('\n').filter((url) => /@prometheus-io|@opentelemetry|telemetry\/(?:traces|metrics)/.test(url));
  };
  assert.deepEqual(await loaded({}), []);
  assert.notDeepEqual(await loaded({ METRICS_LISTEN: '0' }), []);
});
