import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createSqlSessionStore } from '../../../src/core/sessions/sql-store.ts';
import type { SessionStore } from '../../../src/core/sessions/store.ts';
import { createSqlFailureStore } from '../../../src/core/throttle/sql-store.ts';
import type { FailureStore } from '../../../src/core/throttle/store.ts';
import { createTokens } from '../../../src/core/tokens/tokens.ts';
import { createGroups } from '../../../src/core/users/groups.ts';
import { admins } from '../../../src/core/users/scopes.ts';
import { type Database, openDatabase } from '../../../src/ground/database/database.ts';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { claimLease } from '../../../src/ground/database/lease.ts';
import { migrate } from '../../../src/ground/database/migrations.ts';
import { inTransaction } from '../../../src/ground/database/transaction.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { createRecord, testSessionStore } from '../../core/sessions/store-contract.ts';
import { testFailureStore } from '../../core/throttle/store-contract.ts';
import { openOwnAccounts } from '../../core/users/directories.ts';
import { holdIn } from '../../core/users/held.ts';
import { isLong } from '../../long.ts';
import { type Galera, startGalera } from '../../servers/galera.ts';
import { missing } from '../../servers/missing.ts';
import { openTestDatabase, type TestDatabase } from './open.ts';

/** Long enough for many that wait for one row. */
const timeout = 20_000;

/** Each call goes to the next of them, as requests of a browser go to the next server. */
function inTurns<Store extends SessionStore | FailureStore>(stores: readonly Store[]): Store {
  let turn = 0;
  const next = () => stores[turn++ % stores.length] as Store;
  return new Proxy(next(), {
    get:
      (_, name) =>
      (...args: unknown[]) =>
        (next() as unknown as Record<string | symbol, (...args: unknown[]) => unknown>)[name]?.(...args),
  });
}

if (isLong)
  describe('Janua at each node of a Galera cluster', { skip: missing('Galera') }, () => {
    let galera: Galera;
    let urls: [string, string, string];
    let nodes: TestDatabase[];

    before(async () => {
      galera = await startGalera();
      urls = await galera.createDatabase();
      nodes = await Promise.all(urls.map((url) => openTestDatabase(url, timeout)));
      await migrate(nodes[0] as TestDatabase);
    });
    after(async () => {
      for (const node of nodes ?? []) await node[Symbol.asyncDispose]();
      await galera?.[Symbol.asyncDispose]();
    });

    const first = () => nodes[0]?.database ?? assert.fail();

    /** Does something at every node at once, several times. */
    const everywhere = <Result>(times: number, work: (node: TestDatabase) => Promise<Result>): Promise<Result[]> =>
      Promise.all(Array.from({ length: times }, () => nodes.map(work)).flat());

    testSessionStore('the cluster', async () => {
      await first().deleteFrom('janua_sessions').execute();
      return {
        store: inTurns(nodes.map(createSqlSessionStore)),
        clean: (time) => removeExpired(first(), 'janua_sessions', time),
        async [Symbol.asyncDispose]() {},
      };
    });

    testFailureStore('the cluster', async () => {
      await first().deleteFrom('janua_failures').execute();
      return {
        store: inTurns(nodes.map(createSqlFailureStore)),
        clean: (time) => removeExpired(first(), 'janua_failures', time),
        reopen: async () => ({
          store: createSqlFailureStore(nodes[1] ?? assert.fail()),
          async [Symbol.asyncDispose]() {},
        }),
        async [Symbol.asyncDispose]() {},
      };
    });

    test('a session that was ended at one node is ended at every other, 1,000 times', async () => {
      const stores = nodes.map(createSqlSessionStore);
      const [one, ...others] = stores as [(typeof stores)[0], ...typeof stores];
      let alive = 0;
      for (let round = 0; round < 1_000; round += 1) {
        const record = createRecord();
        await one.insert(record, []);
        for (const found of await Promise.all(others.map((store) => store.find(record.id)))) assert.ok(found);
        await one.remove([record.id]);
        const found = await Promise.all(others.map((store) => store.find(record.id)));
        alive += found.filter((session) => session !== undefined).length;
      }
      assert.equal(alive, 0);
    });

    test('what can be used once is used once', async () => {
      const issued = { purpose: 'reset-password', userId: 'ann', address: '', expiresAt: Date.now() + 60_000 };
      for (let round = 0; round < 20; round += 1) {
        const secret = await createTokens(first()).issue(issued);
        const uses = {
          consumed: await everywhere(5, ({ database }) => createTokens(database).consume('reset-password', secret)),
          'consumed in a change': await (async () => {
            const another = await createTokens(first()).issue(issued);
            return everywhere(5, ({ database }) =>
              inTransaction(database, (db) => createTokens(database).consume('reset-password', another, db)),
            );
          })(),
          burnt: await everywhere(5, ({ database }) =>
            createTokens(database).markUsed('challenge', secret, Date.now()),
          ),
          leased: await everywhere(5, ({ database }) => claimLease(database, `work ${round}`, 1000, 1100)),
          'leased again': await everywhere(5, ({ database }) => claimLease(database, `work ${round}`, 1100, 1200)),
        };
        for (const [way, results] of Object.entries(uses)) assert.equal(results.filter(Boolean).length, 1, way);
      }
    });

    test('administrators who disable each other at once leave one', async () => {
      const parts = nodes.map(({ database, ...opened }) => {
        const users = openOwnAccounts({ database, ...opened }, { demoUsers: false });
        const options = { applicationScopes: [], inColumn: false };
        const groups = createGroups(database, { ...options, requireOther: users.requireOtherAdministrator });
        return { users, groups, hold: holdIn(database, users, users) };
      });
      const [{ users, groups, hold }] = parts as [(typeof parts)[0]];
      const ids: string[] = [];
      for (const name of ['a', 'b', 'c']) {
        const user = { username: `${name}@example.com`, firstName: name, lastName: name, passwordHash: 'hash' };
        const id = (await users.add({ ...user, demo: false })) ?? assert.fail();
        await hold(id, (held) => groups.setGroupsOf(held, () => [admins]), { groups: true });
        ids.push(id);
      }
      for (let round = 0; round < 30; round += 1) {
        const setDisabled = (index: number, disabled: boolean) => {
          const node = parts[index] ?? assert.fail();
          return node.hold(ids[index] ?? '', (held) => node.users.setDisabled(held, disabled), { groups: true });
        };
        const results = await Promise.allSettled(ids.map((_, index) => setDisabled(index, true)));
        const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []));
        assert.deepEqual(refused, ['last-administrator'], `round ${round}`);
        for (const index of ids.keys()) await setDisabled(index, false);
      }
    });

    test('a transaction that another node made void is repeated', async () => {
      const [one, other] = nodes.map(({ database }) => database) as [Database, Database];
      await one.insertInto('janua_leases').values({ name: 'count', expires_at: 0 }).execute();
      let runs = 0;
      const add = (db: Database) =>
        db
          .updateTable('janua_leases')
          .set(({ eb }) => ({ expires_at: eb('expires_at', '+', 1) }))
          .where('name', '=', 'count')
          .execute();
      await inTransaction(one, async (db) => {
        runs += 1;
        await add(db);
        if (runs === 1) await add(other);
      });
      const { expires_at } = await other
        .selectFrom('janua_leases')
        .selectAll()
        .where('name', '=', 'count')
        .executeTakeFirstOrThrow();
      assert.deepEqual([runs, Number(expires_at)], [2, 2]);
    });

    test('of nine servers that migrate at once, three at each node, all succeed', async () => {
      const empty = await galera.createDatabase();
      const servers = await Promise.all([...empty, ...empty, ...empty].map((url) => openTestDatabase(url, timeout)));
      const results = await Promise.allSettled(servers.map(migrate));
      const faults = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
      assert.deepEqual(faults, []);
      for (const server of servers) await server[Symbol.asyncDispose]();
    });

    test('a node that has lost the others counts as unavailable, and its connections are not used again', async () => {
      const [, ...others] = galera.nodes;
      const options = { connections: 1, timeoutMilliseconds: timeout, watch: unwatched };
      const node = await openDatabase(urls[0], options);
      const store = createSqlSessionStore(node);
      const connection = async () =>
        (await sql<{ id: number }>`select connection_id() as id`.execute(node.database)).rows[0]?.id;
      const before = await connection();
      for (const other of others) other.freeze();
      const isThere = () =>
        store.find('none').then(
          () => true,
          () => false,
        );
      // It looks for the others for a while.
      while (await isThere()) await setTimeout(50);
      for (const work of [() => store.find('none'), () => store.remove(['none']), store.check, node.check])
        await assert.rejects(work, Unavailable);
      for (const other of others) other.resume();
      await galera.reach();
      assert.equal(await store.find('none'), undefined);
      assert.notEqual(await connection(), before);
      await node.database.destroy();
    });
  });
