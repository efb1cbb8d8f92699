import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import { type ChangeBy, createChanges } from '../../../src/core/changes/change.ts';
import { type ChangeKind, changeRules } from '../../../src/core/changes/change-rules.ts';
import { createMailer } from '../../../src/core/mail/mailer.ts';
import { mergedNotices } from '../../../src/core/mail/notice.ts';
import { createOutbox } from '../../../src/core/mail/outbox.ts';
import { createQueue } from '../../../src/core/mail/queue.ts';
import { createSessions } from '../../../src/core/sessions/sessions.ts';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import { createUnthrottled } from '../../../src/core/throttle/throttle.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { tooManyChanges } from '../../../src/core/users/change-refused.ts';
import { AccountChanged, createHold, provedBy } from '../../../src/core/users/held.ts';
import { parseMapping } from '../../../src/core/users/source/mapping.ts';
import type { Database } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { onCommit } from '../../../src/ground/database/transaction.ts';
import { openMigrated, type TestDatabase } from '../../ground/database/open.ts';
import { insertSample, keyOf } from '../../ground/database/sample-rows.ts';
import { ann, caller } from '../../janua.ts';
import { takeTurnAtOnce } from '../passwords/in-turn.ts';
import { openOwnAccounts, openPeople } from '../users/directories.ts';

/** What a change may end. */
const ending = ['janua_tokens', 'janua_trusted_browsers', 'janua_pending_logins', 'janua_access_tokens'] as const;

const limits = { idleTimeoutSeconds: 60, lifetimeSeconds: 60 };

async function openOwnTable(opened: TestDatabase) {
  await sql
    .raw('create table people (no integer primary key, email text collate nocase unique, secret text)')
    .execute(opened.database);
  await sql`insert into people values (1, ${ann.username}, 'hash')`.execute(opened.database);
  const mapping = parseMapping('people', 'id=no,username=email,password=secret');
  assert.ok(mapping);
  return (await openPeople(opened, mapping)).users;
}

async function openWithAnn(opened: TestDatabase) {
  const users = openOwnAccounts(opened);
  await users.add({ ...ann, passwordHash: 'hash', demo: false });
  return users;
}

const directories = { "Janua's own accounts": openWithAnn, "a team's own table": openOwnTable };

/** Ann with two sessions, and one of all that a change may end. */
async function open(openDirectory: (opened: TestDatabase) => ReturnType<typeof openOwnTable> = openWithAnn) {
  const opened = await openMigrated();
  const { database } = opened;
  const users = await openDirectory(opened);
  const read = async () => {
    const account = await users.adoptByUsername(ann.username);
    assert.ok(account);
    return account;
  };
  const { hold, holdAny } = createHold(database, users, undefined);
  const account = await read();
  const { id } = account.user;
  const store = createSqlSessionStore(opened);
  const sessions = createSessions({ store, ...limits, remembered: limits });
  const purposes = Object.values(changeRules).flatMap(({ notice = [] }) => notice);
  const descriptions = Object.fromEntries(
    purposes.map((purpose) => [purpose, { limit: mergedNotices, keepSeconds: 60 }]),
  );
  const common = { database, engine: opened.engine, descriptions, now: Date.now };
  const outbox = createOutbox(common);
  const queue = createQueue({ ...common, onAdded() {} });
  const events: AuditEvent[] = [];
  const lifted: string[] = [];
  const faults: unknown[] = [];
  const audit = {
    record: async () => {},
    recordIfPossible: async () => {},
    requireAllowance({ caller: { route } }: AuditEvent) {
      if (route === 'too often') throw tooManyChanges();
    },
    recordIn: async (db: Database, event: AuditEvent) => onCommit(db, () => events.push(event)),
    digestName: (name: string) => name,
  };
  const mailer = createMailer({ ...common, queue, throttle: createUnthrottled(takeTurnAtOnce), audit });
  const changes = createChanges({
    ...{ hold, holdAny, users, sessions, mailer, audit },
    liftFailures: async (user) => lifted.push(user.id),
    log: { error: (details) => void faults.push(details) },
  });
  for (const table of ending)
    for (const user_id of [id, 'another'])
      await insertSample(database, table, { user_id, [keyOf(table)]: user_id, stamp: stampOf(account) });
  const session = await sessions.start(provedBy(account), { methods: ['pwd'] });
  const other = await sessions.start(provedBy(account), { methods: ['pwd'] });
  const ownersIn = async (table: (typeof ending)[number]) =>
    (await database.selectFrom(table).select('user_id').orderBy('user_id').execute()).map(({ user_id }) => user_id);
  /** Whether the row of the user is there. That of another user always is. */
  async function isLeft(table: (typeof ending)[number]) {
    const owners = await ownersIn(table);
    assert.ok(owners.includes('another'), table);
    return owners.includes(id);
  }
  return {
    ...{ ...changes, users, read, account, id, sessions, session, other, outbox, events, lifted, faults },
    /** What is left after a change. */
    async left() {
      const found = (await sessions.listOf(id, undefined)).map((one) => one.id);
      return {
        stamp: stampOf(await read()) === stampOf(account),
        links: await isLeft('janua_tokens'),
        trust: await isLeft('janua_trusted_browsers'),
        waiting: await isLeft('janua_pending_logins'),
        tokens: await isLeft('janua_access_tokens'),
        sessions: [session, other].map((one) => found.includes(one.id)),
        failures: lifted.length === 0,
        notices: (await outbox.listOf(account.user)).map(({ purpose }) => purpose),
      };
    },
    [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
  };
}

type Left = Awaited<ReturnType<Awaited<ReturnType<typeof open>>['left']>>;

const all: Omit<Left, 'sessions'> = {
  ...{ stamp: true, links: true, trust: true, waiting: true, tokens: true, failures: true },
  notices: [],
};
const none = { stamp: false, links: false, trust: false, waiting: false } as const;

/** What each change leaves, besides sessions, and whether they end. Written out, so that a changed rule is noticed. */
const expected: Readonly<Record<ChangeKind, Omit<Left, 'sessions'> & { readonly ends: boolean }>> = {
  'password-changed': { ...all, ...none, failures: false, notices: ['password-changed'], ends: true },
  'password-reset': { ...all, ...none, failures: false, tokens: false, notices: ['password-reset'], ends: true },
  'password-set': { ...all, ...none, failures: false, tokens: false, ends: true },
  'password-changed-elsewhere': { ...all, ...none, tokens: false, ends: true },
  'user-renamed-elsewhere': { ...all, links: false, notices: ['email-changed'], ends: false },
  'user-disabled-elsewhere': { ...all, ...none, tokens: false, ends: true },
  'signed-up': { ...all, ...none, ends: false },
  'factor-added': { ...all, ...none, notices: ['factors-changed'], ends: true },
  'factor-removed': { ...all, ...none, notices: ['factors-changed'], ends: true },
  'recovery-codes-renewed': { ...all, ...none, notices: ['factors-changed'], ends: true },
  'factors-removed': { ...all, ...none, tokens: false, notices: ['factors-changed'], ends: true },
  'identity-linked': { ...all, ...none, notices: ['sign-in-methods-changed'], ends: true },
  'identity-unlinked': { ...all, ...none, notices: ['sign-in-methods-changed'], ends: true },
  'email-changed': { ...all, links: false, notices: ['email-changed'], ends: false },
  'address-verified': { ...all, ends: false },
  'address-verified-upstream': { ...all, ends: false },
  'profile-changed': { ...all, ends: false },
  'user-renamed': { ...all, ends: false },
  'user-handle-changed': { ...all, ends: false },
  'user-claims-changed': { ...all, ends: false },
  'handle-chosen': { ...all, ends: false },
  'user-email-changed': { ...all, ...none, tokens: false, notices: ['email-changed'], ends: true },
  'user-groups-changed': { ...all, ends: false },
  'user-enabled': { ...all, ends: false },
  'user-disabled': { ...all, ...none, tokens: false, ends: true },
  'sessions-ended': { ...all, ...none, tokens: false, notices: ['sessions-ended'], ends: true },
  'user-removed': { ...all, failures: false, ends: true },
  'account-deleted': { ...all, failures: false, notices: ['account-deleted'], ends: true },
};

for (const [name, openDirectory] of Object.entries(directories))
  describe(`a change in ${name}`, () => {
    for (const [kind, { ends, ...left }] of Object.entries(expected) as [ChangeKind, (typeof expected)[ChangeKind]][])
      test(`${kind} gives ${left.stamp ? 'no' : 'a'} new stamp, and ends what belongs to it`, async () => {
        for (const byOwner of [false, true]) {
          await using opened = await open(openDirectory);
          const { change, changeAny, account, id, session, sessions, events, faults, read } = opened;
          const by: ChangeBy = { caller, ...(byOwner && { session }) };
          const event = { kind, about: (made: string) => `made ${made}` };
          const work = async () => 'it';
          const changed = byOwner
            ? await change(event, provedBy(account), by, work)
            : await changeAny(event, id, by, work);
          assert.equal(changed.made, 'it');
          const goesOn = !ends || (byOwner && !left.stamp);
          assert.deepEqual(await opened.left(), { ...left, sessions: [goesOn, !ends] });
          assert.deepEqual(
            events.map(({ kind, userId, about }) => [kind, userId, about]),
            [[kind, id, 'made it']],
          );
          assert.deepEqual(faults, []);
          assert.equal(changed.renewed !== undefined, byOwner && !left.stamp);
          if (changed.renewed === undefined) continue;
          assert.deepEqual(changed.renewed.account, await read());
          const renewed = (await sessions.listOf(id, stampOf(await read()))).map((one) => one.id);
          assert.deepEqual(renewed, [session.id], 'the session carries the new stamp');
          assert.notEqual(changed.renewed.session.cookie, session.cookie);
          assert.deepEqual(changed.renewed.session.methods, session.methods, 'the change itself proves no method');
        }
      });

    test('that fails leaves everything, and no event', async () => {
      await using opened = await open(openDirectory);
      const { changeAny, account, id, events } = opened;
      const failing = changeAny({ kind: 'password-reset' }, id, { caller }, async (held) => {
        await opened.users.renewStamp(held);
        throw new Error('the change failed');
      });
      await assert.rejects(failing, /the change failed/);
      assert.deepEqual(await opened.left(), { ...all, sessions: [true, true] });
      assert.deepEqual([events, stampOf(await opened.read())], [[], stampOf(account)]);
    });

    test('of several with the same proof at the same time is made once, if it gives a new stamp', async () => {
      await using opened = await open(openDirectory);
      const { change, account, events } = opened;
      let made = 0;
      const attempts = Array.from({ length: 8 }, () =>
        change({ kind: 'factor-added' }, provedBy(account), { caller }, async () => {
          made += 1;
        }),
      );
      const results = await Promise.allSettled(attempts);
      const refused = results.filter((result) => result.status === 'rejected');
      assert.equal(refused.length, 7);
      for (const { reason } of refused) assert.ok(reason instanceof AccountChanged);
      assert.deepEqual([made, events.length], [1, 1]);
    });

    test('that is one too many is refused before its work', async () => {
      await using opened = await open(openDirectory);
      const { change, changeAny, account, id } = opened;
      const by = { caller: { ...caller, route: 'too often' } };
      const refused = { code: 'too-many-changes' };
      const work = async () => assert.fail('it was done');
      await assert.rejects(change({ kind: 'password-changed' }, provedBy(account), by, work), refused);
      await assert.rejects(changeAny({ kind: 'user-enabled' }, id, by, work), refused);
    });

    for (const store of ['sessions', 'failures'])
      test(`is made, and logged, if the store of the ${store} fails afterwards`, async ({ mock }) => {
        await using opened = await open(openDirectory);
        const { change, account, session, sessions, faults, read, lifted } = opened;
        const fail = () => Promise.reject(new Error('gone'));
        if (store === 'sessions')
          for (const step of ['endOthersOf', 'renew'] as const) mock.method(sessions, step, fail);
        else Object.assign(lifted, { push: fail });
        const by = { caller, session };
        const changed = await change({ kind: 'password-changed' }, provedBy(account), by, async () => 'made');
        assert.deepEqual([changed.made, changed.renewed !== undefined], ['made', store === 'failures']);
        assert.notEqual(stampOf(await read()), stampOf(account));
        assert.deepEqual([faults.length, lifted.length], store === 'sessions' ? [2, 1] : [1, 0]);
      });
  });
