import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createAudit } from '../../../src/core/audit/audit.ts';
import type { RecordedEvent } from '../../../src/core/audit/event.ts';
import { createSqlAuditStore } from '../../../src/core/audit/sql-store.ts';
import { changeRules } from '../../../src/core/changes/change-rules.ts';
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

async function open() {
  const opened = await openMigrated();
  const lines: object[] = [];
  const counted: [string, boolean][] = [];
  const store = createSqlAuditStore(opened, events);
  const write = (details: object) => void lines.push(details);
  const audit = createAudit({
    ...{ events, store, log: { info: write, warn: write }, nameKey: Buffer.alloc(32) },
    onEvent: (event, isRecorded) => counted.push([event.kind, isRecorded]),
  });
  const stored = async () => (await Array.fromAsync(store.find({ order: 'oldest-first' }))) as RecordedEvent[];
  return { ...opened, audit, lines, counted, stored };
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

test('the changes of a holder of an account are bounded, and what is left out is counted', async () => {
  await using opened = await open();
  const { database, audit, stored } = opened;
  const token = { kind: 'token-made', caller: { ...caller, address: '192.0.2.1' }, userId: 'ann' } as const;
  for (let made = 0; made < 70; made += 1) await inTransaction(database, (db) => audit.recordIn(db, token));
  await audit.close();
  const kinds = (await stored()).map(({ kind, count }) => (kind === 'events-left-out' ? `${kind} ${count}` : kind));
  assert.deepEqual([kinds.filter((kind) => kind === 'token-made').length, kinds.at(-1)], [60, 'events-left-out 10']);
});
