import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { sql } from '../../../src/ground/database/kysely.ts';
import { createServerDriver, type ServerConnection } from '../../../src/ground/database/server-driver.ts';
import { workFor } from '../../../src/ground/faults/requester.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { missing } from '../../servers/missing.ts';
import { openUserDatabase } from '../../stores.ts';
import { openTestDatabase } from './open.ts';

/** Runs work for an account, such as `home ann`, in a network that has the first word as its name. */
function workOf<Result>(account: string, work: () => Promise<Result>): Promise<Result> {
  const { promise, resolve, reject } = Promise.withResolvers<Result>();
  workFor(
    () => [account.split(' ')[0] ?? '', account],
    () => void work().then(resolve, reject),
  );
  return promise;
}

describe('connections of a database server', () => {
  const cases: readonly [claim: string, asked: string, order: string][] = [
    [
      'go to the network that holds the fewest',
      'flood ann, flood ann, work kim, flood ann, flood ann, home bob',
      'flood ann, flood ann, work kim, home bob, flood ann, flood ann',
    ],
    [
      'of a network go to the account that holds the fewest',
      'flood ann, flood ann, work kim, flood ann, flood bob',
      'flood ann, flood ann, work kim, flood bob, flood ann',
    ],
    [
      'go to the server itself like to a network',
      'flood ann, flood ann, work kim, flood ann, server',
      'flood ann, flood ann, work kim, server, flood ann',
    ],
  ];
  for (const [claim, asked, order] of cases)
    test(claim, async () => {
      const given: string[] = [];
      const releases: (() => void)[] = [];
      const connection: ServerConnection = { query: async () => ({ rows: [] }), release() {} };
      const pool = { size: 3, connect: async () => connection, end: async () => {} };
      const driver = createServerDriver(pool, { milliseconds: 60_000 }, unwatched);
      async function hold(account: string): Promise<void> {
        const held = await driver.acquireConnection();
        given.push(account);
        releases.push(() => void driver.releaseConnection(held));
      }
      const holding = asked.split(', ').map((one) => (one === 'server' ? hold(one) : workOf(one, () => hold(one))));
      while (given.length < holding.length) {
        await new Promise(setImmediate);
        releases.shift()?.();
      }
      await Promise.all(holding);
      assert.equal(given.join(', '), order);
    });

  for (const engine of ['PostgreSQL', 'MariaDB'] as const)
    test(`are left to others while statements of one network wait for a row: ${engine}`, {
      skip: missing(engine),
    }, async () => {
      const { url, drop } = await openUserDatabase(engine);
      await using closing = new AsyncDisposableStack();
      closing.defer(drop);
      const { database } = closing.use(await openTestDatabase(url, 20_000, 4));
      const other = closing.use(await openTestDatabase(url, 20_000, 4));
      await sql`create table counted (amount integer)`.execute(database);
      await sql`insert into counted values (0)`.execute(database);
      const add = sql`update counted set amount = amount + 1`;
      const flood: Promise<unknown>[] = [];
      await other.database.transaction().execute(async (locked) => {
        await add.execute(locked);
        for (let sent = 0; sent < 30; sent += 1) flood.push(workOf('flood ann', () => add.execute(database)));
        const answered = await workOf('home bob', () => sql`select 1 as answered`.execute(database));
        assert.equal(answered.rows.length, 1);
      });
      await Promise.all(flood);
      const { rows } = await sql<{ amount: number }>`select amount from counted`.execute(database);
      assert.equal(Number(rows[0]?.amount), 31);
    });
});
