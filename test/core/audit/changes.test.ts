import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAudit } from '../../../src/core/audit/audit.ts';
import type { AuditEvent, RecordedEvent } from '../../../src/core/audit/event.ts';
import { changeBounds, rowsOfToken } from '../../../src/core/audit/flood-bound.ts';
import { createSqlAuditStore } from '../../../src/core/audit/sql-store.ts';
import { changeRules } from '../../../src/core/changes/change-rules.ts';
import { ChangeRefused, tooManyChanges } from '../../../src/core/users/change-refused.ts';
import { inTransaction } from '../../../src/ground/database/transaction.ts';
import { events } from '../../../src/site.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { caller } from '../../janua.ts';

/** Kinds that tell of no lasting change: decisions, what was read, mails that were asked for, and what ends by itself. */
const decisions = new Set([
  ...['login-succeeded', 'login-failed', 'login-throttled', 'login-incomplete', 'account-stopped', 'logged-out'],
  ...['access-refused', 'permission-refused', 'cross-site-refused', 'logout-refused', 'session-end-refused'],
  ...['confirmed', 'confirm-failed', 'confirm-throttled', 'confirm-required', 'passkey-refused', 'enrolment-demanded'],
  ...['second-factor-asked', 'second-factor-failed', 'second-factor-throttled', 'second-factor-stopped'],
  ...['upstream-refused', 'link-refused', 'application-refused', 'application-signed-in', 'logout-notice-failed'],
  ...['sign-up-requested', 'reset-requested', 'email-change-requested', 'reset-sent', 'user-email-link-sent'],
  ...['mail-sent', 'mail-not-sent', 'mail-tested', 'operator-told', 'events-left-out'],
  ...['users-exported', 'account-exported', 'audit-exported'],
  // Tells of several changes together.
  'users-synced',
  // Recorded with the change where a user or an administrator ends one session, and after a login that replaces one.
  'session-ended',
  // Failures may be in Redis. The lift waits for its event.
  'throttle-lifted',
]);

test('every kind of event is a decision, or is recorded in the transaction of its change', () => {
  for (const [kind, { isChange = false }] of Object.entries(events))
    assert.notEqual(isChange, decisions.has(kind), kind);
  for (const kind of Object.keys(changeRules)) assert.ok(events[kind]?.isChange, kind);
});

const minute = 60_000;

async function open(options: { readonly now?: () => number; readonly processes?: number } = {}) {
  const opened = await openMigrated();
  const lines: object[] = [];
  const counted: [string, boolean][] = [];
  const store = createSqlAuditStore(opened, events);
  const write = (details: object) => void lines.push(details);
  const audit = createAudit({
    ...{ events, store, log: { info: write, warn: write }, nameKey: Buffer.alloc(32), tooManyChanges, ...options },
    onEvent: (event, isRecorded) => counted.push([event.kind, isRecorded]),
  });
  const stored = async () => (await Array.fromAsync(store.find({ order: 'oldest-first' }))) as RecordedEvent[];
  const count = async () => (await stored()).length;
  return { ...opened, audit, lines, counted, stored, count };
}

const change = { kind: 'group-added', caller, about: 'staff' } as const;

test('a change is logged and counted once it is committed, and once only', async () => {
  await using opened = await open();
  const { database, audit, lines, counted, stored } = opened;
  let tries = 0;
  await inTransaction(database, async (db) => {
    tries += 1;
    await audit.recordIn(db, change);
    assert.deepEqual([lines, counted], [[], []]);
    // As a server gives up one of two transactions that wait for each other.
    if (tries < 3) throw Object.assign(new Error('deadlock'), { code: '40P01' });
  });
  assert.equal(tries, 3);
  assert.deepEqual(
    (await stored()).map(({ kind, about }) => [kind, about]),
    [['group-added', 'staff']],
  );
  assert.deepEqual([lines.length, counted], [1, [['group-added', true]]]);
});

test('a change that fails leaves no event, no line and no count', async () => {
  await using opened = await open();
  const { database, audit, lines, counted, stored } = opened;
  const failing = inTransaction(database, async (db) => {
    await audit.recordIn(db, change);
    throw new Error('refused after all');
  });
  await assert.rejects(failing, /refused after all/);
  assert.deepEqual([await stored(), lines, counted], [[], [], []]);
});

test('no change is recorded outside a transaction', async () => {
  await using opened = await open();
  const { database, audit, stored } = opened;
  await assert.rejects(audit.recordIn(database, change), TypeError);
  await assert.rejects(audit.record(change as never), TypeError);
  assert.throws(() => audit.recordIfPossible(change as never), TypeError);
  assert.deepEqual(await stored(), [], 'not even its row');
});

const ofAnn = { kind: 'token-made', caller: { ...caller, address: '192.0.2.1' }, userId: 'ann' } as const;
const byHelper = { kind: 'user-renamed', caller: ofAnn.caller, userId: 'ann', actorId: 'helper' } as const;

const acts = [
  {
    title: 'of one kind by the owner of an account',
    act: ofAnn,
    others: [{ userId: 'bob' }, { kind: 'profile-changed' }],
    ...changeBounds.account,
  },
  {
    title: 'of one kind by an administrator',
    act: byHelper,
    others: [{ actorId: 'other' }, { kind: 'user-groups-changed' }],
    ...changeBounds.administrator,
  },
] as const;

for (const { title, act, others, burst, perMinute } of acts)
  test(`changes ${title} are refused beyond an allowance, with their events`, async () => {
    const clock = { time: Date.UTC(2026, 0, 1) };
    await using opened = await open({ now: () => clock.time, processes: 4 });
    const { database, audit, counted } = opened;
    const change = (event: AuditEvent) => inTransaction(database, (db) => audit.recordIn(db, event as typeof act));
    const isRefused = (error: unknown) => error instanceof ChangeRefused && error.code === 'too-many-changes';
    for (let made = 0; made < burst; made += 1) await change(act);
    await assert.rejects(change(act), isRefused);
    assert.throws(() => audit.requireAllowance(act), isRefused);
    for (const other of others) {
      audit.requireAllowance({ ...act, ...other });
      await change({ ...act, ...other });
    }
    await change({ ...act, caller: { route: 'janua users', operator: 'root' } });
    clock.time += minute;
    for (let made = 0; made < perMinute; made += 1) await change(act);
    await assert.rejects(change(act), isRefused);
    await audit.close();
    const kept = await opened.count();
    assert.deepEqual([kept, counted.length], [burst + others.length + 1 + perMinute, kept]);
  });

const neverRefused = [
  ...['token-ended', 'session-ended', 'sessions-ended', 'application-revoked', 'trust-ended'],
  ...['password-changed', 'factor-added', 'recovery-codes-renewed'],
] as const;

for (const kind of neverRefused)
  test(`${kind}: an owner is never refused, and the audit does not grow without end`, async () => {
    await using opened = await open();
    const { database, audit, counted } = opened;
    const ended = { ...ofAnn, kind };
    for (let made = 0; made < 70; made += 1) {
      audit.requireAllowance(ended);
      await inTransaction(database, (db) => audit.recordIn(db, ended));
    }
    assert.deepEqual([await opened.count(), counted.length], [changeBounds.account.burst, 70]);
  });

test('changes of many accounts of a network do not refuse each other', async () => {
  await using opened = await open();
  for (let made = 0; made < 4000; made += 1) opened.audit.requireAllowance({ ...ofAnn, userId: `user-${made}` });
});

test('of the notices of logouts that an application does not take, the events of a user are bounded', async () => {
  await using opened = await open();
  const given = { kind: 'logout-notice-failed', reason: 'too-many', userId: 'ann', caller } as const;
  for (let made = 0; made < 100; made += 1) await opened.audit.record(given);
  assert.equal(await opened.count(), 60);
});

test('an administrator is refused beyond the allowance, also where an owner would not be', async () => {
  await using opened = await open();
  const { database, audit } = opened;
  const ended = { ...byHelper, kind: 'sessions-ended' } as const;
  await inTransaction(database, async (db) => {
    for (let made = 0; made < changeBounds.administrator.burst; made += 1) await audit.recordIn(db, ended);
  });
  assert.throws(() => audit.requireAllowance(ended), ChangeRefused);
});

test('a change of many rows by an administrator takes an allowance for each thousand', async () => {
  await using opened = await open();
  const { database, audit } = opened;
  const changed = { kind: 'group-changed', caller, about: 'staff', actorId: 'helper' } as const;
  const record = (count: number) => inTransaction(database, (db) => audit.recordIn(db, { ...changed, count }));
  const { burst } = changeBounds.administrator;
  await record((burst - 2) * rowsOfToken);
  await record(0);
  // The last one may take more than is left.
  await record(60_000);
  assert.throws(() => audit.requireAllowance(changed), ChangeRefused);
});

test('of the mails that a change could not send, some events are left out, and the change is made', async () => {
  await using opened = await open();
  const { database, audit } = opened;
  const unsent = { ...ofAnn, kind: 'mail-not-sent', reason: 'too-many-waiting' } as const;
  for (let made = 0; made < 70; made += 1) await inTransaction(database, (db) => audit.recordIn(db, unsent, false));
  assert.equal(await opened.count(), 60);
});
