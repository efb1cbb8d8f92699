import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createOverview, type Range } from '../../../src/capabilities/admin/overview.ts';
import type { AuditEvent } from '../../../src/core/audit/event.ts';
import { createSqlAuditStore } from '../../../src/core/audit/sql-store.ts';
import { mostMails } from '../../../src/core/mail/limits.ts';
import { stampOf } from '../../../src/core/users/account.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { events } from '../../../src/site.ts';
import { recorded } from '../../core/audit/events.ts';
import { queueOf } from '../../core/mail/post-office.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { ann, caller, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { signInWith } from './administrator.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the overview in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      const auditTrail = createSqlAuditStore(opened, events);
      let time = Date.UTC(2026, 10, 26, 10, 30);
      let sessions = 0;
      const create = (check = async () => {}) =>
        createOverview({
          ...{ database: opened.database, auditTrail, countSessions: async () => sessions, now: () => time },
          ...{ stores: [['Redis', check]], checkUp: async () => [] },
        });
      const overview = create();
      return {
        overview,
        /** Of another process. */
        create,
        database: opened.database,
        pass(milliseconds: number) {
          time += milliseconds;
        },
        start(count: number) {
          sessions = count;
        },
        async happens(kind: string, count = 1, ago = 0, event: Partial<AuditEvent> = {}) {
          const list = Array.from({ length: count }, () => recorded(time - ago, { kind, reason: undefined, ...event }));
          await auditTrail.insert(list);
        },
        async totals(range: Range = '24h') {
          const { series } = await overview.read(range);
          return Object.fromEntries(series.map(({ name, totals }) => [name, totals[range]]));
        },
        async bars(name: string, range: Range): Promise<string> {
          const { series } = await overview.read(range);
          return (
            series
              .find((one) => one.name === name)
              ?.points.map(({ count }) => count)
              .join(' ') ?? ''
          );
        },
        [Symbol.asyncDispose]: opened[Symbol.asyncDispose],
      };
    }

    test('counts each event once, before and after upkeep', async () => {
      await using opened = await open();
      const { overview, happens, pass, totals } = opened;
      const nothing = { sign_ins: 0, failures: 0, throttled: 0, new_accounts: 0, mails: 0, sessions: 0 };
      assert.deepEqual(await totals(), nothing);
      pass(1000);
      await happens('login-succeeded', 3);
      await happens('login-failed', 2);
      await happens('second-factor-failed');
      await happens('login-throttled', 4);
      await happens('signed-up');
      await happens('mail-sent', 5);
      await happens('logged-out', 7);
      const expected = { sign_ins: 3, failures: 3, throttled: 4, new_accounts: 1, mails: 5, sessions: 0 };
      assert.deepEqual(await totals(), expected);
      for (let times = 0; times < 15; times += 1) {
        pass(10 * minute);
        await overview.count();
        assert.deepEqual(await totals(), expected);
      }
    });

    test('is read once a second, however many ask for it', async () => {
      await using opened = await open();
      let reads = 0;
      const overview = opened.create(async () => {
        reads += 1;
      });
      const readAll = () => Promise.all(Array.from({ length: 50 }, () => overview.read('24h')));
      await readAll();
      assert.equal(reads, 1);
      opened.pass(1000);
      await readAll();
      assert.equal(reads, 2);
    });

    test('counts each event once if many processes do it at the same time', async () => {
      await using opened = await open();
      const { create, happens, pass, totals } = opened;
      await Promise.all([create(), create(), create()].map((one) => one.count()));
      await happens('login-succeeded', 9);
      pass(2 * hour);
      await Promise.all([create(), create(), create()].map((one) => one.count()));
      assert.equal((await totals()).sign_ins, 9);
    });

    test('shows the hours of a day, and the days of a week and a month', async () => {
      await using opened = await open();
      const { happens, bars, totals, pass, overview, database } = opened;
      await happens('login-succeeded', 1, 0);
      await happens('login-succeeded', 2, 31 * minute);
      await happens('login-succeeded', 3, 23 * hour);
      await happens('login-succeeded', 4, 6 * day);
      await happens('login-succeeded', 5, 29 * day);
      await happens('login-succeeded', 6, 31 * day);
      assert.equal(await bars('sign_ins', '24h'), `3${' 0'.repeat(21)} 2 1`);
      assert.equal(await bars('sign_ins', '7d'), '4 0 0 0 0 3 3');
      assert.equal(await bars('sign_ins', '30d'), `5${' 0'.repeat(22)} 4 0 0 0 0 3 3`);
      assert.equal((await totals('30d')).sign_ins, 15);
      const stored = async () => (await database.selectFrom('janua_counts').selectAll().execute()).length;
      const before = await stored();
      pass(40 * day);
      await overview.count();
      assert.ok((await stored()) < before, 'counts that no chart shows are removed');
      assert.equal((await totals('30d')).sign_ins, 0);
    });

    test('counts imported users, and events that were left out of the audit', async () => {
      await using opened = await open();
      await opened.happens('users-imported', 2, 0, { count: 100_000 });
      await opened.happens('events-left-out', 1, 0, { count: 70, reason: 'login-failed' });
      await opened.happens('events-left-out', 1, 0, { count: 3, reason: 'no-credential' });
      const { new_accounts: accounts, failures } = await opened.totals();
      assert.deepEqual([accounts, failures], [200_000, 70]);
      opened.pass(hour);
      await opened.overview.count();
      assert.deepEqual((await opened.totals()).failures, 70);
    });

    test('shows how many sessions there are, and how many there were', async () => {
      await using opened = await open();
      for (const count of [4, 9, 2]) {
        opened.start(count);
        await opened.overview.count();
        opened.pass(hour);
      }
      assert.equal(await opened.bars('sessions', '24h'), `${'0 '.repeat(20)}4 9 2 2`);
      assert.equal((await opened.totals('7d')).sessions, 2);
      assert.equal(await opened.bars('sessions', '7d'), '0 0 0 0 0 0 9');
    });
  });
}

test('the overview says that so many mails wait that requests are soon dropped', async () => {
  const settings = {
    MAIL_URL: 'smtp://127.0.0.1:1',
    MAIL_FROM: 'no-reply@example.com',
    PUBLIC_URL: 'http://localhost:5000',
  };
  await using janua = await startJanua({ settings, overrides: { demoMailbox: false } });
  const headers = await signInWith(janua, 'audit:read');
  const rows = Array.from({ length: mostMails.ofStrangers * 0.8 }, (_, index) => ({
    ...{ id: `mail-${index}`, purpose: 'sign-up', address: 'x@example.com', language: 'en', details: '{}' },
    ...{ created_at: 0, due_at: Date.now() + 3600_000, expires_at: Date.now() + 3600_000, stranger: 1 },
  }));
  await insertAll(janua.services.database, 'janua_mails', rows);
  const { body } = await janua.get('/admin', headers);
  assert.match(body, /8000 mails wait\. From 10000 on, Janua drops requests for mail\./);
});

test('the overview and the home page say that the mail server takes no mail', async () => {
  const settings = {
    MAIL_URL: 'smtp://127.0.0.1:1',
    MAIL_FROM: 'no-reply@example.com',
    PUBLIC_URL: 'http://localhost:5000',
  };
  await using janua = await startJanua({ settings, overrides: { demoMailbox: false } });
  const { mail } = janua.services;
  await queueOf(janua.services).add({ purpose: 'sign-up', address: 'eve@example.com', language: 'en' });
  await mail?.settled();
  const headers = await signInWith(janua, 'audit:read');
  const ask = async (url: string) => (await janua.get(url, headers)).body;
  const wrong = JSON.parse(await ask('/api/admin')).findings.filter(
    ({ state }: { state: string }) => state === 'wrong',
  );
  assert.deepEqual([wrong.length, wrong[0]?.check], [1, 'mail']);
  assert.match(wrong[0]?.message, /^The mail server has taken no mail since 2/);
  assert.match(wrong[0]?.fix, /^\.\/bin\/janua mail list .* \.\/bin\/janua mail retry\.$/);
  process.env.JANUA_COMMAND = 'janua-admin';
  try {
    const page = await ask('/admin');
    assert.match(
      page,
      /The mail server has taken no mail since .*<small>janua-admin mail list .* janua-admin mail retry\./,
    );
    assert.match(page, /The command janua-admin doctor checks more\./);
  } finally {
    delete process.env.JANUA_COMMAND;
  }
  assert.match(await ask('/auth/home'), /2 checks of the server need attention/);
});

test('the page and the API tell the same, and name what is wrong', async () => {
  await using janua = await startJanua({
    settings: { PUBLIC_URL: 'http://janua.example.com', ALLOW_PLAIN_HTTP: 'on' },
  });
  const { administration, users, sessions, audit } = janua.services;
  await administration.changeGroups(ann.username, { add: ['admins'] });
  const account = await users.findByUsername(ann.username);
  assert.ok(account);
  const started = await sessions.start({ userId: account.user.id, stamp: stampOf(account) }, { methods: ['pwd'] });
  await audit.record({ kind: 'login-succeeded', caller });
  const headers = { cookie: `session=${started.cookie}` };
  const ask = (url: string) => janua.get(url, headers);
  const { series, stores, findings } = (await ask('/api/admin')).json();
  const totals = Object.fromEntries(series.map((one: { name: string; totals: object }) => [one.name, one.totals]));
  assert.deepEqual(totals.sign_ins, { '24h': 1, '7d': 1, '30d': 1 });
  assert.deepEqual(totals.sessions, { '24h': 1, '7d': 1, '30d': 1 });
  assert.deepEqual(
    stores.map((store: { name: string; available: boolean }) => [store.name, store.available]),
    [['The database', true]],
  );
  assert.match(JSON.stringify(findings), /"state":"warning","message":"Over plain http, passwords/);
  const page = await ask('/admin?range=7d');
  assert.equal(page.statusCode, 200);
  assert.equal(page.body.match(/<svg/g)?.length, series.length);
  assert.equal(page.body.match(/<rect/g)?.length, 7 * series.length);
  assert.match(page.body, /Over plain http, passwords/);
  for (const range of ['1h', '__proto__', 'toString', '7d&range=24h'])
    assert.equal((await ask(`/api/admin?range=${range}`)).statusCode, 400, range);
});
