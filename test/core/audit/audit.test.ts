import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { describe, test } from 'node:test';
import { type AuditOptions, createAudit } from '../../../src/core/audit/audit.ts';
import type { EventDescription, RecordedEvent } from '../../../src/core/audit/event.ts';
import { bounds } from '../../../src/core/audit/flood-bound.ts';
import type { AuditStore } from '../../../src/core/audit/sql-store.ts';
import { tooManyChanges } from '../../../src/core/users/change-refused.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { events } from '../../../src/site.ts';
import { caller } from './events.ts';

interface Line {
  readonly level: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly message: string;
}

/** A store in which each insert waits until the test resolves or rejects it. */
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

type Options = AuditOptions<typeof events>;

function open(options: Pick<Options, 'store'> & Partial<Options>) {
  const lines: Line[] = [];
  const write = (level: string) => (details: object, message: string) =>
    void lines.push({ level, details: details as Line['details'], message });
  const log = { info: write('info'), warn: write('warn') };
  return { lines, audit: createAudit({ events, log, nameKey: Buffer.alloc(32, 1), tooManyChanges, ...options }) };
}

const cheap = { kind: 'access-refused', caller } as const;
/** An event that is always kept, however many there are. */
const dear = (userId: string) => ({ kind: 'users-exported', caller, userId }) as const;
const failed = { kind: 'login-failed', caller, userId: 'ann' } as const;

describe('a group commit', () => {
  /** Lets all pending work go on that waits for nothing outside. */
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  const usersOf = (insert: { events: readonly RecordedEvent[] } | undefined) => insert?.events.map((e) => e.userId);

  test('inserts the first event at once, and later ones together and in order', async () => {
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

  test('fails only its own events when its insert fails', async () => {
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

  test('has a bounded size and a bounded queue', async () => {
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

  test('ends before the audit closes, even when it fails', async () => {
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
  test('has a line for each event, with all kept fields, the level and the request id', async () => {
    const { store, kept } = createKeptEvents();
    const { audit, lines } = open({ store, now: () => Date.UTC(2026, 0, 1) });
    await audit.record({ ...failed, reason: 'wrong-password' });
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

  test('has an event that the store could not keep, and only the fields of an event', async () => {
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

  test('refuses an invalid event with a TypeError', async () => {
    const { audit } = open(createKeptEvents());
    await assert.rejects(audit.record({ ...cheap, caller: {} } as never), TypeError);
  });
});

describe('a flood of events', () => {
  const minute = 60_000;
  const day = 24 * 60 * minute;
  const from = (address: string) => ({ ...caller, address });

  function openWithClock(options: Partial<Options> = {}) {
    const { store, kept } = createKeptEvents();
    const clock = { time: Date.UTC(2026, 0, 1) };
    const opened = open({ store, now: () => clock.time, ...options });
    const count = (kind: string) => kept.filter((event) => event.kind === kind).length;
    return { ...opened, kept, clock, count };
  }

  const { endSite, all } = bounds.anyone;

  test('from one /48 is kept up to a bound, whatever its /64, and other events are all kept', async () => {
    const { audit, lines, kept, count } = openWithClock();
    for (let index = 0; index < 1000; index++)
      await audit.record({
        kind: 'login-failed',
        caller: from(`2001:db8:1:${index.toString(16)}::1`),
        reason: 'unknown-user',
      });
    assert.equal(count('login-failed'), endSite.burst);
    assert.equal(lines.length, endSite.burst, 'the log has no more lines than the burst');
    const others = [
      { kind: 'login-failed', caller: from('2001:db8:1:1::1'), reason: 'wrong-password', userId: 'ann' },
      { kind: 'login-failed', caller: from('2001:db8:2::1'), reason: 'unknown-user' },
      { kind: 'access-refused', caller: from('2001:db8:1:1::1') },
      { kind: 'users-exported', caller: { route: 'janua users disable', operator: 'root' } },
    ] as const;
    for (const event of others) await audit.record(event);
    assert.equal(kept.length, endSite.burst + others.length, 'the first event of each other kind and party is kept');
  });

  test('from everywhere is kept up to a total bound', async () => {
    const { audit, count } = openWithClock();
    for (let index = 0; index < all.burst + 500; index++)
      await audit.record({
        kind: 'login-failed',
        caller: from(`10.${index >> 8}.${index & 255}.1`),
        reason: 'unknown-user',
      });
    assert.equal(count('login-failed'), all.burst);
  });

  test('of another kind from many parties does not lift the total bound', async () => {
    const { audit, count } = openWithClock();
    const flood = async (parties: number, reason: string) => {
      for (let index = 0; index < parties; index++)
        await audit.record({ kind: 'login-failed', caller: from(`10.${index >> 8}.${index & 255}.1`), reason });
    };
    await flood(all.burst, 'unknown-user');
    // More parties than the audit tells apart at the same time.
    await flood(10_001, 'wrong-password');
    await flood(100, 'unknown-user');
    assert.equal(count('login-failed'), 2 * all.burst);
  });

  test('of logins into one account is kept up to a bound, and so are the sessions that they end', async () => {
    const { audit, count } = openWithClock();
    for (let index = 0; index < 500; index++) {
      await audit.record({ kind: 'login-succeeded', caller, userId: 'ann', sessionId: `${index}` });
      await audit.record({ kind: 'session-ended', caller, userId: 'ann', reason: 'replaced' });
    }
    await audit.record({ kind: 'login-succeeded', caller, userId: 'bob' });
    assert.equal(count('login-succeeded'), (bounds['account-holder'].account?.burst ?? 0) + 1);
    assert.equal(count('session-ended'), bounds['account-holder'].account?.burst);
  });

  test("from an operator's commands is always kept", async () => {
    const { audit, count } = openWithClock();
    for (let index = 0; index < 5000; index++)
      await audit.record({ kind: 'session-ended', caller: { route: 'janua sessions revoke', operator: 'root' } });
    assert.equal(count('session-ended'), 5000);
  });

  test('is kept again as time passes, and a clock that is set back neither stops nor floods the audit', async () => {
    const { audit, clock, count } = openWithClock();
    const flood = async () => {
      for (let index = 0; index < 2 * endSite.burst; index++) await audit.record(failed);
    };
    await flood();
    clock.time += minute;
    await flood();
    assert.equal(count('login-failed'), endSite.burst + endSite.perMinute);
    clock.time -= day;
    await flood();
    assert.equal(count('login-failed'), endSite.burst + endSite.perMinute);
    clock.time += day + minute;
    await flood();
    assert.ok(count('login-failed') > endSite.burst + endSite.perMinute);
  });

  test('is kept up to a bound that several processes share', async () => {
    const { audit, count } = openWithClock({ processes: 4 });
    for (let index = 0; index < 1000; index++) await audit.record(failed);
    assert.equal(count('login-failed'), endSite.burst / 4);
  });

  test('of the largest events takes at most one gigabyte a day', async () => {
    const classes = Object.values<EventDescription>(events)
      .filter(({ by }) => by === 'anyone')
      .reduce(
        (sum, { isLimitedByReason, reasons = {} }) => sum + (isLimitedByReason ? Object.keys(reasons).length : 1),
        0,
      );
    const long = '\u00ff'.repeat(300);
    const throttle = ['account', 'name', 'address', 'pair'].map(
      (kind) => ({ kind, failures: 100, waitSeconds: 86_400, stopped: true }) as never,
    );
    const trace = {
      addressFrom: 'trusted-proxy',
      cookie: 'several',
      accessToken: 'sent',
      browserCookie: 'sent',
    } as const;
    const { audit, kept } = openWithClock();
    await audit.record({
      kind: 'login-failed',
      caller: {
        ...{
          requestId: long,
          address: '2001:db8:1:1:1:1:1:1',
          userAgent: long,
          route: 'POST /auth/token',
          format: 'html',
        },
        trace: {
          ...trace,
          peer: undefined,
          expectedOrigins: ['https://auth.example.com'],
          forwardedFor: long,
          origin: long,
          fetchSite: long,
        },
      },
      userId: 'x'.repeat(36),
      reason: 'wrong-password',
      throttle,
    });
    // The store writes ASCII: each character outside ASCII takes six bytes.
    const bytes = [...JSON.stringify(kept[0])].reduce((sum, character) => sum + (character > '~' ? 6 : 1), 0);
    const worst = classes * (all.burst + all.perMinute * 24 * 60) * bytes;
    assert.ok(worst < 1e9, `${(worst / 1e9).toFixed(2)} GB`);
  });

  test('is reported by a timer, once a minute for each kind, and when the audit closes', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const { audit, kept } = openWithClock();
    const told = () =>
      kept.filter(({ kind }) => kind === 'events-left-out').map(({ reason, count }) => [reason, count]);
    for (let index = 0; index < endSite.burst + 3; index++) {
      await audit.record(failed);
      await audit.record(cheap);
    }
    t.mock.timers.tick(minute - 1);
    assert.deepEqual(told(), []);
    t.mock.timers.tick(1);
    await new Promise(setImmediate);
    assert.deepEqual(told(), [
      ['login-failed', 3],
      ['access-refused', 3],
    ]);
    t.mock.timers.tick(10 * minute);
    assert.equal(told().length, 2);
    await audit.record(cheap);
    await audit.close();
    await audit.close();
    assert.deepEqual(told().slice(2), [['access-refused', 1]]);
  });

  test('is reported in the log even when the store cannot keep the report', async () => {
    const broken = { insert: () => Promise.reject(new Error('gone')) } as unknown as AuditStore;
    const { audit, lines } = open({ store: broken });
    for (let index = 0; index <= endSite.burst; index++) await audit.record(cheap).catch(() => {});
    await audit.close();
    assert.equal(lines.at(-1)?.details.count, 1);
  });
});

test('a digest depends on the name and the key alone, and does not contain the name', () => {
  const { store } = createKeptEvents();
  const nameKey = randomBytes(32);
  const { audit } = open({ store, nameKey });
  const digest = audit.digestName('ann@example.com');
  assert.match(digest, /^[\w-]{22}$/);
  assert.equal(open({ store, nameKey }).audit.digestName('ann@example.com'), digest);
  assert.notEqual(audit.digestName('bob@example.com'), digest);
  assert.notEqual(open({ store, nameKey: randomBytes(32) }).audit.digestName('ann@example.com'), digest);
});
