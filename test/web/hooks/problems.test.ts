import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { InjectOptions } from 'fastify';
import pino from 'pino';
import { tooManyAttempts } from '../../../src/capabilities/sign-in/refusals.ts';
import { Refusal } from '../../../src/core/access/refusal.ts';
import type { Session } from '../../../src/core/sessions/sessions.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { createServer } from '../../../src/server.ts';
import { crossSite } from '../../../src/web/hooks/cross-site.ts';
import { securityHeaders } from '../../../src/web/hooks/security-headers.ts';
import { json, loginFaces } from '../faces.ts';
import { siteOptions, startServer } from '../server.ts';

/** A refusal, as the OpenAPI document shows it. */
interface Answer {
  readonly status: number;
  readonly detail: string;
  readonly error?: string;
}

interface DocumentedResponse {
  readonly content?: Record<string, { readonly examples?: Record<string, { readonly value: Answer }> }>;
}

const credentials = { username: 'ann@example.com', password: 'x' };
const canary = 'canary-5f1c';

const failingWith = (error: Error) => startServer({ parts: { logIn: () => Promise.reject(error) } });

for (const [seconds, wait] of [
  [1, '1 second'],
  [119, '119 seconds'],
  [120, '2 minutes'],
  [841, '15 minutes'],
] as const) {
  test(`a browser that has to wait for ${seconds} seconds is told to wait ${wait}`, async () => {
    await using server = await failingWith(new Refusal(tooManyAttempts, seconds));
    const { body } = await server.app.inject({ method: 'POST', url: '/auth/token', ...json(credentials) });
    assert.ok(body.includes(`>Too many attempts. Please wait before trying again. Try again in ${wait}.<`), body);
  });
}

for (const face of loginFaces) {
  describe(`${face.name}, when the login`, () => {
    test('comes too often, the server answers 429 with Retry-After', async () => {
      await using server = await failingWith(new Refusal(tooManyAttempts, 30));
      const answer = await server.send(face.request(credentials));
      assert.equal(answer.statusCode, 429);
      assert.equal(answer.headers['retry-after'], '30');
      assert.equal(answer.headers['cache-control'], 'no-store');
      if (face.format === 'html') {
        assert.match(answer.body, /<title>Janua Login<\/title>/);
        assert.match(answer.body, />Too many attempts\. Please wait before trying again\. Try again in 30 seconds\.</);
        assert.match(answer.body, /action="\/auth\/token"/);
      } else {
        assert.equal(answer.json().error, 'temporarily_unavailable');
        assert.equal(answer.json().detail, 'Too many attempts');
      }
    });

    test('meets an unavailable store or queue, the server answers 503 without the cause', async () => {
      await using server = await failingWith(new Unavailable('The database', 5, new Error('secret path')));
      const answer = await server.send(face.request(credentials));
      assert.equal(answer.statusCode, 503);
      assert.equal(answer.headers['retry-after'], '5');
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['set-cookie'], undefined);
      assert.doesNotMatch(answer.body, /secret|The database/);
      if (face.format === 'html') assert.match(answer.body, /<title>Janua Service Unavailable<\/title>/);
      else assert.equal(typeof answer.json().detail, 'string');
    });

    test('meets a fault of our own, the server answers a general text with the request id of the log', async () => {
      await using server = await failingWith(new TypeError('secret detail'));
      const sent = face.request(credentials);
      const answer = await server.app.inject({ ...sent, headers: { ...sent.headers, cookie: `session=${canary}` } });
      assert.equal(answer.statusCode, 500);
      assert.doesNotMatch(answer.body, /secret|TypeError|\.ts/);
      const [id] = /[\da-f]{8}-[\da-f-]{27}/.exec(answer.body) ?? [];
      assert.ok(id !== undefined);
      if (face.format === 'json') assert.equal(answer.json().request_id, id);
      const logged = server.log.filter((line) => line.includes('secret detail'));
      assert.equal(logged.length, 1);
      assert.doesNotMatch(server.log.join(), /canary/);
      assert.equal(JSON.parse(logged[0] ?? '{}').reqId, id);
      for (const [name, value] of Object.entries(securityHeaders({ https: false })))
        assert.equal(answer.headers[name], value, name);
    });
  });
}

test('every refusal in JSON has a detail, title and status, and its error texts are ASCII (RFC 6749 5.2)', async () => {
  await using server = await startServer();
  const { paths } = (await server.get('/openapi.json')).json();
  const answers = new Map<string, Answer>();
  for (const methods of Object.values<object>(paths))
    for (const { responses } of Object.values<{ responses: Record<string, DocumentedResponse> }>(methods as never))
      for (const { content } of Object.values(responses))
        for (const [name, { value }] of Object.entries(content?.['application/json']?.examples ?? {}))
          answers.set(name, value);
  assert.ok(answers.size >= 10);
  for (const [name, answer] of answers) {
    await using failing = await failingWith(new Refusal({ ...answer, name }));
    const given = await failing.post('/api/login', credentials);
    assert.deepEqual(given.json(), { ...answer, request_id: given.headers['x-request-id'] }, name);
    const { detail, title, status, error, error_description } = given.json();
    assert.equal(typeof detail, 'string', name);
    assert.equal(typeof title, 'string', name);
    assert.equal(status, given.statusCode, name);
    for (const text of [error, error_description])
      if (text !== undefined) assert.match(text, /^[\x20\x21\x23-\x5b\x5d-\x7e]+$/);
  }
});

test('a request that is refused before the stores are ready gets the answer to its refusal', async () => {
  const fault = new Unavailable('The database', 5, new Error('secret path'));
  const parts = () => {
    throw fault;
  };
  const log = pino({ level: 'silent' });
  await using app = createServer({ ...siteOptions(), parts, log, logsRequests: () => false });
  for (const { request, format } of loginFaces) {
    const sent = request(credentials);
    const answer = await app.inject({ ...sent, headers: { ...sent.headers, 'sec-fetch-site': 'cross-site' } });
    assert.equal(answer.statusCode, 403);
    if (format === 'json') assert.equal(answer.json().detail, crossSite.detail);
    else assert.match(answer.body, /<title>Janua Forbidden<\/title>/);
  }
});

test('the page of a problem keeps the menu of a signed-in user', async () => {
  const user = { id: '1', username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', groups: [] };
  for (const [findSignedIn, isShown] of [
    [async () => ({ user, scopes: [], limited: false, session: {} as Session, isAddressVouched: false }), true],
    [async () => undefined, false],
    [() => Promise.reject(new Unavailable('The database', 1)), false],
  ] as const) {
    await using server = await startServer({ parts: { findSignedIn } });
    for (const [url, headers, status] of [
      ['/nowhere', {}, 404],
      ['/auth/token', { 'sec-fetch-site': 'cross-site' }, 403],
      ['/auth/token', { 'content-type': 'text/plain' }, 415],
    ] as const) {
      const { statusCode, body } = await server.app.inject({ method: 'POST', url, headers, payload: 'x' });
      assert.deepEqual([statusCode, body.includes('action="/auth/logout"')], [status, isShown]);
    }
  }
});

test('a broken escape in the address is a 400 with every header', async () => {
  await using server = await startServer();
  for (const [url, type] of [
    ['/%zz', 'text/html; charset=utf-8'],
    ['/api/%zz', 'application/json; charset=utf-8'],
    ['/%E0%A4%A', 'text/html; charset=utf-8'],
  ] as const) {
    const answer = await server.get(url);
    assert.equal(answer.statusCode, 400);
    assert.equal(answer.headers['content-type'], type);
    assert.equal(answer.headers['x-content-type-options'], 'nosniff');
    assert.equal(answer.headers['cache-control'], 'no-store');
    assert.ok(!answer.body.includes(url));
  }
});

const mistakes: [what: string, sent: Pick<InjectOptions, 'payload' | 'headers' | 'query'>][] = [
  ['no user name', json({ password: canary })],
  ['a password that is too long', json({ username: canary, password: canary.repeat(200) })],
  ['a user name of another type', json({ username: [canary], password: canary })],
  ['another grant type', json({ ...credentials, grant_type: canary })],
  ['a parameter in the address', { ...json(credentials), query: { password: canary } }],
  ['JSON that ends too early', { ...json({}), payload: `{"username":"${canary}` }],
  ['invalid JSON', { ...json({}), payload: canary }],
  ['a dangerous key', { ...json({}), payload: `{"__proto__":"${canary}"}` }],
  ['another type of body', { headers: { 'content-type': `text/${canary}` }, payload: canary }],
];
for (const [what, sent] of mistakes) {
  test(`a login with ${what} is refused without repeating a sent value`, async () => {
    await using server = await startServer();
    for (const url of ['/api/login', '/auth/token']) {
      const answer = await server.app.inject({ method: 'POST', url, ...sent });
      assert.ok([303, 400, 415].includes(answer.statusCode), String(answer.statusCode));
      assert.doesNotMatch(answer.body + JSON.stringify(answer.headers), /canary/);
    }
  });
}
