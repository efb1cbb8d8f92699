import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LightMyRequestResponse } from 'fastify';
import { compose } from '../../src/compose.ts';
import { liftFailures, limitsOfFactor, listFailures } from '../../src/core/access/login-limits.ts';
import type { Settings } from '../../src/ground/config/settings.ts';
import { ann, password, startJanua, type TestJanua } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import type { StoreChoice } from '../stores.ts';
import { type BodyFace, comparable, loginFaces, meFaces } from '../web/faces.ts';
import { isWhole } from './part.ts';

const nobody = 'nobody@example.com';
const minute = 60_000;

/** The first wait, in seconds, after too many failures in a row from one address. */
const firstWait = 10;

/** The flow for clients that guess passwords. */
function testThrottle(stores: StoreChoice): void {
  /** A server whose clock moves only when a test moves it. */
  async function start(settings: Partial<Settings> = {}, chosen = stores) {
    let time = Date.now();
    let given: Parameters<typeof compose> | undefined;
    const janua = await startJanua({
      stores: chosen,
      settings: { THROTTLE: 'on', ...settings },
      overrides: { now: () => time },
      compose(...all) {
        given = all;
        return compose(...all);
      },
    });
    return Object.assign(janua, {
      /** Another server on the same stores. */
      async startAgain() {
        const composition = await compose(...(given ?? assert.fail()));
        await composition.prepare();
        const app = await composition.createServer();
        app.addHook('onClose', () => composition.close());
        return { app, [Symbol.asyncDispose]: () => app.close() };
      },
      advance(milliseconds: number) {
        time += milliseconds;
      },
    });
  }

  const faces = (count: number) =>
    Array.from({ length: count }, (_, index) => loginFaces[index % loginFaces.length] as BodyFace);

  function send(
    janua: Pick<TestJanua, 'app'>,
    face: BodyFace,
    fields: { username?: string; password?: string; next?: string },
    { address = '192.0.2.1', headers = {} }: { address?: string; headers?: Record<string, string> } = {},
  ): Promise<LightMyRequestResponse> {
    const request = face.request({ username: ann.username, password: 'wrong', ...fields });
    return janua.app.inject({ ...request, remoteAddress: address, headers: { ...request.headers, ...headers } });
  }

  const [face] = loginFaces as readonly [BodyFace];
  const succeeded = ({ statusCode, headers }: LightMyRequestResponse) =>
    statusCode === 200 || (statusCode === 303 && headers.location === '/auth/home');

  test('every way to log in counts for the same keys, and answers 429 in its format, on a server that starts later too', async () => {
    await using janua = await start();
    const spellings = [ann.username, ` ${ann.username.toUpperCase()} `];
    // The login dialog of Swagger UI sends the credentials of a client.
    const senders = [{}, { headers: { authorization: `Basic ${btoa('client:secret')}` } }, {}];
    for (const [index, way] of faces(8).entries()) {
      const username = spellings[index % 2] ?? '';
      assert.notEqual((await send(janua, way, { username }, senders[index % 3])).statusCode, 429, way.name);
    }
    for (const [index, way] of loginFaces.entries()) {
      const answer = await send(janua, way, { next: '/admin/me' }, senders[index % 3]);
      assert.equal(answer.statusCode, 429, way.name);
      assert.equal(answer.headers['retry-after'], String(firstWait));
      assert.equal(answer.headers['cache-control'], 'no-store');
      assert.equal(answer.headers['set-cookie'], undefined);
      if (way.format === 'json') {
        const { error, detail } = answer.json();
        assert.deepEqual([error, detail], ['temporarily_unavailable', 'Too many attempts']);
      } else {
        assert.match(answer.body, /Too many attempts\. Please wait before trying again\. Try again in 10 seconds\./);
        assert.match(answer.body, /name="password"/);
        assert.match(answer.body, /name="next" value="\/admin\/me"/);
        assert.match(answer.body, new RegExp(`Request id: <code>${answer.headers['x-request-id']}</code>`));
      }
    }
    await using later = await janua.startAgain();
    for (const server of [later, janua])
      assert.equal((await send(server, face, {})).headers['retry-after'], String(firstWait));
  });

  test('a wait ends by itself, the next one is longer, and a success clears the count', async () => {
    await using janua = await start();
    for (const way of faces(8)) await send(janua, way, {});
    for (const wait of [10, 20, 40]) {
      assert.equal((await send(janua, face, {})).headers['retry-after'], String(wait));
      janua.advance(wait * 1000 - 1);
      assert.equal((await send(janua, face, {})).statusCode, 429, 'the wait lasts until its last millisecond');
      janua.advance(1);
      assert.notEqual((await send(janua, face, {})).statusCode, 429);
    }
    janua.advance(80_000);
    assert.ok(succeeded(await send(janua, face, { password })));
    for (const way of faces(8)) assert.notEqual((await send(janua, way, {})).statusCode, 429);
  });

  test('100 failures in a row stop an account until it gets a new password or an administrator lifts the stop', async () => {
    for (const end of stores.ownTable ? (['password'] as const) : (['password', 'lift'] as const)) {
      await using janua = await start();
      // The name of a user whom Janua has not seen counts as unknown.
      await janua.services.users.adoptByUsername(ann.username);
      for (let failures = 0; failures < 100; failures += 1) {
        const address = `10.0.${failures >> 6}.${failures & 63}`;
        assert.notEqual((await send(janua, face, {}, { address })).statusCode, 429, String(failures));
        janua.advance(15 * minute);
      }
      janua.advance(365 * 24 * 60 * minute);
      assert.equal((await send(janua, face, { password })).statusCode, 429);
      if (end === 'password') {
        await janua.people.setPassword(ann.username, `new ${password}`);
        assert.ok(succeeded(await send(janua, face, { password: `new ${password}` })));
      } else {
        const { audit, throttle, users } = janua.services;
        const userId = (await users.findByUsername(ann.username))?.user.id;
        await liftFailures(throttle, { userId, nameDigest: audit.digestName(ann.username) });
        assert.ok(succeeded(await send(janua, face, { password })));
      }
    }
  });

  // A team manages its own table.
  for (const [way, url] of [
    ['by its owner', '/api/account/delete'],
    ['by an administrator', ''],
  ] as const)
    test(`an account that is deleted ${way} leaves no failures behind`, async () => {
      await using janua = await start({}, { ...stores, ownTable: false });
      const { throttle, users, administration } = janua.services;
      const userId = (await users.findByUsername(ann.username))?.user.id ?? '';
      const { access_token: token } = (await send(janua, loginFaces[5] as BodyFace, { password })).json();
      for (const face of faces(5)) await send(janua, face, {});
      await throttle.attempt(limitsOfFactor(userId, '192.0.2.1'), async () => ({ succeeded: false }));
      const left = async () => {
        const kinds: string[] = [];
        let from: string | undefined;
        do {
          const { keys, next } = await listFailures(throttle, from);
          kinds.push(...keys.filter((key) => key.userId === userId).map(({ kind }) => kind));
          from = next;
        } while (from !== undefined);
        return kinds.sort();
      };
      assert.deepEqual(await left(), ['account', 'factor-account', 'factor-pair']);
      if (url === '') await administration.remove(ann.username);
      else {
        const headers = { authorization: `Bearer ${token}` };
        assert.equal((await janua.app.inject({ method: 'POST', url, headers, payload: {} })).statusCode, 200);
      }
      assert.equal(await users.findById(userId), undefined);
      assert.deepEqual(await left(), []);
    });

  test('a hundred tries at once cost no more hashes than a hundred in a row, whatever the path', async () => {
    await using janua = await start({ HASHING_QUEUE: 200 });
    const answers = await Promise.all(faces(100).map((way) => send(janua, way, {})));
    const tried = answers.filter(({ statusCode }) => statusCode !== 429);
    assert.ok(tried.length >= 5 && tried.length <= 20, `${tried.length} passwords were checked`);
    assert.ok(tried.every(({ statusCode }) => statusCode === 303 || statusCode === 400));
  });

  test('thirty right logins at once all succeed, even after some failures', async () => {
    await using janua = await start({ HASHING_QUEUE: 200 });
    for (const way of faces(7)) await send(janua, way, {});
    const answers = await Promise.all(faces(30).map((way) => send(janua, way, { password })));
    assert.ok(answers.every(succeeded));
  });

  test('a stranger who guesses from 240 networks of one IPv6 /48 has to wait after 100, until the /48 is lifted', async () => {
    await using janua = await start();
    const guess = (index: number, address = `2001:db8:0:${index.toString(16)}::1`) =>
      send(janua, face, { username: `user${index}@example.com` }, { address });
    let tried = 0;
    for (let index = 0; index < 240; index += 1) if ((await guess(index)).statusCode !== 429) tried += 1;
    assert.equal(tried, 100);
    assert.notEqual((await guess(240, '2001:db8:1::1')).statusCode, 429, 'another /48 does not wait');
    assert.equal(await liftFailures(janua.services.throttle, { address: '2001:db8::/48' }), 1);
    assert.notEqual((await guess(241)).statusCode, 429);
  });

  // No store sees the rest.
  if (!isWhole(stores)) return;

  test('a throttled login gets the same answer for right and wrong passwords, administrators, other and unknown users', async () => {
    await using janua = await start();
    for (const username of ['off@example.com', 'admin@example.com'])
      await janua.people.add({ ...ann, username, password });
    await janua.people.disable('off@example.com');
    await janua.services.administration.changeGroups('admin@example.com', { add: ['admins'] });
    const names = [ann.username, nobody, 'off@example.com', 'admin@example.com'];
    // Each failure has its own address, so that only the name counts.
    for (const [index, username] of names.entries())
      for (let failures = 0; failures < 10; failures += 1)
        assert.notEqual(
          (await send(janua, face, { username }, { address: `192.0.2.${index * 20 + failures}` })).statusCode,
          429,
        );
    for (const way of loginFaces) {
      const answers: object[] = [];
      for (const username of names)
        for (const secret of ['wrong', password])
          answers.push(comparable(await send(janua, way, { username, password: secret }, { address: '198.51.100.1' })));
      for (const answer of answers) {
        const first = answers[0];
        assert.deepEqual({ ...answer, body: bodyOf(answer) }, { ...first, body: bodyOf(first) }, way.name);
        assert.equal((answer as { status: number }).status, 429);
      }
    }
  });

  test('strangers cannot lock the owner out of a browser that the owner has used before', async () => {
    await using janua = await start();
    const login = await send(janua, face, { password });
    const browser = login.cookies.find(({ name }) => name === 'browser')?.value ?? '';
    const known = { headers: { cookie: `browser=${browser}` } };
    for (let failures = 0; failures < 100; failures += 1) {
      await send(janua, face, {}, { address: `10.0.0.${failures}` });
      janua.advance(15 * minute);
    }
    assert.equal((await send(janua, face, { password }, { address: '198.51.100.1' })).statusCode, 429);
    assert.ok(succeeded(await send(janua, face, { password }, known)));
    // The same holds after another user has signed in with this browser.
    await janua.people.add({ ...ann, username: 'bob@example.com', password });
    const shared = await send(janua, face, { username: 'bob@example.com', password }, known);
    const cookie = `browser=${shared.cookies.find(({ name }) => name === 'browser')?.value}`;
    assert.ok(succeeded(await send(janua, face, { password }, { headers: { cookie } })));
    // A known browser has its own count, and does not help other users.
    for (const forged of [
      `${browser}x`,
      browser.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')),
      browser.split('.')[0],
      '',
    ])
      assert.equal(
        (await send(janua, face, { password }, { headers: { cookie: `browser=${forged}` } })).statusCode,
        429,
      );
    const other = { headers: { cookie: `browser=${browser}` } };
    for (let failures = 0; failures < 10; failures += 1)
      assert.notEqual((await send(janua, face, {}, other)).statusCode, 429);
    assert.equal((await send(janua, face, { password }, other)).statusCode, 429);
    assert.notEqual((await send(janua, face, { username: nobody }, other)).statusCode, 429);
  });

  test('a new password makes all browsers unknown, so that an old one gives no extra tries', async () => {
    await using janua = await start();
    const browsers: string[] = [];
    for (const way of faces(5))
      browsers.push(
        String((await send(janua, way, { password })).cookies.find(({ name }) => name === 'browser')?.value),
      );
    await janua.people.setPassword(ann.username, `new ${password}`);
    const statuses: number[] = [];
    for (const browser of browsers)
      for (const way of faces(4))
        statuses.push((await send(janua, way, {}, { headers: { cookie: `browser=${browser}` } })).statusCode);
    assert.equal(statuses.filter((status) => status !== 429).length, 8);
  });

  test('an address that tries a password on many accounts has to wait, whatever X-Forwarded-For says', async () => {
    await using janua = await start();
    const guess = (index: number, address: string, forwarded = `203.0.113.${index}`) =>
      send(
        janua,
        face,
        { username: `user${index}@example.com` },
        { address, headers: { 'x-forwarded-for': forwarded } },
      );
    for (let index = 0; index < 20; index += 1) assert.notEqual((await guess(index, '192.0.2.1')).statusCode, 429);
    assert.equal((await guess(20, '192.0.2.1')).statusCode, 429);
    assert.equal(
      (await guess(21, '::ffff:192.0.2.1')).statusCode,
      429,
      'an IPv4-mapped address counts as its IPv4 address',
    );
    assert.notEqual((await guess(22, '192.0.2.2')).statusCode, 429);
    for (let index = 0; index < 20; index += 1) await guess(index + 30, `2001:db8::${index.toString(16)}`);
    assert.equal((await guess(60, '2001:db8::ffff')).statusCode, 429, 'all addresses of a /64 count together');
    assert.notEqual((await guess(61, '2001:db8:0:1::1')).statusCode, 429);
  });

  test('X-Forwarded-For of a trusted proxy counts, and all clients without it share one strict limit', async () => {
    await using janua = await start({ TRUSTED_PROXIES: ['192.0.2.1'] });
    const guess = (index: number, forwarded?: string) =>
      send(
        janua,
        face,
        { username: `user${index}@example.com` },
        { headers: forwarded === undefined ? {} : { 'x-forwarded-for': forwarded } },
      );
    for (let index = 0; index < 20; index += 1)
      assert.notEqual((await guess(index, `10.0.0.${index}, 203.0.113.9`)).statusCode, 429);
    assert.equal((await guess(20, '10.9.9.9, 203.0.113.9')).statusCode, 429);
    assert.notEqual((await guess(21, '203.0.113.10')).statusCode, 429);
    for (let index = 30; index < 35; index += 1)
      assert.notEqual((await guess(index, ['unknown', undefined][index % 2])).statusCode, 429);
    assert.equal((await guess(40)).statusCode, 429);
    assert.equal((await guess(41, '203.0.113.9, x')).statusCode, 429);
  });

  test('a user stays signed in while further logins are throttled', async () => {
    await using janua = await start();
    const cookie = (await send(janua, face, { password })).cookies.find(({ name }) => name === 'session');
    const headers = { cookie: `session=${cookie?.value}` };
    for (const way of faces(20)) await send(janua, way, {}, { headers });
    assert.equal((await send(janua, face, { password }, { headers })).statusCode, 429);
    for (const { request } of meFaces) assert.equal((await janua.send(request, headers)).statusCode, 200);
  });
}

/** The body without the request id, which differs in each page. */
const bodyOf = (answer: object | undefined) =>
  String((answer as { body?: string } | undefined)?.body).replace(/Request id: <code>[^<]*/, '');

// The contract of the stores is in test/core/throttle. This file shows that every login asks the throttle, on each kind of store.
for (const stores of [
  { users: 'SQLite', sessions: 'SQL' },
  { users: 'PostgreSQL', sessions: 'Redis', ownTable: true },
] as const) {
  const table = 'ownTable' in stores ? "a team's own table in " : '';
  describe(
    `throttle, with users in ${table}${stores.users}, sessions in ${stores.sessions}`,
    { skip: missing(stores.users, stores.sessions) },
    () => testThrottle(stores),
  );
}
