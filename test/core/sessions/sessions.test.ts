import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from 'kysely';
import { claimOf, hashSecret } from '../../../src/core/sessions/credential.ts';
import { createSessions } from '../../../src/core/sessions/sessions.ts';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { openMigrated } from '../../ground/database/open.ts';

const minute = 60_000;

const owner = { userId: 'user', stamp: 'stamp' };
const methods = ['pwd'] as const;

const limits = {
  idleTimeoutSeconds: 600,
  lifetimeSeconds: 3600,
  remembered: { idleTimeoutSeconds: 6000, lifetimeSeconds: 12_000 },
};

async function open() {
  const opened = await openMigrated();
  const clock = { time: 1_000_000 };
  const store = createSqlSessionStore(opened);
  const sessions = createSessions({ store, ...limits, now: () => clock.time });
  return { database: opened.database, clock, store, sessions, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
}

test('a cookie finds its session only as a cookie, and a token only as a token', async () => {
  await using opened = await open();
  const { sessions } = opened;
  const { id, cookie, accessToken, expiresInSeconds } = await sessions.start(owner, { methods });
  assert.equal(expiresInSeconds, 3600, 'the session lasts for its lifetime, if it is used');
  for (const [kind, credential] of [
    ['cookie', cookie],
    ['token', accessToken],
  ] as const) {
    const found = await sessions.find(claimOf(kind, credential));
    assert.deepEqual([found?.id, found?.userId, found?.stamp], [id, owner.userId, owner.stamp]);
  }
  assert.equal(await sessions.find(claimOf('token', cookie)), undefined);
  assert.equal(await sessions.find(claimOf('cookie', accessToken)), undefined);
  assert.equal(await sessions.find(claimOf('cookie', accessToken.slice('janua_'.length))), undefined);
  assert.equal(await sessions.find(claimOf('token', `janua_${cookie}`)), undefined);
});

test('the store holds only hashes of the secrets, and credentials have 256 random bits', async () => {
  await using opened = await open();
  const { cookie, accessToken } = await opened.sessions.start(owner, { methods });
  const { rows } = await sql<object>`select * from janua_sessions`.execute(opened.database);
  const stored = JSON.stringify(rows);
  for (const credential of [cookie, accessToken]) {
    const secret = credential.split('.')[1] ?? '';
    assert.equal(Buffer.from(secret, 'base64url').length, 32);
    assert.ok(!stored.includes(secret));
    assert.ok(stored.includes(hashSecret(secret)));
  }
});

test('no character of a secret is the same in all sessions of a user', async () => {
  await using opened = await open();
  const secrets: Record<'cookie' | 'accessToken', string[]> = { cookie: [], accessToken: [] };
  for (let time = 0; time < 20; time += 1) {
    const started = await opened.sessions.start(owner, { methods });
    for (const kind of ['cookie', 'accessToken'] as const) secrets[kind].push(started[kind].split('.')[1] ?? '');
  }
  for (const [kind, all] of Object.entries(secrets))
    for (let place = 0; place < 43; place += 1)
      assert.ok(new Set(all.map((secret) => secret[place])).size > 1, `${kind} ${place}`);
});

describe('a session ends', () => {
  test('when it is idle for its timeout', async () => {
    await using opened = await open();
    const { sessions, clock } = opened;
    const { cookie, accessToken } = await sessions.start(owner, { methods });
    clock.time += 10 * minute - 1;
    assert.ok(await sessions.find(claimOf('token', accessToken)));
    clock.time += 10 * minute - 1;
    assert.ok(await sessions.find(claimOf('cookie', cookie)), 'use of either credential keeps the session alive');
    clock.time += 10 * minute;
    assert.equal(await sessions.find(claimOf('cookie', cookie)), undefined);
    assert.equal(await sessions.find(claimOf('token', accessToken)), undefined);
  });

  test('at the end of its lifetime, however much it is used', async () => {
    await using opened = await open();
    const { sessions, clock } = opened;
    const { cookie } = await sessions.start(owner, { methods });
    for (let passed = 0; passed < 59; passed++) {
      clock.time += minute;
      assert.ok(await sessions.find(claimOf('cookie', cookie)));
    }
    clock.time += minute;
    assert.equal(await sessions.find(claimOf('cookie', cookie)), undefined);
  });

  test('at limits of its own if its user chose to stay signed in', async () => {
    await using opened = await open();
    const { sessions, clock } = opened;
    const { cookie, expiresInSeconds } = await sessions.start(owner, { methods, remembered: true });
    assert.equal(expiresInSeconds, 12_000);
    const idle = await sessions.start(owner, { methods, remembered: true });
    for (const passed of [0, 1]) {
      clock.time += 100 * minute - 1;
      assert.ok(await sessions.find(claimOf('cookie', cookie)), String(passed));
    }
    assert.equal(await sessions.find(claimOf('cookie', idle.cookie)), undefined);
    const [listed] = await sessions.listOf(owner.userId, undefined);
    assert.equal(listed?.remembered, true);
    assert.equal(listed.expiresAt.getTime(), 1_000_000 + 200 * minute);
    clock.time += 2;
    assert.equal(await sessions.find(claimOf('cookie', cookie)), undefined);
  });

  test('when it was started or used in the future, by a clock that was wrong', async () => {
    await using opened = await open();
    const { sessions, clock } = opened;
    const day = 24 * 60 * minute;
    const before = await sessions.start(owner, { methods });
    clock.time += day;
    const { cookie } = await sessions.start(owner, { methods });
    clock.time -= day;
    assert.equal(await sessions.find(claimOf('cookie', cookie)), undefined);
    assert.equal((await sessions.listOf(owner.userId, undefined)).length, 1);
    assert.ok(await sessions.find(claimOf('cookie', before.cookie)));
    clock.time -= minute;
    assert.ok(
      await sessions.find(claimOf('cookie', before.cookie)),
      'a session from less than a minute in the future is valid',
    );
  });

  test('when its user starts more sessions than allowed, the oldest first', async () => {
    await using opened = await open();
    const { clock, store } = opened;
    const sessions = createSessions({ store, ...limits, mostPerUser: 3, now: () => clock.time });
    const started: Awaited<ReturnType<typeof sessions.start>>[] = [];
    for (let number = 0; number < 5; number++) {
      clock.time += 1;
      started.push(await sessions.start(owner, { methods, remembered: number % 2 === 1 }));
    }
    const [first, second, ...rest] = started;
    assert.deepEqual(
      started.map(({ displaced }) => displaced),
      [[], [], [], [first?.id], [second?.id]],
    );
    for (const ended of [first, second])
      assert.equal(await sessions.find(claimOf('cookie', ended?.cookie ?? '')), undefined);
    for (const alive of rest) assert.ok(await sessions.find(claimOf('cookie', alive.cookie)));
  });

  test('when another session replaces it, when it is ended, and when all sessions of its user are ended', async () => {
    await using opened = await open();
    const { sessions } = opened;
    const first = await sessions.start(owner, { methods });
    const second = await sessions.start(owner, { methods, replaced: [first] });
    assert.equal(await sessions.find(claimOf('cookie', first.cookie)), undefined);
    assert.equal(await sessions.end([second]), true);
    assert.equal(await sessions.end([second]), false);
    assert.equal(await sessions.end([]), false);
    const third = await sessions.start(owner, { methods });
    await sessions.endAllOf('user');
    assert.equal(await sessions.find(claimOf('token', third.accessToken)), undefined);
  });
});

test('each device has a remembered session of its own, which can be ended alone', async () => {
  await using opened = await open();
  const { sessions } = opened;
  const start = () => sessions.start(owner, { methods, remembered: true });
  const [phone, laptop] = [await start(), await start()];
  const isAlive = async ({ cookie }: { cookie: string }) =>
    (await sessions.find(claimOf('cookie', cookie))) !== undefined;
  assert.deepEqual([await isAlive(phone), await isAlive(laptop)], [true, true]);
  assert.equal(await sessions.end([phone]), true);
  assert.deepEqual([await isAlive(phone), await isAlive(laptop)], [false, true]);
});

test('a renewed session keeps its id and start, and only its new credentials are valid', async () => {
  await using opened = await open();
  const { sessions, clock } = opened;
  const before = await sessions.start(owner, { methods });
  clock.time += 55 * minute;
  await sessions.end([before]);
  assert.equal(await sessions.renew(before), undefined, 'a session that has ended stays ended');

  const started = await sessions.start(owner, { methods });
  clock.time += 5 * minute;
  const renewed = await sessions.renew(started, { stamp: 'other', methods: ['pwd', 'otp'] });
  assert.ok(renewed);
  for (const [kind, old, fresh] of [
    ['cookie', started.cookie, renewed.cookie],
    ['token', started.accessToken, renewed.accessToken],
  ] as const) {
    assert.equal(await sessions.find(claimOf(kind, old)), undefined);
    const found = await sessions.find(claimOf(kind, fresh));
    assert.deepEqual(found && [found.id, found.createdAt, found.authenticatedAt, found.stamp, found.methods], [
      ...[started.id, started.createdAt, clock.time, 'other', ['pwd', 'otp']],
    ]);
  }
  assert.equal(renewed.expiresInSeconds, 3300);
});

test('a session that is renewed shortly before its end lasts no longer than its lifetime', async () => {
  await using opened = await open();
  const { sessions, clock } = opened;
  const session = await sessions.start(owner, { methods });
  for (let passed = 0; passed < 59; passed++) {
    clock.time += minute;
    await sessions.find(claimOf('cookie', session.cookie));
  }
  const renewed = await sessions.renew(session);
  assert.equal(renewed?.expiresInSeconds, 60);
  clock.time += minute;
  assert.equal(await sessions.find(claimOf('cookie', renewed.cookie)), undefined);
});

test('all sessions of a user but one can be ended', async () => {
  await using opened = await open();
  const { sessions } = opened;
  const [kept, second, third] = [
    await sessions.start(owner, { methods }),
    await sessions.start(owner, { methods }),
    await sessions.start(owner, { methods }),
  ];
  const stranger = await sessions.start({ ...owner, userId: 'other' }, { methods });
  assert.equal(await sessions.endOthersOf(owner.userId, kept.id), 2);
  assert.equal(await sessions.endOthersOf(owner.userId, kept.id), 0);
  for (const ended of [second, third]) assert.equal(await sessions.find(claimOf('cookie', ended.cookie)), undefined);
  for (const alive of [kept, stranger]) assert.ok(await sessions.find(claimOf('cookie', alive.cookie)));
});

test('the last use of a session is written at most once a minute', async () => {
  await using opened = await open();
  const { sessions, clock, store } = opened;
  const { id, cookie } = await sessions.start(owner, { methods });
  const seen = async () => (await store.find(id))?.lastSeenAt;
  const start = await seen();
  clock.time += minute - 1;
  await sessions.find(claimOf('cookie', cookie));
  assert.equal(await seen(), start);
  clock.time += 1;
  await sessions.find(claimOf('cookie', cookie));
  assert.equal(await seen(), clock.time);
});

test('the name of a browser is kept short and printable', async () => {
  await using opened = await open();
  const { sessions } = opened;
  await sessions.start(owner, { methods, userAgent: `a\u009b2J${'b'.repeat(300)}` });
  const [listed] = await sessions.listOf(owner.userId, undefined);
  assert.equal(listed?.userAgent, `a\ufffd2J${'b'.repeat(196)}`);
});

test('a session id that a client made up is never adopted', async () => {
  await using opened = await open();
  const id = 'A'.repeat(22);
  for (const secret of ['A'.repeat(43), hashSecret('A'.repeat(43))]) {
    assert.equal(await opened.sessions.find(claimOf('cookie', `${id}.${secret}`)), undefined);
    assert.equal(await opened.store.find(id), undefined);
  }
});

test('malformed credentials find no session, and are fast', async () => {
  await using opened = await open();
  const { sessions } = opened;
  const { cookie } = await sessions.start(owner, { methods });
  for (const wrong of [
    '',
    '.',
    cookie.slice(1),
    cookie.slice(0, -1),
    `${cookie}A`,
    `${cookie}\n`,
    cookie.replace('.', ':'),
    `${cookie}.x`,
    'x'.repeat(1_000_000),
    '\0',
  ]) {
    assert.equal(await sessions.find(claimOf('cookie', wrong)), undefined);
  }
});

test('cleaning removes only expired sessions, in batches', async () => {
  await using opened = await open();
  const { sessions, clock, database } = opened;
  for (let number = 0; number < 1200; number++)
    await sessions.start({ ...owner, userId: `user-${number}` }, { methods });
  clock.time += 10 * minute + 1;
  const alive = await sessions.start(owner, { methods });
  assert.equal(await removeExpired(database, 'janua_sessions', clock.time), 1200);
  const { rows } = await sql<{ count: number }>`select count(*) as count from janua_sessions`.execute(database);
  assert.equal(rows[0]?.count, 1);
  assert.ok(await sessions.find(claimOf('cookie', alive.cookie)));
});
