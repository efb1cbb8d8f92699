import assert from 'node:assert/strict';
import { Socket } from 'node:net';
import { after, before, describe, mock, test } from 'node:test';
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
      const asked = Array.from({ length: 6 }, () => driver.acquireConnection());
      assert.equal(connect.mock.callCount(), 2);
      for (const one of asked) await assert.rejects(one, Unavailable);
    });
});
