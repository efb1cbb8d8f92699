import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { type AuditOptions, createAudit } from '../../src/audit/audit.ts';
import type { RecordedEvent } from '../../src/audit/event.ts';
import type { AuditStore } from '../../src/audit/store.ts';
import { Unavailable } from '../../src/unavailable.ts';
import { caller } from './events.ts';

interface Line {
  readonly level: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** Where each insert waits until it is told how it ends. */
function createHeldStore() {
  const inserts: (PromiseWithResolvers<void> & { readonly events: readonly RecordedEvent[] })[] = [];
  const insert = (events: readonly RecordedEvent[]) => {
    const made = { events, ...Promise.withResolvers<void>() };
    inserts.push(made);
    return made.promise;
  };
  const store = { insert } as unknown as AuditStore;
  return { store, inserts };
}

function createKeptEvents() {
  const kept: RecordedEvent[] = [];
  const store = { insert: async (events: RecordedEvent[]) => void kept.push(...events) } as unknown as AuditStore;
  return { store, kept };
}

function open(options: Pick<AuditOptions, 'store'> & Partial<AuditOptions>) {
  const lines: Line[] = [];
  const write = (level: string) => (details: object, message: string) =>
    void lines.push({ level, details: details as Line['details'], message });
  const log = { info: write('info'), warn: write('warn') };
  return { lines, audit: createAudit({ log, nameKey: Buffer.alloc(32, 1), ...options }) };
}

const cheap = { kind: 'access-refused', caller } as const;
const dear = (userId: string) => ({ kind: 'login-failed', caller, userId }) as const;

describe('a group commit', () => {
  /** Lets everything go on that needs nothing from outside. */
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const usersOf = (insert: { events: readonly RecordedEvent[] } | undefined) => insert?.events.map((e) => e.userId);

  test('inserts at once when nothing is under way, and together what comes meanwhile, in order', async () => {
    const { store, inserts } = createHeldStore();
    const { audit } = open({ store });
    const done: string[] = [];
    const record = async (id: string) => {
      await audit.record(dear(id));
      done.push(id);
    };
    const all = ['a', 'b', 'c', 'd'].map(record);
    await turn();
    assert.deepEqual(inserts.map(usersOf), [['a']]);
    assert.deepEqual(done, []);
    inserts[0]?.resolve();
    await turn();
    assert.deepEqual(done, ['a']);
    assert.deepEqual(usersOf(inserts[1]), ['b', 'c', 'd']);
    all.push(record('e'));
    await turn();
    assert.equal(inserts.length, 2);
    inserts[1]?.resolve();
    await turn();
    inserts[2]?.resolve();
    await Promise.all(all);
    assert.deepEqual(done, ['a', 'b', 'c', 'd', 'e']);
    const ids = inserts.flatMap(({ events }) => events.map(({ id }) => id));
    assert.deepEqual(ids, ids.toSorted());
  });

  test('one that fails fails its own events only', async () => {
    const { store, inserts } = createHeldStore();
    const { audit } = open({ store });
    const settled = Promise.allSettled(['a', 'b', 'c'].map((id) => audit.record(dear(id))));
    await turn();
    inserts[0]?.resolve();
    await turn();
    const later = audit.record(dear('d'));
    inserts[1]?.reject(new Unavailable('The database', 5));
    const [first, second, third] = await settled;
    assert.equal(first?.status, 'fulfilled');
    for (const result of [second, third])
      assert.ok(result?.status === 'rejected' && result.reason instanceof Unavailable);
    await turn();
    inserts[2]?.resolve();
    await later;
    assert.deepEqual(usersOf(inserts[2]), ['d']);
  });

  test('is of bounded size, and keeps a bounded number waiting', async () => {
    const { store, inserts } = createHeldStore();
    const { audit } = open({ store });
    const records = Array.from({ length: 501 }, (_, index) => audit.record(dear(String(index))));
    await assert.rejects(audit.record(dear('too many')), Unavailable);
    for (let index = 0; index <= 5; index++) {
      inserts[index]?.resolve();
      await turn();
    }
    await Promise.all(records);
    assert.deepEqual(
      inserts.map(({ events }) => events.length),
      [1, 100, 100, 100, 100, 100],
    );
  });

  test('is waited for when the audit is closed, also when it fails', async () => {
    const { store, inserts } = createHeldStore();
    const { audit } = open({ store });
    const refused = assert.rejects(audit.record(dear('a')));
    let closed = false;
    const closing = audit.close().then(() => {
      closed = true;
    });
    await turn();
    assert.equal(closed, false);
    inserts[0]?.reject(new Unavailable('The database', 5));
    await Promise.all([closing, refused]);
  });
});

describe('the log', () => {
  test('has a line for each event with all that is kept of it, at its level, under the request', async () => {
    const { store, kept } = createKeptEvents();
    const { audit, lines } = open({ store, now: () => Date.UTC(2026, 0, 1) });
    await audit.record({ ...dear('ann'), reason: 'wrong-password' });
    await audit.record({ kind: 'logged-out', caller, userId: 'ann' });
    const [first] = kept;
    assert.equal(first?.at, '2026-01-01T00:00:00.000Z');
    const { kind: _, at: __, ...details } = first;
    assert.deepEqual(lines[0], {
      level: 'warn',
      message: 'login failed',
      details: { event: 'login-failed', vocabulary: 'authn_login_fail', reqId: caller.requestId, ...details },
    });
    assert.deepEqual([lines[1]?.level, lines[1]?.message], ['info', 'logged out']);
  });

  test('has it also when it cannot be kept, and never more than an event has', async () => {
    const store = {
      insert: () => Promise.reject(new Unavailable('The database', 5)),
    } as unknown as AuditStore;
    const { audit, lines } = open({ store });
    const slipped = {
      ...dear('ann'),
      password: 'canary',
      caller: { ...caller, cookie: 'canary', userAgent: 'a\u001B[2J' },
    };
    await assert.rejects(audit.record(slipped), Unavailable);
    assert.equal(lines.length, 1);
    assert.doesNotMatch(JSON.stringify(lines), /canary|\\u001b/);
  });

  test('what is no event is a mistake of ours', async () => {
    const { audit } = open(createKeptEvents());
    await assert.rejects(audit.record({ ...cheap, caller: {} } as never), TypeError);
  });
});

describe('a flood', () => {
  const minute = 60_000;

  test('of a cheap kind is counted beyond its bound, and the count is told when the minute is over', async () => {
    const { store, kept } = createKeptEvents();
    let time = Date.UTC(2026, 0, 1);
    const { audit, lines } = open({ store, now: () => time, cheapPerMinute: 2 });
    for (let count = 0; count < 5; count++) await audit.record(cheap);
    await audit.record({ ...cheap, kind: 'cross-site-refused' });
    for (let count = 0; count < 5; count++) await audit.record(dear('ann'));
    assert.equal(kept.filter(({ kind }) => kind === 'access-refused').length, 2);
    assert.equal(kept.filter(({ kind }) => kind === 'login-failed').length, 5);
    assert.equal(kept.length, 8);
    assert.equal(lines.length, 8, 'nor is the log flooded');
    time += minute - 1;
    await audit.record(cheap);
    assert.equal(kept.length, 8);
    time += 1;
    await audit.record(cheap);
    await audit.close();
    const [told, next, ...rest] = kept.slice(8);
    const { kind, reason, count, caller: from } = told ?? {};
    assert.deepEqual([kind, reason, count, from?.route], ['events-left-out', 'access-refused', 4, 'audit']);
    assert.equal(next?.kind, 'access-refused');
    assert.deepEqual(rest, []);
  });

  test('is told of by a timer where nothing comes any more', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, kept } = createKeptEvents();
    const { audit } = open({ store, now: () => 0, cheapPerMinute: 0 });
    await audit.record(cheap);
    await audit.record(cheap);
    t.mock.timers.tick(minute - 1);
    assert.equal(kept.length, 0);
    t.mock.timers.tick(1);
    assert.deepEqual(
      kept.map(({ kind, count }) => [kind, count]),
      [['events-left-out', 2]],
    );
    await audit.close();
  });

  test('is told of when its own minute is over, not that before', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { store, kept } = createKeptEvents();
    let time = 0;
    const { audit } = open({ store, now: () => time, cheapPerMinute: 0 });
    await audit.record(cheap);
    t.mock.timers.tick(minute / 2);
    time = minute;
    await audit.record(cheap);
    assert.equal(kept.length, 1);
    t.mock.timers.tick(minute / 2);
    assert.equal(kept.length, 1);
    t.mock.timers.tick(minute / 2);
    assert.equal(kept.length, 2);
  });

  test('is told of when the audit is closed, once, and a store that fails does not matter', async () => {
    const { store, kept } = createKeptEvents();
    const { audit } = open({ store, cheapPerMinute: 0 });
    await audit.record(cheap);
    await audit.close();
    await audit.close();
    assert.deepEqual(
      kept.map(({ kind, count }) => [kind, count]),
      [['events-left-out', 1]],
    );
    const broken = { insert: () => Promise.reject(new Error('gone')) } as unknown as AuditStore;
    const other = open({ store: broken, cheapPerMinute: 0 });
    await other.audit.record(cheap);
    await other.audit.close();
    assert.equal(other.lines[0]?.details.count, 1);
  });

  test('ends also when the clock is set back', async () => {
    const { store, kept } = createKeptEvents();
    let time = 10 * minute;
    const { audit } = open({ store, now: () => time, cheapPerMinute: 1 });
    await audit.record(cheap);
    time = 0;
    await audit.record(cheap);
    assert.equal(kept.length, 2);
  });
});

test('a digest tells whether names are the same, needs the key, and does not contain the name', () => {
  const { store } = createKeptEvents();
  const nameKey = randomBytes(32);
  const { audit } = open({ store, nameKey });
  const digest = audit.digestName('ann@example.com');
  assert.match(digest, /^[\w-]{22}$/);
  assert.equal(open({ store, nameKey }).audit.digestName('ann@example.com'), digest);
  assert.notEqual(audit.digestName('bob@example.com'), digest);
  assert.notEqual(open({ store, nameKey: randomBytes(32) }).audit.digestName('ann@example.com'), digest);
});
