import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { METHODS, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { refreshTokenGrant } from 'openid-client';
import type { KeyTrace } from '../../../src/core/audit/event.ts';
import { createMetrics } from '../../../src/core/telemetry/metrics.ts';
import { openProvider } from '../../capabilities/oidc/application.ts';
import { ann, password, startJanua, type TestJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { asJson, form } from '../../web/faces.ts';
import { queueOf } from '../mail/post-office.ts';
import { startScriptedSmtp } from '../mail/scripted-smtp.ts';
import { type Figure, readFigures, sumOf } from './figures.ts';

const measured = { METRICS_LISTEN: '0', THROTTLE: 'on' } as const;
const right = { username: ann.username, password };
const read = async (janua: TestJanua): Promise<Figure[]> => readFigures(await janua.readMetrics());

const tryLogin = (janua: TestJanua, fields: Record<string, unknown>) =>
  janua.app.inject({ method: 'POST', url: '/api/login', ...form(fields) });

describe('the metrics count', () => {
  test('tokens that applications get, and why others are refused', async () => {
    await using server = await openProvider({ settings: measured });
    const app = await server.addApplication();
    const { refresh_token = '' } = await app.signIn(await server.browser());
    await refreshTokenGrant(app.config, refresh_token);
    await assert.rejects(refreshTokenGrant(app.config, 'made-up'));
    const figures = await read(server.janua);
    const given = (grant: string) => sumOf(figures, 'janua_application_tokens_total', { grant });
    assert.deepEqual([given('authorization_code'), given('refresh_token')], [1, 1]);
    assert.equal(sumOf(figures, 'janua_applications_refused_total', { reason: 'grant' }), 1);
    assert.equal(sumOf(figures, 'janua_applications_refused_total', { reason: 'pkce' }), 0);
  });

  test('requests by route, method, status and format, with their durations', async () => {
    await using janua = await startJanua({ settings: measured });
    await janua.get('/api/me');
    await janua.get('/admin/me?canary=1');
    await janua.get('/admin/me', asJson);
    await janua.get('/canary');
    await janua.get('/%zz-canary');
    await janua.app.inject({ method: 'DELETE', url: '/api/me' });
    const figures = await read(janua);
    const requests = figures
      .filter(({ name }) => name === 'janua_http_requests_total')
      .map(({ labels, value }) => [...Object.values(labels), value].join(' '));
    assert.deepEqual(requests.sort(), [
      '(none) (other) 405 json 1',
      '(none) GET 400 html 1',
      '(none) GET 404 html 1',
      '/admin/me GET 303 html 1',
      '/admin/me GET 401 json 1',
      '/api/me GET 401 json 1',
    ]);
    assert.equal(sumOf(figures, 'janua_http_request_duration_seconds_count'), 6);
    assert.equal(sumOf(figures, 'janua_http_request_duration_seconds_count', { route: '/admin/me', method: 'GET' }), 2);
    assert.equal(sumOf(figures, 'janua_audit_events_total', { kind: 'access-refused' }), 3);
  });

  test('mails that wait, were sent, and failed', async () => {
    await using smtp = await startScriptedSmtp();
    const mail = { MAIL_URL: `smtp://localhost:${smtp.port}`, MAIL_FROM: 'janua@example.com' };
    await using janua = await startJanua({ settings: { ...measured, ...mail } });
    smtp.direct((command) => {
      if (command.startsWith('RCPT TO:<later')) return { answer: '450 later' };
      return command.startsWith('RCPT TO:<never') ? { answer: '550 never' } : undefined;
    });
    const { mail: sender } = janua.services;
    const queue = queueOf(janua.services);
    for (const name of ['now', 'later', 'never'])
      await queue.add({ purpose: 'account-deleted', address: `${name}@example.com`, language: 'en' });
    await sender?.settled();
    smtp.direct(() => 'close');
    await queue.add({ purpose: 'account-deleted', address: 'now@example.com', language: 'en' });
    await sender?.settled();
    const figures = await read(janua);
    assert.equal(sumOf(figures, 'janua_mails_queued'), 2);
    assert.equal(sumOf(figures, 'janua_mails_sent_total'), 1);
    for (const why of ['put_off', 'given_up', 'server'])
      assert.equal(sumOf(figures, 'janua_mails_failed_total', { why }), 1, why);
  });

  test('how far the clock is ahead of those of the stores, from the start', {
    skip: missing('PostgreSQL', 'Redis'),
  }, async () => {
    const stores = { users: 'PostgreSQL', sessions: 'Redis' } as const;
    const now = () => Date.now() + 70_000;
    await using janua = await startJanua({ settings: measured, stores, overrides: { now } });
    for (const store of ['database', 'redis']) {
      let seconds: number | undefined;
      while (seconds === undefined) seconds = sumOf(await read(janua), 'janua_clock_ahead_seconds', { store });
      assert.equal(Math.round(seconds), 70);
    }
    const checked = await janua.services.checkUp();
    assert.deepEqual(
      checked.map(({ check }) => check).filter((check) => check.endsWith('-clock')),
      ['database-clock', 'redis-clock'],
    );
  });

  test('requests whose client left before the answer', async () => {
    await using janua = await startJanua({ settings: measured });
    await janua.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = janua.app.server.address() as AddressInfo;
    const headers = { 'content-type': 'application/json', 'content-length': '10' };
    const sent = request({ port, method: 'POST', path: '/api/login', headers });
    sent.on('error', () => {}).flushHeaders();
    await once(janua.app.server, 'request');
    sent.destroy();
    const gone = { route: '/api/login', method: 'POST', status: '499', format: 'json' };
    for (let look = 0; sumOf(await read(janua), 'janua_http_requests_total', gone) !== 1; look += 1) {
      assert.ok(look < 500);
      await setTimeout(10);
    }
    assert.equal(sumOf(await read(janua), 'janua_http_requests_total'), 1);
  });

  test('logins by outcome, decisions of the throttle, and started and ended sessions', async () => {
    let now = Date.now();
    await using janua = await startJanua({ settings: measured, overrides: { now: () => now } });
    const before = await read(janua);
    for (const outcome of ['succeeded', 'failed', 'throttled', 'incomplete'])
      assert.equal(
        sumOf(before, 'janua_logins_total', { outcome }),
        0,
        'the counter exists with 0 before the first login',
      );

    const first = await janua.logIn();
    const again = await janua.send({ method: 'POST', url: '/api/login', ...form(right) }, first.cookie);
    assert.equal(again.statusCode, 200);
    const bearer = { authorization: `Bearer ${again.json().access_token}` };
    assert.equal((await janua.post('/api/logout', undefined, bearer)).statusCode, 200);
    await janua.logIn();
    await janua.services.administration.endSessions({ username: ann.username });
    await janua.logIn();
    now += 40 * 24 * 60 * 60 * 1000;
    await janua.services.clean();
    await tryLogin(janua, { username: ann.username });
    let tries = 0;
    while ((await tryLogin(janua, { ...right, password: 'wrong' })).statusCode !== 429) tries += 1;

    const figures = await read(janua);
    const counts = (name: string) =>
      figures
        .filter((figure) => figure.name === name && figure.value > 0)
        .map(({ labels, value }) => `${Object.values(labels).join(' ')} ${value}`.trim());
    assert.deepEqual(counts('janua_logins_total'), ['succeeded 4', `failed ${tries}`, 'throttled 1', 'incomplete 1']);
    assert.deepEqual(counts('janua_throttle_decisions_total'), [`passed none ${tries + 4}`, 'refused pair 1']);
    assert.deepEqual(counts('janua_sessions_started_total'), ['4']);
    assert.deepEqual(counts('janua_sessions_ended_total'), ['logout 1', 'replaced 1', 'revoked 1', 'expired 1']);
  });

  test('a failed login in the same way for a user and an unknown name', async () => {
    const figuresAfter = async (username: string) => {
      await using janua = await startJanua({ settings: measured });
      for (let tries = 0; tries < 8; tries += 1) await tryLogin(janua, { username, password: 'wrong' });
      return (await read(janua))
        .filter(({ name }) => /^janua_(?:logins|throttle|sessions|audit|http_requests)/.test(name))
        .map(({ name, labels, value }) => JSON.stringify([name, labels, value]));
    };
    assert.deepEqual(await figuresAfter(ann.username), await figuresAfter('nobody@example.com'));
  });

  test('a throttled login by its longest wait, in the same way for an account and an unknown name', async () => {
    const metrics = createMetrics({ events: [], refusals: [] });
    const waiting = (kind: KeyTrace['kind'], waitSeconds: number) => ({
      kind,
      waitSeconds,
      failures: 9,
      stopped: false,
    });
    for (const kind of ['account', 'name', 'browser'] as const) {
      const throttle = [waiting('pair', 1), waiting(kind, 2), waiting('address', 0)];
      metrics.observeEvent({ kind: 'login-throttled', caller: { route: 'a test' }, throttle }, true);
    }
    const figures = readFigures(await metrics.read());
    for (const [key, count] of Object.entries({ account: 2, browser: 1, pair: 0, address: 0 }))
      assert.equal(sumOf(figures, 'janua_throttle_decisions_total', { decision: 'refused', key }), count, key);
  });

  for (const THROTTLE of ['off', 'on'] as const)
    test(`the waits for a hash and the refused passwords, with THROTTLE=${THROTTLE}`, async () => {
      const settings = { ...measured, THROTTLE, HASHING_CONCURRENCY: 1, HASHING_QUEUE: 1 } as const;
      await using janua = await startJanua({ settings });
      const before = await read(janua);
      const logins = Array.from({ length: 5 }, () => tryLogin(janua, right));
      const statuses = (await Promise.all(logins)).map(({ statusCode }) => statusCode);
      const refused = statuses.filter((status) => status === 503).length;
      assert.ok(refused > 0, String(statuses));
      const after = await read(janua);
      const risen = (name: string) => (sumOf(after, name) ?? 0) - (sumOf(before, name) ?? 0);
      assert.equal(risen('janua_hashing_refused_total'), refused);
      assert.equal(risen('janua_hashing_wait_seconds_count'), 5 - refused);
      assert.ok(risen('janua_hashing_wait_seconds_sum') > 0);
      assert.equal(sumOf(after, 'janua_hashing_under_way'), 0);
      assert.equal(sumOf(after, 'janua_hashing_waiting'), 0);
    });

  test('the hashes under way and waiting', async () => {
    const settings = { ...measured, THROTTLE: 'off', HASHING_CONCURRENCY: 1 } as const;
    await using janua = await startJanua({ settings });
    const logins = Array.from({ length: 20 }, () => tryLogin(janua, right));
    let most = 0;
    while (most === 0) most = sumOf(await read(janua), 'janua_hashing_waiting') ?? 0;
    await Promise.all(logins);
    assert.ok(most <= 19);
  });

  test('calls of the stores, and failed calls', async () => {
    await using janua = await startJanua({ settings: measured });
    const { cookie } = await janua.logIn();
    await janua.get('/api/me', cookie);
    const figures = await read(janua);
    for (const operation of ['sessions.insert', 'access.lookUp', 'users.findById', 'audit.insert'])
      assert.ok(sumOf(figures, 'janua_store_duration_seconds_count', { store: 'database', operation }), operation);
    assert.ok(sumOf(figures, 'janua_store_duration_seconds_count', { store: 'database', operation: 'failures.count' }));
    assert.equal(sumOf(figures, 'janua_store_errors_total'), undefined);
    await janua.closeStores();
    assert.equal((await janua.get('/api/me', cookie)).statusCode, 500);
    const failed = { store: 'database', operation: 'access.lookUp', error: 'unexpected' };
    assert.equal(sumOf(await read(janua), 'janua_store_errors_total', failed), 1);
  });

  test('the CPU, event loop and memory of the process', async () => {
    await using janua = await startJanua({ settings: measured });
    const figures = await read(janua);
    for (const name of [
      'process_cpu_seconds_total',
      'process_resident_memory_bytes',
      'nodejs_eventloop_lag_p99_seconds',
      'nodejs_heap_size_used_bytes',
    ])
      assert.ok(sumOf(figures, name) !== undefined, name);
  });
});

test('a client cannot create new metrics by paths, methods, statuses or names', async () => {
  await using janua = await startJanua({ settings: measured });
  await janua.app.listen({ port: 0 });
  const { port } = janua.app.server.address() as AddressInfo;
  const send = (method: string, path: string, headers: Record<string, string>) =>
    new Promise<void>((resolve) => {
      const sent = request({ port, method, path, headers, agent: false }, (answer) =>
        answer.resume().on('end', resolve),
      );
      sent
        .on('error', () => resolve())
        .setTimeout(5000, () => sent.destroy())
        .end();
    });
  const methods = METHODS.filter((method) => method !== 'CONNECT');
  const randoms: string[] = [];
  for (let index = 0; index < 500; index += 1) {
    const random = randomBytes(6).toString('hex');
    randoms.push(random);
    const path = [`/${random}`, `/api/${random}`, `/docs/static/${random}`, `/%${random}`, `/assets/${random}`][
      index % 5
    ];
    await send(methods[index % methods.length] ?? 'GET', path ?? '', {
      'user-agent': random,
      cookie: `session=${random}`,
      'x-expected-format': index % 2 === 0 ? 'application/json' : random,
      'x-forwarded-for': random,
      'x-request-id': random,
      traceparent: random,
    });
    if (index % 20 === 0) await tryLogin(janua, { username: random, password: random });
  }
  const text = await janua.readMetrics();
  for (const random of randoms) assert.ok(!text.includes(random));
  const figures = readFigures(text).filter(({ name }) => name.startsWith('janua_'));
  assert.ok(figures.length < 600, `${figures.length} figures`);
  const requests = figures.filter(({ name }) => name === 'janua_http_requests_total');
  assert.ok((sumOf(requests, 'janua_http_requests_total') ?? 0) >= 450);
  for (const { labels } of requests) {
    const { route = '', method = '', status = '', format = '' } = labels;
    assert.match(`${method} ${status} ${format}`, /^(?:GET|HEAD|POST|OPTIONS|\(other\)) [2345]\d\d (?:html|json)$/);
    assert.ok(route === '(none)' || janua.app.hasRoute({ method: 'GET', url: route }) || route === '/api/login', route);
  }
});
