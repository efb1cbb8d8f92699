import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { after, before, describe, mock, test } from 'node:test';
import { openStores } from '../../../src/core/stores/stores.ts';
import { openMeasures } from '../../../src/core/telemetry/measures.ts';
import { loadSettings } from '../../../src/ground/config/load.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { openMysql } from '../../../src/ground/database/mysql.ts';
import { openPostgres } from '../../../src/ground/database/postgres.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';

/** Servers that never answer. */
const connect = mock.fn(function (this: Socket) {
  return this;
});
before(() => mock.method(Socket.prototype, 'connect', connect as never));
after(() => mock.restoreAll());

describe('a process whose database does not answer', () => {
  for (const [scheme, open] of [
    ['postgres', openPostgres],
    ['mysql', openMysql],
  ] as const)
    test(`opens no more connections than it may, and fails in time: ${scheme}`, async () => {
      connect.mock.resetCalls();
      const driver = open(`${scheme}://janua:secret@127.0.0.1/janua`, 2, { milliseconds: 20 }, unwatched);
      const read = driver.prepareRead('select 1 where 1 = ?');
      const asked = Array.from({ length: 6 }, () => [driver.acquireConnection(), read(['1'])]).flat();
      // Connections are asked for in microtasks, which run before any time limit can end.
      for (let turn = 0; turn < 100; turn += 1) await undefined;
      assert.equal(connect.mock.callCount(), 2);
      await Promise.all(asked.map((one) => assert.rejects(one, Unavailable)));
    });

  test('opens as many connections as DATABASE_CONNECTIONS says', async () => {
    connect.mock.resetCalls();
    const environment = { DATABASE_URL: 'postgres://janua:secret@127.0.0.1/janua', DATABASE_CONNECTIONS: '2' };
    const settings = { ...loadSettings({}, environment), STORE_TIMEOUT_SECONDS: 0.2 };
    const log = { debug() {}, info() {}, warn() {}, error() {} };
    const kinds = { events: [], refusals: [] };
    const measures = await openMeasures({ metrics: false, kinds, traces: undefined, version: '', log });
    const stores = await openStores(settings, { log, measures, mustExist: false });
    const { database, prepareLookup } = stores.opened;
    const find = prepareLookup((name) => database.selectFrom('janua_keys').select('name').where('name', '=', name));
    const asked = Array.from({ length: 6 }, () => [sql`select 1`.execute(database), find('ann')]);
    const answers = Promise.allSettled(asked.flat());
    await new Promise(setImmediate);
    assert.equal(connect.mock.callCount(), 2);
    for (const { status } of await answers) assert.equal(status, 'rejected');
    await stores.close();
  });
});
