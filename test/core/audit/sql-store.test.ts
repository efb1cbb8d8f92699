import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import type { RecordedEvent } from '../../../src/core/audit/event.ts';
import {
  type AuditFilter,
  type AuditStore,
  createSqlAuditStore,
  type EventFilter,
} from '../../../src/core/audit/sql-store.ts';
import { removeInBatches } from '../../../src/ground/database/deletions.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { events } from '../../../src/site.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { missing } from '../../servers/missing.ts';
import { caller, plain, recorded } from './events.ts';

const start = Date.UTC(2026, 0, 1);

async function idsOf(store: AuditStore, filter: Partial<AuditFilter>): Promise<string[]> {
  const found = await Array.fromAsync(store.find({ order: 'oldest-first', ...filter }));
  return found.map(({ id }) => id);
}

const idOf = ({ id }: Pick<RecordedEvent, 'id'>) => id;

async function insertAll(store: AuditStore, events: readonly RecordedEvent[]): Promise<void> {
  for (let from = 0; from < events.length; from += 100) await store.insert(events.slice(from, from + 100));
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the audit store on ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const opened = await openMigrated(engine);
      return { ...opened, store: createSqlAuditStore(opened, events) };
    }

    test('returns an event exactly as it was inserted, whatever its characters', async () => {
      await using opened = await open();
      const event = recorded(start, {
        caller: { ...caller, userAgent: `a'b"c\\d%_! é 😀 ${'😀'.repeat(80)}` },
        nameDigest: 'A-_1'.repeat(5),
        sessionId: 's'.repeat(22),
        throttle: [{ kind: 'pair', failures: 3, waitSeconds: 4, stopped: false }],
        knownBrowser: false,
        count: 0,
      });
      const bare = recorded(start, { reason: undefined, userId: undefined, caller: { route: 'janua users add' } });
      await opened.store.insert([event, bare]);
      const found = await Array.fromAsync(opened.store.find({ order: 'oldest-first' }));
      assert.deepEqual(plain(found), plain([event, bare]));
      assert.deepEqual(plain(await opened.store.findByRequestId(caller.requestId)), plain([event]));
      // Even in a database whose character set lacks these characters.
      for (const row of await opened.database.selectFrom('janua_audit').select('event').execute())
        assert.match(row.event, /^[ -~]+$/);
      for (const id of ['', 'unknown', `${caller.requestId} `, caller.requestId.toUpperCase(), '\0', '%'])
        assert.deepEqual(await opened.store.findByRequestId(id), [], JSON.stringify(id));
    });

    test('stores the longest and the strangest values of an event', async () => {
      await using opened = await open();
      const long = '\0\uD800😀'.repeat(200);
      const texts = { requestId: long, address: long, userAgent: long, route: long, operator: long };
      const trace = { ...caller.trace, peer: long, forwardedFor: long, origin: long, fetchSite: long };
      const key = { kind: 'account', failures: 2 ** 53, waitSeconds: 1e300, stopped: true } as const;
      const event = recorded(start, {
        kind: 'cross-site-refused',
        reason: long,
        userId: 'é'.repeat(300),
        nameDigest: long,
        sessionId: long,
        throttle: Array(20).fill(key),
        caller: { ...texts, trace: { ...trace, expectedOrigins: Array(20).fill(long) } },
      });
      await opened.store.insert([event]);
      const found = await Array.fromAsync(opened.store.find({ order: 'oldest-first' }));
      assert.deepEqual(plain(found), plain([event]));
      assert.doesNotMatch(JSON.stringify(found), /\\u0000|\\ud800/);
    });

    test('inserts all events of a batch or none', async () => {
      await using opened = await open();
      const [one, other] = [recorded(start), recorded(start)];
      await opened.store.insert([one]);
      await assert.rejects(opened.store.insert([other, one]));
      assert.deepEqual(await idsOf(opened.store, {}), [one.id]);
    });

    test('finds events by time, kind, user, name and address, and by several at once', async () => {
      await using opened = await open();
      const { store } = opened;
      const digest = 'aB_d'.repeat(5);
      const ann = recorded(start, { userId: 'ann' });
      const typed = recorded(start + 1, { userId: undefined, nameDigest: digest, reason: 'unknown-user' });
      const away = recorded(start + 2, { userId: 'ann', kind: 'logged-out', caller: { ...caller, address: '::1' } });
      const forged = recorded(start + 3, {
        userId: 'bob',
        caller: { ...caller, address: 'a!b_%', userAgent: `"address":"::1","nameDigest":"${digest}"` },
      });
      await store.insert([ann, typed, away, forged]);
      const all = [ann, typed, away, forged].map(idOf);
      const cases: readonly (readonly [Partial<AuditFilter>, readonly RecordedEvent[]])[] = [
        [{ since: start + 1 }, [typed, away, forged]],
        [{ until: start + 1 }, [ann]],
        [{ since: start + 1, until: start + 3 }, [typed, away]],
        [{ since: start + 3, until: start + 1 }, []],
        [{ kind: 'logged-out' }, [away]],
        [{ userId: 'ann' }, [ann, away]],
        [{ userId: 'ANN' }, []],
        [{ userId: 'ann ' }, []],
        [{ nameDigest: digest }, [typed]],
        [{ nameDigest: digest.toLowerCase() }, []],
        [{ nameDigest: digest.replace('_', 'x') }, []],
        [{ userId: 'ann', nameDigest: digest }, [ann, typed, away]],
        [{ address: '203.0.113.7' }, [ann, typed]],
        [{ address: '::1' }, [away]],
        [{ address: 'a!b_%' }, [forged]],
        [{ address: '%' }, []],
        [{ requestId: caller.requestId }, [ann, typed, away, forged]],
        [{ requestId: caller.requestId, kind: 'logged-out' }, [away]],
        [{ requestId: `${caller.requestId} ` }, []],
        [{ kind: 'logged-out', address: '203.0.113.7' }, []],
        [{ address: "' or 1=1 --" }, []],
        [{ userId: 'ann', address: '203.0.113.7', kind: 'login-failed', since: start }, [ann]],
      ];
      for (const [filter, expected] of cases) {
        assert.deepEqual(await idsOf(store, filter), expected.map(idOf), JSON.stringify(filter));
        const page = await store.findPage(filter, 9, undefined);
        assert.deepEqual(page.events.map(idOf), expected.map(idOf).toReversed(), JSON.stringify(filter));
        assert.equal(page.next, undefined);
      }
      assert.deepEqual(await idsOf(store, { order: 'newest-first' }), all.toReversed());
      assert.deepEqual(await idsOf(store, { order: 'newest-first', limit: 3 }), all.slice(1).toReversed());
      assert.deepEqual(await idsOf(store, { limit: 2, userId: 'ann' }), [ann, away].map(idOf));
      assert.deepEqual(await idsOf(store, { limit: 0 }), []);
    });

    test('finds events in both orders across several batches, including rare ones', async () => {
      await using opened = await open();
      const { store } = opened;
      // Exactly three full batches: the last batch ends where the table ends. Many events share a millisecond.
      const events = Array.from({ length: 3000 }, (_, index) =>
        recorded(start + Math.floor(index / 10), { userId: index % 1500 === 7 ? 'rare' : 'user-1' }),
      );
      await insertAll(store, events);
      const all = events.map(idOf);
      const rare = [all[7], all[1507]];
      assert.deepEqual(await idsOf(store, {}), all);
      assert.deepEqual(await idsOf(store, { order: 'newest-first' }), all.toReversed());
      assert.deepEqual(await idsOf(store, { userId: 'rare' }), rare);
      assert.deepEqual(await idsOf(store, { userId: 'rare', order: 'newest-first' }), rare.toReversed());
      const lonely = recorded(start + 1000);
      await store.insert([lonely]);
      assert.deepEqual(await idsOf(store, {}), [...all, lonely.id]);
      assert.deepEqual((await idsOf(store, { order: 'newest-first' })).length, 3001);
    });

    test('gives pages, and looks at no more rows for a page than it may', async () => {
      await using opened = await open();
      const { store } = opened;
      const events = Array.from({ length: 10_010 }, (_, index) =>
        recorded(start + index, {
          userId: index < 5 ? 'rare' : 'user-1',
          caller: { ...caller, address: index === 4 || index === 7000 ? '192.0.2.1' : caller.address },
        }),
      );
      await insertAll(store, events);
      const ids = events.map(idOf);
      async function pagesOf(filter: EventFilter, limit: number): Promise<string[][]> {
        const pages: string[][] = [];
        let after: string | undefined;
        do {
          const page = await store.findPage(filter, limit, after);
          pages.push(page.events.map(idOf));
          after = page.next;
        } while (after !== undefined);
        return pages;
      }
      assert.deepEqual(
        (await pagesOf({}, 5005)).map((page) => page.length),
        [5005, 5005],
      );
      assert.deepEqual((await pagesOf({}, 200)).flat(), ids.toReversed());
      assert.deepEqual(await pagesOf({ userId: 'rare' }, 3), [
        [ids[4], ids[3], ids[2]],
        [ids[1], ids[0]],
      ]);
      // No index has the address: the second event is beyond the rows of the first page.
      assert.deepEqual(await pagesOf({ address: '192.0.2.1' }, 3), [[ids[7000]], [ids[4]]]);
      assert.deepEqual(await pagesOf({ address: '192.0.2.1' }, 1), [[ids[7000]], [ids[4]]]);
      assert.deepEqual(await pagesOf({ address: '192.0.2.1', userId: 'rare' }, 1), [[ids[4]]]);
      if (opened.engine !== 'sqlite') return;
      let turns = 0;
      let isOver = false;
      const others = (async () => {
        for (; !isOver; turns += 1) await setImmediate();
      })();
      await store.findPage({ address: '192.0.2.9' }, 3, undefined);
      isOver = true;
      await others;
      assert.ok(turns >= 5, `others have ${turns} turns while a page is compared`);
      assert.deepEqual(await pagesOf({ address: '192.0.2.1', until: start + 7000 }, 1), [[ids[4]]]);
    });

    test('returns an unreadable row as unreadable, among the readable ones', async () => {
      await using opened = await open();
      const { store, database } = opened;
      const events = [recorded(start), recorded(start + 1), recorded(start + 2), recorded(start + 3)];
      await store.insert(events);
      const [one, other, third] = events.map(idOf);
      for (const [id, text] of [
        [other, '{"kind":"login-fai'],
        [third, '{"kind":"of-a-newer-version","caller":{"route":"GET /"}}'],
      ] as const)
        await database.updateTable('janua_audit').set({ event: text }).where('id', '=', String(id)).execute();
      await sql`update janua_audit set at = 9000000000000000 where id = ${one}`.execute(database);
      const found = await store.findByRequestId(caller.requestId);
      assert.deepEqual(found.slice(0, 3), [
        { id: one, at: '', unreadable: true },
        { id: other, at: '2026-01-01T00:00:00.001Z', unreadable: true },
        { id: third, at: '2026-01-01T00:00:00.002Z', unreadable: true },
      ]);
      assert.deepEqual(await idsOf(store, {}), events.map(idOf));
    });

    test('removes the oldest events in small batches, and keeps the rest', async () => {
      await using opened = await open();
      const { store } = opened;
      const events = Array.from({ length: 12 }, (_, index) => recorded(start + index));
      await store.insert(events);
      assert.equal(await store.removeBefore(start + 10, 4), 4);
      assert.deepEqual(await idsOf(store, {}), events.slice(4).map(idOf));
      assert.equal(await store.removeBefore(start + 10, 6), 6);
      assert.equal(await store.removeBefore(start + 10, 6), 0);
      assert.deepEqual(await idsOf(store, {}), events.slice(10).map(idOf));
    });

    test('is cleaned in as many batches as it takes', async () => {
      await using opened = await open();
      const { store } = opened;
      const events = Array.from({ length: 1100 }, (_, index) => recorded(start + index));
      await insertAll(store, events);
      await removeInBatches((limit) => store.removeBefore(start + 1050, limit));
      assert.deepEqual(await idsOf(store, {}), events.slice(1050).map(idOf));
    });
  });
}
