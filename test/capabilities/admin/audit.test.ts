import assert from 'node:assert/strict';
import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StatementSync } from 'node:sqlite';
import { describe, mock, test } from 'node:test';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { changeBounds } from '../../../src/core/audit/flood-bound.ts';
import { caller, recorded } from '../../core/audit/events.ts';
import { ann, startJanua, type TestJanua } from '../../janua.ts';
import { signInWith } from './administrator.ts';

const start = Date.UTC(2026, 0, 1);

interface Listed {
  readonly events: { kind: string; username: string | null; time: string; explanation: { text: string }[] }[];
  readonly next_cursor: string | null;
}

async function open() {
  const janua = await startJanua();
  const headers = await signInWith(janua, 'audit:read');
  async function list(query: Record<string, string>): Promise<Listed> {
    const answer = await janua.app.inject({ url: '/api/admin/audit', query, headers });
    assert.equal(answer.statusCode, 200, answer.body);
    return answer.json();
  }
  return { ...janua, headers, list };
}

const failLogin = (janua: TestJanua, username: string) => janua.post('/api/login', { username, password: 'wrong' });

describe('the audit', () => {
  test('finds the refusal by the id that the user quotes, and explains it', async () => {
    await using janua = await open();
    const refused = await failLogin(janua, ann.username);
    const { events } = await janua.list({ request_id: String(refused.headers['x-request-id']) });
    assert.deepEqual(
      events.map(({ kind, username }) => [kind, username]),
      [['login-failed', ann.username]],
    );
    const texts = events[0]?.explanation.map(({ text }) => text) ?? [];
    assert.ok(texts.includes('The login was refused: the password was wrong, and the user exists.'));
    assert.ok(texts.includes(`If the user forgot it: janua users set-password ${ann.username}.`));
    const page = await janua.app.inject({
      url: '/admin/audit',
      query: { request_id: String(refused.headers['x-request-id']) },
      headers: janua.headers,
    });
    assert.match(page.body, /the password was wrong, and the user exists/);
    assert.match(page.body, new RegExp(`value="${refused.headers['x-request-id']}"`));
  });

  test('names the account that ran a command beside the event, and not as an address', async () => {
    await using janua = await open();
    const byCommand = { caller: { route: 'janua users disable', operator: 'root' } };
    await janua.services.auditTrail.insert([
      recorded(start, { kind: 'user-disabled', reason: undefined, ...byCommand }),
    ]);
    const url = '/admin/audit?kind=user-disabled';
    const { body } = await janua.get(url, janua.headers);
    assert.match(body, /<small>by root/);
    assert.doesNotMatch(body, /<td>root/);
  });

  test('is filtered by user, unknown name, id, kind, address and time, the newest first', async () => {
    await using janua = await open();
    await failLogin(janua, 'nobody@example.com');
    const { services } = janua;
    const id = (await services.users.findByUsername(ann.username))?.user.id ?? '';
    await services.auditTrail.insert([
      recorded(start, { userId: id, kind: 'logged-out' }),
      recorded(start + 60_000, { userId: id }),
      recorded(start + 120_000, { userId: 'gone', caller: { ...caller, address: '2001:db8::1' } }),
    ]);
    const timesOf = async (query: Record<string, string>) =>
      (await janua.list({ to: '2026-01-02', ...query })).events.map(({ time }) => time.slice(14, 16)).join(' ');
    for (const [query, expected] of [
      [{}, '02 01 00'],
      [{ user: ann.username.toUpperCase() }, '01 00'],
      [{ user: ann.username, kind: 'logged-out' }, '00'],
      [{ user_id: 'gone' }, '02'],
      [{ kind: 'login-failed' }, '02 01'],
      [{ address: '2001:DB8:0::1' }, '02'],
      [{ from: '2026-01-01T00:01' }, '02 01'],
      [{ from: '2026-01-01T00:01Z', to: '2026-01-01T02:02:00+02:00' }, '01'],
    ] as const)
      assert.equal(await timesOf(query), expected, JSON.stringify(query));
    const [unknown] = (await janua.list({ user: 'nobody@example.com', from: '1h' })).events;
    assert.deepEqual([unknown?.kind, unknown?.username], ['login-failed', null]);
    await janua.post('/api/forgot-password', { email: ann.username });
    const asked = await janua.list({ user: ann.username, kind: 'reset-requested', from: '1h' });
    assert.equal(asked.events.length, 1, 'what was asked for with the name of a user');
  });

  test('comes page by page, each event once', async () => {
    await using janua = await open();
    await janua.services.auditTrail.insert(Array.from({ length: 7 }, (_, index) => recorded(start + index)));
    const sizes: number[] = [];
    const times = new Set<string>();
    let cursor: string | null = '';
    while (cursor !== null) {
      const page: Listed = await janua.list({ to: '2026-01-02', limit: '3', cursor });
      sizes.push(page.events.length);
      for (const { time } of page.events) times.add(time);
      cursor = page.next_cursor;
    }
    assert.deepEqual([sizes, times.size], [[3, 3, 1], 7]);
    const { body } = await janua.get('/admin/audit?limit=3&kind=login-failed', janua.headers);
    assert.match(body, /href="\/admin\/audit\?limit=3&amp;kind=login-failed&amp;cursor=/);
    assert.match(body, /href="\/admin\/audit\/export\?kind=login-failed&amp;format=csv"/);
  });

  test('refuses filters that cannot be read', async () => {
    await using janua = await open();
    for (const [query, ...fields] of [
      ['kind=x', 'kind'],
      ['from=tomorrow', 'from'],
      ['from=x&to=2026-13-01', 'from', 'to'],
      ['from=2026-01-02&to=2026-01-01', 'to'],
      ['from=2026-01-01&to=2026-01-01', 'to'],
      ["address=' or 1=1 --", 'address'],
      ['address=999.1.1.1', 'address'],
      ['user=%00', 'user'],
      ['request_id=%00', 'request_id'],
      ['user=a&user=b', 'user'],
      ['cursor=x'],
    ] as const) {
      const [answer, file] = await Promise.all(
        ['/api/admin/audit?', '/admin/audit/export?format=csv&'].map((path) => janua.get(path + query, janua.headers)),
      );
      const { status, errors = [] } = answer?.json() ?? {};
      const named = errors.map(({ field }: { readonly field: string }) => field);
      assert.deepEqual([status, ...named], [fields.length > 0 ? 422 : 400, ...fields], query);
      assert.equal(file?.statusCode, status, query);
    }
    assert.deepEqual((await janua.list({ kind: 'audit-exported' })).events, []);
    const page = await janua.get('/admin/audit?from=abc&user=ann', janua.headers);
    assert.equal(page.statusCode, 422);
    assert.match(page.body, /id="from-error">Enter the time like this: 2026-11-24/);
    for (const value of ['abc', 'ann']) assert.match(page.body, new RegExp(`<input [^>]*value="${value}"`));
    assert.doesNotMatch(page.body, /<table|admin\/audit\/export/);
    for (const query of ['', '?format=xml', '?format=csv&format=csv'])
      assert.equal((await janua.get(`/admin/audit/export${query}`, janua.headers)).statusCode, 400);
  });

  test('takes as many statements for many events as for few', async () => {
    await using janua = await open();
    const counts = new Set<number>();
    for (const events of [1, 60]) {
      await janua.services.auditTrail.insert(
        Array.from({ length: events }, (_, index) => recorded(start + index, { userId: `user-${index}` })),
      );
      await janua.list({});
      const run = mock.method(StatementSync.prototype, 'all');
      await janua.list({ to: '2026-01-02', address: caller.address });
      counts.add(run.mock.callCount());
      run.mock.restore();
    }
    assert.equal(counts.size, 1);
  });
});

test('pages of administration take turns, and one administrator does not hold up the others', async () => {
  await using janua = await open();
  const other = await signInWith(janua, 'audit:read', 'users:read');
  const findPage = janua.services.auditTrail.findPage.bind(janua.services.auditTrail);
  let reading = 0;
  mock.method(janua.services.auditTrail, 'findPage', async (...asked: Parameters<typeof findPage>) => {
    reading += 1;
    assert.ok(reading <= 2, 'one of each administrator');
    const page = await findPage(...asked);
    // As a database that answers later.
    await setImmediate();
    reading -= 1;
    return page;
  });
  const ended: string[] = [];
  const ask = async (name: string, headers: typeof other) => {
    const { statusCode } = await janua.get('/api/admin/audit?address=203.0.113.9', headers);
    ended.push(name);
    return statusCode;
  };
  const flood = Array.from({ length: 120 }, () => ask('flood', janua.headers));
  assert.equal(await ask('other', other), 200);
  const codes = await Promise.all(flood);
  assert.deepEqual([...new Set(codes)].sort(), [200, 503]);
  const before = ended.indexOf('other') - codes.filter((code) => code === 503).length;
  assert.ok(before < 10, `${before} pages of the flood came first`);
});

test('after a page, the next one of the administrator waits as long as the page took', async () => {
  await using janua = await open();
  const times: number[] = [];
  mock.method(janua.services.auditTrail, 'findPage', async () => {
    times.push(performance.now());
    await setTimeout(80);
    times.push(performance.now());
    return { events: [], next: undefined };
  });
  await Promise.all([janua.list({}), janua.list({})]);
  const [, end = 0, next = 0] = times;
  assert.ok(next - end >= 75, `the next page began after ${next - end} ms`);
});

describe('the export of the audit', () => {
  test('is refused while the administrator has five under way', async () => {
    await using janua = await open();
    const release = Promise.withResolvers<void>();
    let begun = 0;
    const allBegun = Promise.withResolvers<void>();
    mock.method(janua.services.auditTrail, 'find', async function* () {
      begun += 1;
      if (begun === 5) allBegun.resolve();
      await release.promise;
      yield recorded(start);
    });
    const ask = async (headers = janua.headers) =>
      (await janua.get('/admin/audit/export?format=csv', headers)).statusCode;
    const five = Array.from({ length: 5 }, () => ask());
    await allBegun.promise;
    assert.equal(await ask(), 503);
    const other = ask(await signInWith(janua, 'audit:read', 'users:read'));
    release.resolve();
    assert.deepEqual(await Promise.all([...five, other]), [200, 200, 200, 200, 200, 200]);
    assert.equal(await ask(), 200);
  });

  test('has the same events as JSON lines and as CSV, and is recorded', async () => {
    await using janua = await open();
    await janua.services.auditTrail.insert([
      recorded(start, { caller: { ...caller, userAgent: '=cmd|"/c calc"!A1, x' } }),
      recorded(start + 1, { kind: 'logged-out', reason: undefined, caller: { route: '+1', operator: '@root' } }),
    ]);
    const read = (format: string) => janua.get(`/admin/audit/export?format=${format}&to=2026-01-02`, janua.headers);
    const lines = await read('jsonl');
    assert.equal(lines.headers['content-type'], 'application/jsonl; charset=utf-8');
    assert.equal(lines.headers['content-disposition'], 'attachment; filename="audit.jsonl"');
    const [newest, oldest] = lines.body
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(
      [newest.kind, newest.operator, oldest.user_agent],
      ['logged-out', '@root', '=cmd|"/c calc"!A1, x'],
    );
    const { body, headers } = await read('csv');
    assert.equal(headers['content-type'], 'text/csv; charset=utf-8');
    const [heading, first = '', second, end] = body.replace(/^\ufeff/, '').split('\r\n');
    assert.equal(heading, Object.keys(newest).join(','));
    assert.match(first, /,'\+1,'@root,,$/);
    assert.match(String(second), /,"'=cmd\|""\/c calc""!A1, x",/);
    assert.equal(end, '');
    const { services } = janua;
    const id = (await services.users.findByUsername(ann.username))?.user.id ?? '';
    const digest = services.audit.digestName('a password');
    // A name could be a password that was typed by mistake.
    for (const [query, kept] of [
      ['to=2026-01-02&user=', 'to=2026-01-02'],
      [`user=${ann.username.toUpperCase()}`, `user_id=${id}`],
      ['user=A%20password&user_id=gone', `user_id=gone&name_digest=${digest}`],
    ]) {
      await janua.get(`/admin/audit/export?format=csv&${query}`, janua.headers);
      const [event] = (await janua.list({ kind: 'audit-exported', limit: '1' })).events;
      assert.ok(
        event?.explanation.some(({ text }) => text === kept),
        JSON.stringify(event),
      );
    }
  });

  test('reads and records nothing for HEAD', async () => {
    await using janua = await open();
    const find = mock.method(janua.services.auditTrail, 'find');
    const request = { url: '/admin/audit/export?format=csv', headers: janua.headers } as const;
    const head = await janua.app.inject({ ...request, method: 'HEAD' });
    assert.equal(find.mock.callCount(), 0);
    find.mock.restore();
    assert.deepEqual((await janua.list({ kind: 'audit-exported' })).events, []);
    const { statusCode, headers } = await janua.send(request);
    for (const name of ['content-type', 'content-disposition']) assert.equal(head.headers[name], headers[name]);
    assert.deepEqual([head.statusCode, head.body], [statusCode, '']);
  });

  test('is refused to an administrator who makes any number of exports', async () => {
    await using janua = await open();
    const request = { url: '/admin/audit/export?format=csv', headers: janua.headers };
    const { audit } = janua.services;
    assert.equal((await janua.send(request)).statusCode, 200);
    const [made] = await janua.events({ kind: 'audit-exported' });
    assert.ok(made);
    const { id: _, at: __, ...event } = made;
    for (let count = 1; count < changeBounds.administrator.burst; count += 1)
      await audit.record({ ...event, kind: 'audit-exported' });
    assert.equal((await janua.send(request)).statusCode, 429);
  });

  test('reads on only as fast as the client takes it, and ends when the client goes away', async () => {
    await using janua = await open();
    const { auditTrail } = janua.services;
    const ended = Promise.withResolvers<void>();
    let read = 0;
    mock.method(auditTrail, 'find', async function* () {
      try {
        for (; ; read += 1) yield recorded(start);
      } finally {
        ended.resolve();
      }
    });
    await janua.app.listen({ port: 0 });
    const { port } = janua.app.server.address() as AddressInfo;
    const request = get({ port, path: '/admin/audit/export?format=jsonl', headers: janua.headers });
    const [response] = (await once(request, 'response')) as [IncomingMessage];
    assert.equal(response.statusCode, 200);
    await once(response, 'readable');
    // The client reads no more. The buffers of both sides fill up.
    let before: number;
    do {
      before = read;
      await janua.get('/api/admin/audit', janua.headers);
    } while (read > before);
    assert.ok(read < 200_000, `${read} events were read`);
    response.destroy();
    await ended.promise;
  });
});
