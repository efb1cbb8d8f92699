import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sql } from '../../src/ground/database/kysely.ts';
import { createWorkplace } from '../commands/janua-command.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { createRandom } from './clients.ts';
import type { Cluster } from './cluster.ts';
import { Journal } from './journal.ts';
import { causeFaults, type Engine, seconds, seed } from './test-cluster.ts';

/** Rows that never change, and rows that come, go and get other names. */
const [steady, lively] = [2_000, 200];

const columns = 'id=no,username=email,password=secret';

/** Syncs with a team's own table at several servers during faults of the database. Nobody who stays in the table may lose the account. */
export function testSync({ name, skip, start }: Pick<Engine, 'name' | 'skip' | 'start'>): void {
  const isOff = seconds === 0 && 'only in a long run';
  const timeout = (seconds + 900) * 1000;
  test(`a sync on ${name} keeps the accounts of all who stay, during faults (CLUSTER_SEED=${seed})`, {
    skip: isOff || skip,
    timeout,
  }, async (t) => {
    await using cluster = await start();
    await using workplace = await createWorkplace();
    const env = (server: number) => ({
      ...{ PUBLIC_URL: 'http://localhost:8000', USERS_TABLE: 'people', USERS_COLUMNS: columns },
      ...cluster.env(server),
    });
    await fill(cluster);
    const run = (server: number, ...args: string[]) => workplace.run(args, { env: env(server) });
    assert.equal((await run(0, 'migrate')).code, 0);
    const first = await run(0, 'users', 'sync');
    assert.equal(first.code, 0, first.stderr);
    const before = await accountsOf(cluster);
    assert.equal(before.size, steady + lively);

    let isOver = false;
    let [done, failed] = [0, 0];
    const syncing = [0, 1].map(async (server) => {
      while (!isOver) {
        const { code } = await run(server, 'users', 'sync');
        if (code === 0) done += 1;
        else failed += 1;
      }
    });
    const changing = (async () => {
      for (let turn = 0; !isOver; turn += 1) await change(cluster, turn).catch(() => {});
    })();
    const caused = await causeFaults(cluster, createRandom(`${seed} faults`), new Journal());
    isOver = true;
    await Promise.all([...syncing, changing]);
    const last = await run(0, 'users', 'sync', '--force');
    assert.equal(last.code, 0, last.stderr);
    const after = await accountsOf(cluster);
    t.diagnostic(`${done} syncs, ${failed} failed; ${caused.join(', ')}`);
    assert.ok(done > 0 && caused.length > 0);
    const lost = [...before].filter(([key, id]) => Number(key) <= steady && after.get(key) !== id);
    assert.deepEqual(lost, []);
    const { rows } = await withDatabase(cluster, (database) =>
      sql<{ no: number }>`select no from people`.execute(database),
    );
    assert.deepEqual([...after.keys()].toSorted(), rows.map(({ no }) => String(no)).toSorted());
  });
}

type TestDatabase = Awaited<ReturnType<typeof openTestDatabase>>['database'];

async function withDatabase<Made>(cluster: Cluster, work: (database: TestDatabase) => Promise<Made>): Promise<Made> {
  await using opened = await openTestDatabase(cluster.env(0).DATABASE_URL ?? '', 20_000);
  return await work(opened.database);
}

const nameOf = (no: number, turn = 0) => `person-${no}-${turn}@example.com`;

const fill = (cluster: Cluster) =>
  withDatabase(cluster, async (database) => {
    await sql`create table people (no integer primary key, email varchar(254) not null unique, secret varchar(255))`.execute(
      database,
    );
    if (cluster.env(0).DATABASE_URL?.startsWith('postgres'))
      await sql`create unique index on people (lower(email))`.execute(database);
    for (let first = 1; first <= steady + lively; first += 500) {
      const numbers = Array.from({ length: Math.min(500, steady + lively + 1 - first) }, (_, index) => first + index);
      const values = numbers.map((no) => sql`(${no}, ${nameOf(no)}, 'hash')`);
      await sql`insert into people (no, email, secret) values ${sql.join(values)}`.execute(database);
    }
  });

/** A row goes and comes back, or gets another name. */
const change = (cluster: Cluster, turn: number) =>
  withDatabase(cluster, async (database) => {
    const no = steady + 1 + (turn % lively);
    if (turn % 2 === 0) await sql`update people set email = ${nameOf(no, turn)} where no = ${no}`.execute(database);
    else {
      await sql`delete from people where no = ${no}`.execute(database);
      await sql`insert into people (no, email, secret) values (${no}, ${nameOf(no, turn)}, 'hash')`.execute(database);
    }
  });

/** The ids of the accounts of the present people, by the keys of their rows. */
const accountsOf = (cluster: Cluster): Promise<Map<string, string>> =>
  withDatabase(cluster, async (database) => {
    const own = database.selectFrom('janua_users').select(['id', 'source_key']).where('source_key', 'is not', null);
    const rows = await own.execute();
    const found = new Map(rows.map(({ id, source_key }) => [source_key ?? '', id]));
    assert.equal(found.size, rows.length, 'one account for each row');
    return found;
  });
