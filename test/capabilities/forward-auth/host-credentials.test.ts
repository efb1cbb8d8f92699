import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { createHostCredentials, type Return } from '../../../src/capabilities/forward-auth/host-credentials.ts';
import { claimOf, createSecret, createSessionId, hashSecret } from '../../../src/core/sessions/credential.ts';
import { createSessions, type Session } from '../../../src/core/sessions/sessions.ts';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { openMigrated } from '../../ground/database/open.ts';

const key = randomBytes(32);
const hosts = createHostCredentials(key);
const session = () => ({ id: createSessionId(), cookieHash: hashSecret(createSecret()) }) as Session;
const origin = 'https://app.example.com';
const state = 's'.repeat(43);

/** The text with each character changed, one left out or one added, and other invalid texts. */
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

describe('the credential of a host', () => {
  test('proves its session on its origin, and is the same each time', () => {
    const own = session();
    const credential = hosts.create(origin, own);
    assert.match(credential, /^[\w-]{22}\.[\w-]{43}$/);
    assert.equal(hosts.create(origin, own), credential);
    const claim = hosts.claimOf(credential, origin);
    assert.equal(claim.sessionId, own.id);
    assert.ok(claim.isProvenBy(own));
  });

  test('proves nothing on another origin, for another session or under another key', () => {
    const own = session();
    const credential = hosts.create(origin, own);
    for (const other of ['http://app.example.com', 'https://app.example.com:8443', 'https://app2.example.com', ''])
      assert.ok(!hosts.claimOf(credential, other).isProvenBy(own), other);
    assert.ok(!hosts.claimOf(credential, origin).isProvenBy({ ...own, cookieHash: session().cookieHash }));
    assert.ok(!hosts.claimOf(credential, origin).isProvenBy({ ...own, id: session().id }));
    assert.ok(!createHostCredentials(randomBytes(32)).claimOf(credential, origin).isProvenBy(own));
    for (const wrong of spoiled(credential)) assert.ok(!hosts.claimOf(wrong, origin).isProvenBy(own), wrong);
  });
});

describe('a ticket', () => {
  const own = session();
  const time = 1_700_000_000_000;
  const at = (now: number, secret = key) => createHostCredentials(secret, () => now);
  const ticket = at(time).createTicket({ origin, state }, own);
  const proves = (text: string, way: Return, of: Session, from = at(time)) =>
    from.claimOfTicket(text, way)?.isProvenBy(of) ?? false;

  test('proves its session for a minute', () => {
    const claim = at(time).claimOfTicket(ticket, { origin, state });
    assert.equal(claim?.sessionId, own.id);
    assert.ok(claim?.isProvenBy(own));
    assert.ok(proves(ticket, { origin, state }, own, at(time + 59_999)));
    assert.equal(at(time + 60_000).claimOfTicket(ticket, { origin, state }), undefined);
  });

  test('from a clock that was hours ahead is refused', () => {
    assert.equal(at(time - 3_600_000).claimOfTicket(ticket, { origin, state }), undefined);
  });

  test('is valid for one origin, one browser and one session, and cannot be changed', () => {
    assert.ok(!proves(ticket, { origin: 'https://other.example.com', state }, own));
    assert.ok(!proves(ticket, { origin, state: 't'.repeat(43) }, own));
    assert.ok(!proves(ticket, { origin, state }, { ...own, cookieHash: session().cookieHash }));
    assert.ok(!proves(ticket, { origin, state }, own, at(time, randomBytes(32))));
    for (const wrong of spoiled(ticket)) assert.ok(!proves(wrong, { origin, state }, own), wrong);
  });

  test('does not pass as a credential, and a credential does not pass as a ticket', () => {
    assert.equal(hosts.claimOf(ticket, origin).sessionId, undefined);
    assert.equal(at(time).claimOfTicket(hosts.create(origin, own), { origin, state }), undefined);
  });
});

describe('sessions at other hosts', () => {
  const minute = 60_000;
  const owner = { userId: 'user', stamp: 'stamp' };
  const way = { origin, state };

  async function open() {
    const opened = await openMigrated();
    const clock = { time: 1_700_000_000_000 };
    const store = createSqlSessionStore(opened);
    const limits = { idleTimeoutSeconds: 600, lifetimeSeconds: 3600 };
    const sessions = createSessions({ store, ...limits, remembered: limits, now: () => clock.time });
    const started = await sessions.start(owner, { methods: ['pwd'] });
    return { clock, sessions, started, [Symbol.asyncDispose]: opened[Symbol.asyncDispose] };
  }

  test('the credential of a host is valid as long as the session, and its use keeps the session alive', async () => {
    await using opened = await open();
    const { sessions, clock, started } = opened;
    const claim = hosts.claimOf(hosts.create(origin, started), origin);
    clock.time += 9 * minute;
    assert.equal((await sessions.find(claim))?.id, started.id);
    clock.time += 9 * minute;
    assert.ok(
      await sessions.find(claimOf('cookie', started.cookie)),
      'a check for another host counts as use of the session',
    );
    clock.time += 10 * minute;
    assert.equal(await sessions.find(claim), undefined);
  });

  test('the credential of a host ends with the session', async () => {
    await using opened = await open();
    const { sessions, started } = opened;
    await sessions.end([started]);
    assert.equal(await sessions.find(hosts.claimOf(hosts.create(origin, started), origin)), undefined);
  });

  test('no kind of credential passes as another kind', async () => {
    await using opened = await open();
    const { sessions, started } = opened;
    const ticket = hosts.createTicket(way, started);
    const credential = hosts.create(origin, started);
    for (const text of [credential, ticket, `janua_${credential}`]) {
      assert.equal(await sessions.find(claimOf('cookie', text)), undefined);
      assert.equal(await sessions.find(claimOf('token', text)), undefined);
    }
    for (const text of [started.cookie, started.accessToken, ticket])
      assert.equal(await sessions.find(hosts.claimOf(text, origin)), undefined);
    assert.equal(hosts.claimOfTicket(credential, way), undefined);
  });
});
