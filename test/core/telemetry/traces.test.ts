import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { after, before, describe, test } from 'node:test';
import { createMigratedWorkplace, type Workplace } from '../../commands/janua-command.ts';
import { isLong } from '../../long.ts';
import { startCollector } from './otlp.ts';

const secret = 'canary horse battery';
const traceId = '0af7651916cd43dd8448eb211c80319c';
const parent = { traceparent: `00-${traceId}-b7ad6b7169203331-01`, tracestate: 'vendor=1' };

let workplace: Workplace;
before(async () => {
  workplace = await createMigratedWorkplace();
  const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
  await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: secret });
});
after(() => workplace[Symbol.asyncDispose]());

const logIn = (url: string, headers: Record<string, string> = {}) =>
  fetch(`${url}/api/login?canary-in-query`, {
    method: 'POST',
    headers,
    body: new URLSearchParams({ username: 'ann@example.com', password: secret }),
  });

describe('traces', () => {
  test('have the steps of a request in order, and no data about the client or its query', async () => {
    await using collector = await startCollector();
    const server = await workplace.start(['serve'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_SERVICE_NAME: 'door',
      OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=test',
      LOG_LEVEL: 'info',
    });
    let log = '';
    server.process.stdout.on('data', (chunk) => {
      log += chunk;
    });
    const login = await logIn(server.url, parent);
    const { access_token } = (await login.json()) as { access_token: string };
    await fetch(`${server.url}/api/me?canary-in-query`, { headers: { authorization: `Bearer ${access_token}` } });
    await fetch(`${server.url}/canary-of-a-path`);
    await fetch(`${server.url}/%zz`);
    // The server sends the remaining spans at its end.
    assert.equal(await server.stop(), 0);

    assert.equal(collector.resource['service.name'], 'door');
    assert.equal(collector.resource['deployment.environment.name'], 'test');
    const roots = collector.spans.filter(({ kind }) => kind === 2);
    assert.deepEqual(
      roots.map(({ name, attributes }) => `${name} ${attributes['http.response.status_code']}`),
      ['POST /api/login 200', 'GET /api/me 200', 'GET 404', 'GET 400'],
    );
    for (const root of roots) {
      assert.equal(root.parentSpanId, '', 'an untrusted client cannot start a trace');
      assert.notEqual(root.traceId, traceId);
    }
    const stepsOf = (root: (typeof roots)[number] | undefined) =>
      collector.spans.filter(({ parentSpanId }) => parentSpanId === root?.spanId).map(({ name }) => name);
    const steps = stepsOf(roots[0]);
    for (const name of ['users.findCandidate', 'failures.count', 'passwords.check', 'sessions.insert', 'audit.insert'])
      assert.ok(steps.includes(name), `${name} in ${steps}`);
    assert.deepEqual(stepsOf(roots[1]), ['access.lookUp']);
    const written = collector.bytes().toString('latin1');
    for (const text of ['canary', 'ann@example.com', access_token, '127.0.0.1'])
      assert.ok(!written.includes(text), text);
    // Every log line about a request names its trace, including the lines of the audit.
    const lines = log
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const about = lines.filter(({ reqId }) => reqId !== undefined);
    assert.ok(about.some(({ event }) => event === 'login-succeeded'));
    for (const line of about)
      assert.ok(
        roots.some((root) => root.traceId === line.trace_id),
        JSON.stringify(line),
      );
  });

  test('continue the trace of a trusted proxy, but not that of another client', async () => {
    await using collector = await startCollector();
    const server = await workplace.start(['serve'], {
      OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${collector.url}/v1/traces`,
      TRUSTED_PROXIES: '127.0.0.1',
    });
    await fetch(`${server.url}/health/live`, { headers: parent });
    await fetch(`${server.url}/health/live`, { headers: { traceparent: '00-zz-canary-01' } });
    await fetch(`${server.url}/health/live`, { headers: { traceparent: parent.traceparent.replace(/01$/, '00') } });
    await server.stop();
    assert.deepEqual(
      collector.spans.map((span) => [span.traceId === traceId, span.parentSpanId]),
      [
        [true, 'b7ad6b7169203331'],
        [false, ''],
      ],
      'a trace that the proxy does not sample is not sent',
    );
  });

  test('stay in one trace if the body arrives later than the request, and end even if the client leaves', async () => {
    await using collector = await startCollector();
    const server = await workplace.start(['serve'], {
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
      OTEL_BSP_SCHEDULE_DELAY: '50',
      LOG_LEVEL: 'debug',
    });
    const { hostname, port } = new URL(server.url);
    const body = JSON.stringify({ username: 'ann@example.com', password: secret });
    const head = `POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`;
    const [leaving, ...sockets] = [0, 1, 2].map(() => connect(Number(port), hostname)) as [Socket, Socket, Socket];
    let begun = 0;
    for (const socket of [leaving, ...sockets]) socket.write(head);
    for await (const line of createInterface({ input: server.process.stdout })) {
      if (line.includes('incoming')) begun += 1;
      if (begun === 3) break;
    }
    leaving.destroy();
    await collector.until((spans) => spans.some(({ name }) => name === 'POST /api/login'));
    for (const socket of sockets) {
      socket.write(body);
      await once(socket, 'data');
      socket.destroy();
    }
    await server.stop();
    const roots = collector.spans.filter(({ kind }) => kind === 2);
    assert.equal(roots.length, 3);
    for (const root of roots.slice(1)) {
      const steps = collector.spans.filter(({ parentSpanId }) => parentSpanId === root.spanId);
      assert.ok(steps.some(({ name }) => name === 'sessions.insert'));
      assert.ok(steps.every((step) => step.traceId === root.traceId));
    }
  });

  test('follow the sampler setting', async () => {
    await using collector = await startCollector();
    const samplers = [
      ['parentbased_traceidratio', '0'],
      ['always_off', ''],
      ['traceidratio', '0'],
      ['parentbased_always_off', ''],
    ] as const;
    for (const [OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG] of isLong ? samplers : samplers.slice(0, 1)) {
      const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG };
      const server = await workplace.start(['serve'], env);
      await fetch(`${server.url}/health/live`);
      await server.stop();
      assert.deepEqual(collector.spans, [], OTEL_TRACES_SAMPLER);
    }
  });

  for (const [name, open] of [
    ['that is down', undefined],
    ['that takes connections and never answers', () => createServer(() => {})],
  ] as const) {
    test(`with a collector ${name}, users still sign in and the server ends`, async () => {
      const silent = open?.().listen(0, '127.0.0.1').unref();
      if (silent !== undefined) await once(silent, 'listening');
      const address = silent?.address();
      const port = typeof address === 'object' && address !== null ? address.port : 1;
      const server = await workplace.start(['serve'], {
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
        OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
        OTEL_BSP_SCHEDULE_DELAY: '10',
      });
      // Listen before the login, so that no line is lost.
      const lines = createInterface({ input: server.process.stdout })[Symbol.asyncIterator]();
      const login = await logIn(server.url);
      assert.equal(login.status, 200);
      for await (const line of lines) if (line.includes('"traces_not_sent"')) break;
      for (let times = 0; times < 20; times += 1) assert.equal((await fetch(`${server.url}/health/live`)).status, 200);
      assert.equal(await server.stop(), 0);
      silent?.close();
    });
  }
});

test('a collector that never answers does not delay the end of the server', async () => {
  const silent = createServer(() => {})
    .listen(0, '127.0.0.1')
    .unref();
  await once(silent, 'listening');
  const address = silent.address();
  const port = typeof address === 'object' && address !== null ? address.port : 1;
  const server = await workplace.start(['serve'], {
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`,
    // Longer than a test may take.
    OTEL_EXPORTER_OTLP_TIMEOUT: '600000',
  });
  const asked = once(silent, 'connection');
  await fetch(`${server.url}/health/live`);
  assert.equal(await server.stop(), 0);
  await asked;
  silent.close();
});

test('a server does not start with an unsupported trace setting, and says so', async () => {
  const env = { PORT: '0', OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:4317', OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' };
  const { code, stderr } = await workplace.run(['serve'], { env });
  assert.equal(code, 2);
  assert.match(stderr, /^OTEL_EXPORTER_OTLP_PROTOCOL must be http\/protobuf.*\n$/);
  assert.equal((await workplace.run(['users', 'list'], { env })).code, 0, 'a command ignores the settings of traces');
});
