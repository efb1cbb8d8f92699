import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { outsideLimits } from '../../../../src/capabilities/oidc/clients/guarded-fetch.ts';
import { outsidePart } from '../../../../src/capabilities/oidc/clients/outside-thread.ts';
import { mostDue } from '../../../../src/capabilities/oidc/logout/logout-notices.ts';
import { removeExpired } from '../../../../src/ground/database/deletions.ts';
import { insertAll } from '../../../../src/ground/database/insert-new.ts';
import { migrate } from '../../../../src/ground/database/migrations.ts';
import { Unavailable } from '../../../../src/ground/faults/unavailable.ts';
import { openMigrated, openTestDatabase, type TestDatabase } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import { createTemporaryFolder } from '../../../servers/process-end.ts';
import type { UserEngine } from '../../../stores.ts';
import { openNotices, startReceiver } from '../notices.ts';

const start = Date.UTC(2026, 10, 26);
const day = 86_400_000;
const subject = '1b4e28ba-2fa1-41d2-883f-0016d3cca427';
const notice = (sessionId: string, clientId = 'a') => ({
  sessionId,
  clientId,
  subject,
  sid: `${sessionId}-${clientId}`,
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[]) {
  describe(`notices of logouts in ${engine}`, { skip: missing(engine) }, () => {
    let opened: TestDatabase;
    before(async () => {
      opened = await openMigrated(engine);
    });
    after(() => opened[Symbol.asyncDispose]());

    /** Empty tables, a receiver, and processes that have started. The session `s1` lives, and so do others that are added to `alive`. */
    async function open() {
      const { database } = opened;
      for (const table of ['janua_logout_notices', 'janua_subjects', 'janua_leases'] as const)
        await database.deleteFrom(table).execute();
      const receiver = await startReceiver();
      const alive = new Set(['s1']);
      const clock = { now: start };
      const closing = new AsyncDisposableStack();
      closing.use(receiver);
      const create = () =>
        openNotices({ database, url: receiver.url, isAlive: (id) => alive.has(id), now: () => clock.now });
      function startProcess() {
        const notices = create();
        closing.defer(() => notices.close());
        notices.start();
        return notices;
      }
      const rows = () => database.selectFrom('janua_logout_notices').selectAll().orderBy('id').execute();
      return {
        database,
        receiver,
        alive,
        clock,
        create,
        startProcess,
        rows,
        [Symbol.asyncDispose]: () => closing[Symbol.asyncDispose](),
      };
    }

    test('go out once when the session has ended, and not before', async () => {
      await using opening = await open();
      const { receiver, alive, rows, startProcess } = opening;
      const notices = startProcess();
      for (const one of [notice('s1'), notice('s1', 'b'), notice('s1')]) await notices.expect(one);
      await Promise.all([notices.expect(notice('s1')), notices.expect(notice('s1'))]);
      assert.equal((await rows()).length, 2);
      notices.checkNow({ sessionId: 's1' });
      await notices.settled();
      assert.equal(receiver.received.length, 0);
      alive.clear();
      notices.checkNow({ sessionId: 's2' });
      await notices.settled();
      assert.equal(receiver.received.length, 0);
      notices.checkNow({ sessionId: 's1' });
      await notices.settled();
      const sent = receiver.received.toSorted((one, other) => one.sid.localeCompare(other.sid));
      assert.deepEqual(
        sent,
        ['a', 'b'].map((clientId) => ({ clientId, subject, sid: `s1-${clientId}` })),
      );
      assert.deepEqual([await rows(), notices.lines, notices.events], [[], [], []]);
    });

    test('go out for all ended sessions of a user, who is known by the subject', async () => {
      await using opening = await open();
      const { receiver, database, startProcess } = opening;
      await database.insertInto('janua_subjects').values({ id: 'x', subject, user_id: 'ann' }).execute();
      const notices = startProcess();
      await notices.settled();
      for (const one of [notice('s1'), notice('s2'), notice('s3'), { ...notice('s4'), subject: 'another' }])
        await notices.expect(one);
      notices.checkNow({ sessionId: 's1', userId: 'ann' });
      await notices.settled();
      assert.deepEqual(receiver.sids().sort(), ['s2-a', 's3-a']);
    });

    test('go out though another process ended the session, or it expired, or this process was killed', async () => {
      await using opening = await open();
      const { receiver, create, startProcess, alive, clock } = opening;
      const gone = create();
      for (let index = 0; index < 1_100; index += 1) alive.add(`session-${index}`);
      for (const id of [...alive]) await gone.expect(notice(id, `client-${id}`));
      const notices = startProcess();
      await notices.settled();
      assert.equal(receiver.received.length, 0);
      for (const index of [0, 77, 1_099]) alive.delete(`session-${index}`);
      clock.now += 30_000;
      startProcess();
      await receiver.waitFor(3);
      assert.deepEqual(
        receiver.received.map(({ clientId }) => clientId).sort(),
        [0, 1_099, 77].map((index) => `client-session-${index}`),
      );
    });

    test('are sent again with growing pauses, for a day, and are then given up', async () => {
      await using opening = await open();
      const { receiver, alive, rows, startProcess, clock } = opening;
      alive.clear();
      receiver.direct((_notice, response) => response.writeHead(500).end());
      const notices = startProcess();
      await notices.settled();
      await notices.expect(notice('s1'));
      notices.checkNow({ sessionId: 's1' });
      await notices.settled();
      const pauses: number[] = [];
      for (let count = 1; (await rows()).length > 0; count += 1) {
        assert.equal(receiver.received.length, count);
        const [row] = await rows();
        pauses.push(Number(row?.due_at) - clock.now);
        assert.equal(await removeExpired(opened.database, 'janua_logout_notices', clock.now + 2 * day), 0);
        clock.now += (pauses.at(-1) ?? 0) - 1;
        await notices.settled();
        assert.equal(receiver.received.length, count);
        clock.now += 1;
        await notices.settled();
      }
      assert.deepEqual(pauses.slice(0, 6), [5_000, 30_000, 120_000, 600_000, 3_600_000, 3_600_000]);
      assert.ok(clock.now - start >= day && clock.now - start < day + 3_600_000);
      const caller = { route: 'logout-notice' };
      const userId = `user of ${subject}`;
      assert.deepEqual(notices.events, [
        {
          kind: 'logout-notice-failed',
          reason: undefined,
          sessionId: 's1',
          about: 'a',
          aboutName: 'Client a',
          userId,
          caller,
        },
      ]);
      const line = { event: 'logout_notice_failed', clientId: 'a', sessionId: 's1', reason: 'status 500' };
      assert.deepEqual(notices.lines, [line, line]);
    });

    test('reach the other applications while one does not answer', async () => {
      await using opening = await open();
      const { receiver, rows, startProcess } = opening;
      const unanswered: ServerResponse[] = [];
      receiver.direct(
        (told, response) => void (told.clientId === 'slow' ? unanswered.push(response) : response.writeHead(204).end()),
      );
      const notices = startProcess();
      await notices.settled();
      for (let index = 0; index < 40; index += 1) await notices.expect(notice(`ended-${index}`, 'slow'));
      for (let index = 0; index < 20; index += 1) await notices.expect(notice(`ended-${index}`, `client-${index}`));
      for (let index = 0; index < 40; index += 1) notices.checkNow({ sessionId: `ended-${index}` });
      // Two to the slow one, which has not answered, and all others.
      await receiver.waitFor(22);
      for (const response of unanswered) response.destroy();
      await notices.settled();
      assert.equal(receiver.sids('slow').length, 2, 'the others wait');
      assert.equal((await rows()).length, 40);
    });

    for (const [hosts, clientsEach, mostBefore] of [
      [1, 300, 1],
      [20, 15, 2 * outsideLimits.atOnce],
    ] as const)
      test(`go out beside those to ${hosts * clientsEach} clients of hosts that do not answer: ${hosts}`, async () => {
        await using opening = await open();
        const { database, clock } = opening;
        const sent: string[] = [];
        const notices = openNotices({
          database,
          isAlive: () => false,
          now: () => clock.now,
          addressOf: (clientId) => `https://host-${clientId.split(' ')[0]}.example.org/${clientId}`,
          async send({ clientId }) {
            sent.push(clientId);
            if (clientId === 'living') return;
            await setTimeout(5);
            throw new Error('no answer');
          },
        });
        await using closing = new AsyncDisposableStack();
        closing.defer(() => notices.close());
        const clients = Array.from({ length: hosts * clientsEach }, (_, index) => `${index % hosts} ${index}`);
        const rows = [...clients, 'living'].map((clientId, index) => ({
          id: clientId,
          ...{ session_id: 's1', client_id: clientId, subject, sid: 's1', attempts: 0 },
          ...{ due_at: clock.now - 1000 + index, expires_at: clock.now + day },
        }));
        await insertAll(database, 'janua_logout_notices', rows);
        notices.start();
        await notices.settled();
        assert.equal(sent.length, rows.length);
        const before = sent.indexOf('living');
        assert.ok(before <= mostBefore, `${before} were tried before`);
      });

    test('of a user to a client that is away are bounded: the oldest are given up, and the audit says so', async () => {
      await using opening = await open();
      const { database, receiver, rows, clock, startProcess } = opening;
      receiver.direct((told, response) => response.writeHead(told.clientId === 'away' ? 500 : 204).end());
      const ended = Array.from({ length: mostDue }, (_, index) => ({
        id: `${index}`,
        session_id: `ended-${index}`,
        client_id: 'away',
        ...{ subject, sid: `ended-${index}-away`, attempts: 1 },
        due_at: clock.now + day / 2,
        expires_at: clock.now + day / 2 + index,
      }));
      await insertAll(database, 'janua_logout_notices', ended);
      const notices = startProcess();
      await notices.settled();
      async function end(id: string, clientId: string, of = subject) {
        await notices.expect({ ...notice(id, clientId), subject: of });
        notices.checkNow({ sessionId: id });
        await notices.settled();
      }
      await end('other', 'away', 'other');
      await end('ended', 'up');
      assert.deepEqual([receiver.sids('up').length, (await rows()).length, notices.events], [1, mostDue + 1, []]);
      await end('ended', 'away');
      const left = (await rows()).map((row) => row.session_id);
      assert.deepEqual([left.length, left.includes('ended-0'), left.includes('ended')], [mostDue + 1, false, true]);
      const caller = { route: 'logout-notice' };
      const userId = `user of ${subject}`;
      const event = { kind: 'logout-notice-failed', sessionId: 'ended-0', about: 'away', aboutName: 'Client away' };
      assert.deepEqual(notices.events, [{ ...event, reason: 'too-many', userId, caller }]);
    });

    test('wait while Janua has no connection for them, which is no failure of the application', async () => {
      await using opening = await open();
      const { database, alive, rows, clock } = opening;
      alive.clear();
      let isFull = true;
      const send = async () => {
        if (isFull) throw new Unavailable(outsidePart, 2);
      };
      const notices = openNotices({ database, send, isAlive: () => false, now: () => clock.now });
      await using closing = new AsyncDisposableStack();
      closing.defer(() => notices.close());
      notices.start();
      for (const id of ['s1', 's2', 's3']) {
        await notices.expect(notice(id));
        notices.checkNow({ sessionId: id });
      }
      await notices.settled();
      assert.deepEqual(
        (await rows()).map(({ due_at, attempts }) => [Number(due_at) - clock.now, Number(attempts)]),
        [
          [5_000, 0],
          [5_000, 0],
          [5_000, 0],
        ],
      );
      isFull = false;
      clock.now += 5_000;
      await notices.settled();
      assert.deepEqual([await rows(), notices.lines, notices.events], [[], [], []]);
    });

    test('are sent once by two processes', async () => {
      await using opening = await open();
      const { receiver, rows, startProcess } = opening;
      const processes = [startProcess(), startProcess()] as const;
      for (const one of processes) await one.settled();
      const ids = Array.from({ length: 40 }, (_, index) => `ended-${index}`);
      await Promise.all(
        ids.map((id, index) => processes[index % 2 === 0 ? 0 : 1].expect(notice(id, `client-${index % 7}`))),
      );
      for (const sessionId of ids) for (const one of processes) one.checkNow({ sessionId });
      await receiver.waitFor(ids.length);
      while ((await rows()).length > 0) await Promise.all(processes.map((one) => one.settled()));
      assert.equal(receiver.received.length, ids.length);
      assert.equal(new Set(receiver.sids()).size, ids.length);
    });
  });
}

test('another process goes on once the lease of one that was killed has ended, and no notice is lost', async () => {
  const folder = createTemporaryFolder('logout-notices');
  const url = `sqlite:${join(folder.path, 'janua.db')}`;
  await using closing = new AsyncDisposableStack();
  closing.defer(() => folder.remove());
  const opened = closing.use(await openTestDatabase(url));
  await migrate(opened);
  const receiver = closing.use(await startReceiver());
  let ahead = 0;
  const now = () => Date.now() + ahead;
  const notices = openNotices({ database: opened.database, url: receiver.url, isAlive: () => false, now });
  closing.defer(() => notices.close());
  for (let index = 0; index < 10; index += 1) await notices.expect(notice('s1', `client-${index}`));
  receiver.direct(() => {});
  const program = fileURLToPath(new URL('../noticing-process.ts', import.meta.url));
  const child = spawn(process.execPath, [program, url, receiver.url], { stdio: ['ignore', 'ignore', 'inherit'] });
  closing.defer(() => void child.kill('SIGKILL'));
  await receiver.waitFor(1);
  child.kill('SIGKILL');
  const accepted = new Set<string>();
  const { promise: complete, resolve } = Promise.withResolvers<void>();
  receiver.direct(({ sid }, response) => {
    response.writeHead(204).end();
    if (accepted.add(sid).size === 10) resolve();
  });
  notices.start();
  await notices.settled();
  ahead = 10_000;
  // The process looks again by itself.
  await complete;
});
