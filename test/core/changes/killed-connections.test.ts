import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Client } from 'pg';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { ann, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { startPostgres } from '../../servers/postgres.ts';

const changes = 200;
const atOnce = 4;

test('every change has its event, and every event its change, while PostgreSQL ends connections', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using postgres = await startPostgres();
  const watcher = new Client({ connectionString: postgres.url });
  await watcher.connect();
  await using janua = await startJanua({
    stores: { users: 'PostgreSQL', sessions: 'SQL' },
    settings: { DATABASE_URL: postgres.url, DATABASE_CONNECTIONS: atOnce },
  });
  const { groups, administration } = janua.services;
  await groups.add({ name: 'staff', description: '', scopes: [] });

  let acknowledged = 0;
  let failed = 0;
  /** Puts Ann into the group and takes her out: each that is answered has changed something, or nothing if another was faster. */
  async function change(index: number): Promise<void> {
    try {
      const choice = index % 2 === 0 ? { add: ['staff'] } : { remove: ['staff'] };
      await administration.changeGroups(ann.username, choice);
      await administration.addGroup({ name: `group-${index}`, description: '', scopes: [] });
      acknowledged += 1;
    } catch (error) {
      if (!(error instanceof Unavailable)) throw error;
      failed += 1;
    }
  }

  let isOver = false;
  const kill = `select count(pg_terminate_backend(pid)) from pg_stat_activity
    where pid <> pg_backend_pid() and backend_type = 'client backend' and query ilike any (array['%janua_audit%', 'commit%', '%janua_groups%'])`;
  const killing = (async () => {
    // Until the first ends have been felt, and then now and then: most changes get through.
    for (let index = 0; !isOver; index += 1)
      if (index % 5 === 0 || failed === 0) await watcher.query(kill);
      else await watcher.query('select pg_sleep(0.005)');
  })();
  const queue = Array.from({ length: changes }, (_, index) => index);
  const workers = Array.from({ length: atOnce }, async () => {
    for (let index = queue.shift(); index !== undefined; index = queue.shift()) await change(index);
  });
  await Promise.all(workers);
  isOver = true;
  await killing;

  const { rows } = await watcher.query<{ kind: string; event: string }>(
    'select kind, event from janua_audit order by id',
  );
  const added = rows.filter(({ kind }) => kind === 'group-added').map(({ event }) => JSON.parse(event).about);
  const there = (await watcher.query<{ name: string }>("select name from janua_groups where name like 'group-%'")).rows;
  const members = (await watcher.query('select 1 from janua_memberships')).rowCount;
  await watcher.end();
  assert.ok(failed > 0, 'no connection was ended during a change');
  assert.ok(acknowledged > 0, 'no change got through');
  assert.deepEqual(added.toSorted(), there.map(({ name }) => name).toSorted());
  // Each change of the user makes the one before it undone, and the last one is what is there.
  const groupsOf = rows
    .filter(({ kind }) => kind === 'user-groups-changed')
    .map(({ event }) => JSON.parse(event).about);
  for (const [index, about] of groupsOf.entries()) assert.equal(about, index % 2 === 0 ? 'staff' : '');
  assert.equal(groupsOf.length % 2, members);
});
