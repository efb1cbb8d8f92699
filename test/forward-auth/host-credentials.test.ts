import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createHostCredentials } from '../../src/forward-auth/host-credentials.ts';
import { createSecret, createSessionId, hashSecret } from '../../src/sessions/credential.ts';
import { createSessions } from '../../src/sessions/sessions.ts';
import { createSqlSessionStore } from '../../src/sessions/sql-store.ts';
import { openMigrated } from '../database/open.ts';

const key = randomBytes(32);
const hosts = createHostCredentials(key);
const session = () => ({ id: createSessionId(), cookieHash: hashSecret(createSecret()) });
const origin = 'https://app.example.com';
const state = 's'.repeat(43);

/** Each character changed, one left out, one added, and what is none. */
function spoiled(text: string): string[] {
  const changed = [...text].map((character, at) => {
    const other = /\d/.test(character) ? String((Number(character) + 1) % 10) : character === 'A' ? 'B' : 'A';
    return text.slice(0, at) + other + text.slice(at + 1);
  });
  return [
    ...changed,
    text.slice(1),
    text.slice(0, -1),
    `${text}A`,
    `${text}\n`,
    `janua_${text}`,
    '',
    '.',
    'x'.repeat(99_999),
  ];
}

describe("a host's credential", () => {
  test('holds for its session on its origin, and is the same each time', () => {
    const own = session();
    const credential = hosts.create(origin, own);
    assert.match(credential, /^[\w-]{22}\.[\w-]{43}$/);
    assert.equal(hosts.create(origin, own), credential);
    assert.equal(hosts.sessionIdOf(credential), own.id);
    assert.ok(hosts.isValid(credential, origin, own));
  });

  test('holds nowhere else, for no other session, and under no other key', () => {
    const own = session();
    const credential = hosts.create(origin, own);
    for (const other of ['http://app.example.com', 'https://app.example.com:8443', 'https://app2.example.com', ''])
      assert.ok(!hosts.isValid(credential, other, own), other);
    assert.ok(!hosts.isValid(credential, origin, { ...own, cookieHash: session().cookieHash }));
    assert.ok(!hosts.isValid(credential, origin, { ...own, id: session().id }));
    assert.ok(!createHostCredentials(randomBytes(32)).isValid(credential, origin, own));
    for (const wrong of spoiled(credential)) assert.ok(!hosts.isValid(wrong, origin, own), wrong);
  });
});

describe('a ticket', () => {
  const own = session();
  const ticket = hosts.createTicket({ origin, state }, own, 1_700_000_000_000);

  test('says whose it is and until when', () => {
    assert.deepEqual(hosts.readTicket(ticket), { sessionId: own.id, expiresAt: 1_700_000_000_000 });
    assert.ok(hosts.isValidTicket(ticket, { origin, state }, own));
  });

  test('is for one origin, one browser and one session, and no part of it can be changed', () => {
    assert.ok(!hosts.isValidTicket(ticket, { origin: 'https://other.example.com', state }, own));
    assert.ok(!hosts.isValidTicket(ticket, { origin, state: 't'.repeat(43) }, own));
    assert.ok(!hosts.isValidTicket(ticket, { origin, state }, { ...own, cookieHash: session().cookieHash }));
    assert.ok(!createHostCredentials(randomBytes(32)).isValidTicket(ticket, { origin, state }, own));
    for (const wrong of spoiled(ticket)) assert.ok(!hosts.isValidTicket(wrong, { origin, state }, own), wrong);
  });

  test('is no credential, and a credential no ticket', () => {
    assert.equal(hosts.sessionIdOf(ticket), undefined);
    assert.equal(hosts.readTicket(hosts.create(origin, own)), undefined);
  });
});

describe('sessions at other hosts', () => {
  const minute = 60_000;
  const owner = { userId: 'user', passwordFingerprint: 'fingerprint' };
  const way = { origin, state };

  async function open(options: { hosts?: typeof hosts } = { hosts }) {
    const { database, ...opened } = await openMigrated();
    const clock = { time: 1_700_000_000_000 };
    const store = createSqlSessionStore(database);
    const limits = { idleTimeoutSeconds: 600, lifetimeSeconds: 3600 };
    const sessions = createSessions({ store, ...limits, ...options, now: () => clock.time });
    return { clock, sessions, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
  }

  test('a ticket is good for a minute, and what it gives for as long as the session', async () => {
    await using opened = await open();
    const { sessions, clock } = opened;
    const started = await sessions.start(owner, []);
    const ticket = (await sessions.createTicket('cookie', started.cookie, way)) ?? '';
    clock.time += minute - 1;
    const credential = (await sessions.redeemTicket(ticket, way)) ?? '';
    clock.time += 1;
    assert.equal(await sessions.redeemTicket(ticket, way), undefined);
    clock.time += 8 * minute;
    assert.deepEqual(await sessions.findAtHost(origin, credential), { id: started.id, ...owner });
    clock.time += 9 * minute;
    assert.ok(await sessions.find('cookie', started.cookie), 'being asked about at another host counts as use');
    clock.time += 10 * minute;
    assert.equal(await sessions.findAtHost(origin, credential), undefined);
  });

  test('both end with the session', async () => {
    await using opened = await open();
    const { sessions } = opened;
    const started = await sessions.start(owner, []);
    const ticket = (await sessions.createTicket('token', started.accessToken, way)) ?? '';
    const credential = (await sessions.redeemTicket(ticket, way)) ?? '';
    await sessions.end([started]);
    assert.equal(await sessions.findAtHost(origin, credential), undefined);
    assert.equal(await sessions.redeemTicket(ticket, way), undefined);
    assert.equal(await sessions.createTicket('cookie', started.cookie, way), undefined);
  });

  test('no kind of credential passes for another', async () => {
    await using opened = await open();
    const { sessions } = opened;
    const started = await sessions.start(owner, []);
    const ticket = (await sessions.createTicket('cookie', started.cookie, way)) ?? '';
    const credential = (await sessions.redeemTicket(ticket, way)) ?? '';
    for (const text of [credential, ticket, `janua_${credential}`]) {
      assert.equal(await sessions.find('cookie', text), undefined);
      assert.equal(await sessions.find('token', text), undefined);
      assert.equal(await sessions.createTicket('cookie', text, way), undefined);
    }
    for (const text of [started.cookie, started.accessToken, ticket])
      assert.equal(await sessions.findAtHost(origin, text), undefined);
    assert.equal(await sessions.redeemTicket(credential, way), undefined);
  });

  test('where no other hosts are listed there is none of it', async () => {
    await using opened = await open({});
    const started = await opened.sessions.start(owner, []);
    assert.equal(await opened.sessions.createTicket('cookie', started.cookie, way), undefined);
    const credential = hosts.create(origin, { id: started.id, cookieHash: '' });
    assert.equal(await opened.sessions.findAtHost(origin, credential), undefined);
  });
});
