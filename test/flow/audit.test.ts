import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { InjectOptions } from 'fastify';
import type { RecordedEvent } from '../../src/core/audit/event.ts';
import { Unavailable } from '../../src/ground/faults/unavailable.ts';
import type { SignedIn } from '../client.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { form, loginFaces, logoutFaces, meFaces } from '../web/faces.ts';
import { facesOn, isWhole } from './part.ts';

const secret = 'canary of a password';
const nobody = 'canary-of-a-name@example.com';

/** The parts of a recorded event that are the same for every path and format. */
type Recorded = Partial<Pick<RecordedEvent, 'kind' | 'reason'>> & { readonly whose?: 'user' | 'digest' | 'nobody' };

interface Decision {
  readonly name: string;
  readonly ways: readonly {
    readonly request: Pick<InjectOptions, 'url' | 'method' | 'headers' | 'payload'>;
    readonly format: string;
  }[];
  readonly headers?: (signedIn: SignedIn) => Record<string, string>;
  readonly events: readonly Recorded[];
}

const logins = (fields: Record<string, unknown>) =>
  loginFaces.map((face) => ({ request: face.request(fields), format: face.format }));
const right = { username: ann.username, password };

const decisions: readonly Decision[] = [
  {
    name: 'a successful login',
    ways: logins(right),
    events: [{ kind: 'login-succeeded', reason: 'password', whose: 'user' }],
  },
  {
    name: 'a wrong password',
    ways: logins({ ...right, password: secret }),
    events: [{ kind: 'login-failed', reason: 'wrong-password', whose: 'user' }],
  },
  {
    name: 'an unknown name',
    ways: logins({ ...right, username: nobody }),
    events: [{ kind: 'login-failed', reason: 'unknown-user', whose: 'digest' }],
  },
  {
    name: 'a disabled user',
    ways: logins({ ...right, username: 'off@example.com' }),
    events: [{ kind: 'login-failed', reason: 'disabled-user', whose: 'user' }],
  },
  {
    name: 'a login without a password',
    ways: logins({ username: nobody }),
    events: [{ kind: 'login-incomplete', reason: 'incomplete', whose: 'nobody' }],
  },
  {
    name: 'another grant type',
    ways: logins({ ...right, grant_type: 'client_credentials' }),
    events: [{ kind: 'login-incomplete', reason: 'unsupported-grant-type', whose: 'nobody' }],
  },
  {
    name: 'a login from another site',
    ways: logins(right),
    headers: () => ({ 'sec-fetch-site': 'cross-site' }),
    events: [{ kind: 'cross-site-refused', whose: 'nobody' }],
  },
  {
    name: 'a logout by cookie',
    ways: logoutFaces,
    headers: ({ cookie }) => cookie,
    events: [{ kind: 'logged-out', whose: 'user' }],
  },
  {
    name: 'a logout by token',
    ways: logoutFaces,
    headers: ({ bearer }) => bearer,
    events: [{ kind: 'logged-out', whose: 'user' }],
  },
  {
    name: 'a logout without a session',
    ways: logoutFaces,
    events: [{ kind: 'logout-refused', reason: 'no-credential', whose: 'nobody' }],
  },
  {
    name: 'a request without credentials',
    ways: meFaces,
    events: [{ kind: 'access-refused', reason: 'no-credential', whose: 'nobody' }],
  },
  {
    name: 'an invalid cookie',
    ways: meFaces,
    headers: () => ({ cookie: `session=${secret.replaceAll(' ', '')}` }),
    events: [{ kind: 'access-refused', reason: 'dead-cookie', whose: 'nobody' }],
  },
  {
    name: 'a request with two session cookies',
    ways: meFaces,
    headers: ({ cookie }) => ({ cookie: `${cookie.cookie}; ${cookie.cookie}` }),
    events: [{ kind: 'access-refused', reason: 'several-cookies', whose: 'nobody' }],
  },
  {
    name: 'an invalid token',
    ways: meFaces,
    headers: ({ cookie }) => ({ ...cookie, authorization: `Bearer ${secret}` }),
    events: [{ kind: 'access-refused', reason: 'invalid-token', whose: 'nobody' }],
  },
  {
    name: 'a personal access token that does not count',
    ways: meFaces,
    headers: () => ({ authorization: `Bearer janua_pat_${secret}` }),
    events: [{ kind: 'access-refused', reason: 'invalid-token', whose: 'nobody' }],
  },
  { name: 'a request of a signed-in user', ways: meFaces, headers: ({ cookie }) => cookie, events: [] },
];

function testAudit(stores: StoreChoice): void {
  let janua: TestJanua;
  before(async () => {
    janua = await startJanua({ stores });
    await janua.people.add({ ...ann, username: 'off@example.com', password });
    // Janua knows a user of a team's own table once they have logged in.
    await janua.services.users.adoptByUsername('off@example.com');
    await janua.people.disable('off@example.com');
  });
  after(() => janua[Symbol.asyncDispose]());

  for (const { name, ways, headers, events } of decisions) {
    test(`${name} records ${events.length === 0 ? 'no event' : 'the same event'} on every path and in every format`, async () => {
      for (const { request, format } of facesOn(stores, ways)) {
        const signedIn = await janua.logIn();
        const before = (await janua.events()).length;
        const earliest = Date.now();
        const answer = await janua.app.inject({
          ...request,
          remoteAddress: '::ffff:192.0.2.9',
          headers: {
            ...request.headers,
            ...headers?.(signedIn),
            'user-agent': 'a test',
            'x-forwarded-for': '203.0.113.9',
          },
        });
        const found = (await janua.events()).slice(before);
        assert.deepEqual(
          found.map(({ kind, reason, userId, nameDigest }) => ({
            kind,
            ...(reason !== undefined && { reason }),
            whose: userId !== undefined ? 'user' : nameDigest === undefined ? 'nobody' : 'digest',
          })),
          events,
        );
        for (const { at, caller } of found) {
          assert.match(at, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
          assert.ok(Date.parse(at) >= earliest && Date.parse(at) <= Date.now());
          assert.equal(caller.requestId, answer.headers['x-request-id']);
          assert.equal(caller.address, '192.0.2.9');
          assert.equal(caller.userAgent, 'a test');
          assert.equal(caller.format, format);
          assert.equal(caller.route, `${request.method ?? 'GET'} ${String(request.url).split('?', 1)[0]}`);
          assert.equal(caller.trace?.forwardedFor, '203.0.113.9');
          assert.equal(caller.trace?.addressFrom, 'connection');
        }
        assert.doesNotMatch(JSON.stringify(found), /canary/);
      }
    });
  }

  test('a login beyond SESSIONS_PER_USER ends the oldest session, and records it', async () => {
    await using janua = await startJanua({ stores, settings: { SESSIONS_PER_USER: 2 } });
    const signedIn = [await janua.logIn(), await janua.logIn(), await janua.logIn()];
    const isAlive = async ({ cookie, bearer }: SignedIn) => {
      const answers = await Promise.all([cookie, bearer].map((headers) => janua.get('/api/me', headers)));
      return answers.map(({ statusCode }) => statusCode === 200);
    };
    assert.deepEqual(await Promise.all(signedIn.map(isAlive)), [
      [false, false],
      [true, true],
      [true, true],
    ]);
    const ended = await janua.events({ kind: 'session-ended' });
    assert.deepEqual(
      ended.map(({ reason }) => reason),
      ['too-many'],
    );
  });

  // No store sees the rest.
  if (!isWhole(stores)) return;

  test('a throttled login and a stopped account are recorded', async () => {
    await using janua = await startJanua({ stores, settings: { THROTTLE: 'on' }, time: Date.now() });
    const attempt = (count: number) =>
      janua.app.inject({
        method: 'POST',
        url: '/api/login',
        ...form({ ...right, password: secret }),
        remoteAddress: `10.0.0.${count}`,
      });
    for (let count = 1; count <= 100; count += 1) {
      await attempt(count);
      janua.pass(15 * 60_000);
    }
    const { statusCode, headers } = await attempt(101);
    assert.equal(statusCode, 429);
    const events = await janua.events();
    const { id } = (await janua.account()).user;
    assert.deepEqual(
      events.slice(-3).map(({ kind, userId }) => [kind, userId]),
      [
        ['login-failed', id],
        ['account-stopped', id],
        ['login-throttled', id],
      ],
    );
    const throttled = events.at(-1);
    assert.equal(throttled?.caller.requestId, headers['x-request-id']);
    assert.deepEqual([throttled?.caller.address, throttled?.caller.route], ['10.0.0.101', 'POST /api/login']);
    const account = throttled?.throttle?.find(({ kind }) => kind === 'account');
    assert.deepEqual(account, { kind: 'account', failures: 100, waitSeconds: 86_400, stopped: true });
  });
}

for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis' },
  { users: 'MariaDB', sessions: 'SQL', ownTable: true },
] as const) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(
    `audit, with users in ${table}${stores.users}, sessions in ${stores.sessions}`,
    { skip: missing(stores.users, stores.sessions) },
    () => testAudit(stores),
  );
}

test('changes by an administrator are recorded with the operator', async () => {
  const caller = { route: 'janua users', operator: 'root' };
  await using janua = await startJanua({ overrides: { caller } });
  const { administration } = janua.services;
  await janua.logIn();
  await administration.setPassword(ann.username, `new ${password}`);
  await administration.disable(ann.username);
  await administration.enable(ann.username);
  await administration.endSessions({ username: ann.username });
  await administration.remove(ann.username);
  const events = (await janua.events()).filter(({ caller: { operator } }) => operator === 'root');
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['user-added', 'password-set', 'user-disabled', 'user-enabled', 'sessions-ended', 'user-removed'],
  );
  assert.equal(new Set(events.map(({ userId }) => userId)).size, 1);
});

test('a login that cannot be recorded gets 503 and no session', async () => {
  await using janua = await startJanua();
  const { users, sessions, audit } = janua.services;
  const userId = (await users.findByUsername(ann.username))?.user.id ?? '';
  const record = audit.record;
  for (const face of loginFaces) {
    Object.assign(audit, { record: () => Promise.reject(new Unavailable('The database', 5)) });
    const answer = await janua.send(face.request(right));
    assert.equal(answer.statusCode, 503);
    assert.equal(answer.headers['set-cookie'], undefined);
    assert.deepEqual(await sessions.listOf(userId, undefined), []);
    // Refusals and logouts still work.
    assert.notEqual((await janua.send(face.request({ ...right, password: secret }))).statusCode, 503);
    assert.equal((await janua.get('/api/me')).statusCode, 401);
    Object.assign(audit, { record });
    const { bearer } = await janua.logIn();
    Object.assign(audit, { record: () => Promise.reject(new Unavailable('The database', 5)) });
    const left = await janua.post('/api/logout', undefined, bearer);
    assert.equal(left.statusCode, 200);
  }
});
