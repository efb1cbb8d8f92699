import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { type OpenDatabase, openDatabase } from '../../../src/ground/database/database.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { readPostgresHosts } from '../../../src/ground/database/postgres-hosts.ts';
import { Misconfiguration } from '../../../src/ground/faults/misconfiguration.ts';
import { unwatched } from '../../../src/ground/faults/store-watch.ts';
import { missing } from '../../servers/missing.ts';
import { startPostgres } from '../../servers/postgres.ts';
import { findFreePort } from '../../servers/throw-away-server.ts';
import { openTestDatabase } from './open.ts';

describe('the hosts of DATABASE_URL', () => {
  for (const [url, urls, mustWrite] of [
    ['postgres://u:p@a/d', ['postgres://u:p@a/d'], false],
    [
      'postgres://u:p%40@a:1,b:2/d?sslmode=require',
      ['postgres://u:p%40@a:1/d?sslmode=require', 'postgres://u:p%40@b:2/d?sslmode=require'],
      true,
    ],
    ['postgresql://a,[::1]:2/d', ['postgresql://a/d', 'postgresql://[::1]:2/d'], true],
    ['postgres://a:1,b:2/d?target_session_attrs=any', ['postgres://a:1/d', 'postgres://b:2/d'], false],
    ['postgres://a/d?target_session_attrs=primary', ['postgres://a/d'], true],
    ['postgres:///d?host=/run/postgresql', ['postgres:///d?host=%2Frun%2Fpostgresql'], false],
  ] as const)
    test(url, () => assert.deepEqual(readPostgresHosts(url), { urls, mustWrite }));

  for (const url of [
    'postgres://a,/d',
    'postgres://a,b/d?target_session_attrs=standby',
    'postgres://a/d?target_session_attrs=prefer-standby',
    'postgres:///d?host=a,b',
    'postgres://a/d?port=1,2',
  ])
    test(`${url} is refused, because a part would be ignored`, async () => {
      await assert.rejects(
        openDatabase(url, { connections: 2, timeoutMilliseconds: 100, watch: unwatched }),
        (error) => error instanceof Misconfiguration && /target_session_attrs/.test(error.message),
      );
    });
});

test('of several hosts, the one that accepts writes is used, and left when it is read-only or gone', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using one = await startPostgres();
  await using other = await startPostgres();
  const gone = `127.0.0.1:${await findFreePort()}`;
  const hosts = [gone, ...[one, other].map(({ url }) => new URL(url).host)].join();
  const portIn = ({ url }: { url: string }) => Number(new URL(url).port);
  const open = (url: string) => openDatabase(url, { connections: 3, timeoutMilliseconds: 3000, watch: unwatched });
  const [opened, first, second] = await Promise.all(
    [`postgres://postgres@${hosts}/postgres`, one.url, other.url].map(open),
  );
  assert.ok(opened && first && second);
  const portOf = async ({ database }: OpenDatabase) =>
    (await sql<{ port: number }>`select inet_server_port() as port`.execute(database)).rows[0]?.port;
  await using busy = await openTestDatabase(
    `postgres://postgres@${hosts.replace(gone, '').slice(1)}/postgres`,
    1000,
    1,
  );
  const readOnly = (value: string) => sql.raw(`alter system set default_transaction_read_only = ${value}`);
  const write = (name: string) => sql`insert into names values (${name})`.execute(opened.database);
  try {
    await busy.database.transaction().execute(async () => {
      await assert.rejects(portOf(busy), ({ cause }: Error) => /DATABASE_CONNECTIONS/.test(String(cause)));
    });
    assert.equal(await portOf(busy), portIn(one), 'a host with connections in use is not left');

    for (const { database } of [first, second]) await sql`create table names (name text)`.execute(database);
    const read = opened.prepareLookup((name) =>
      opened.database
        .selectFrom('names' as 'janua_keys')
        .select('name')
        .where('name', '=', name),
    );
    const found = async (name: string) => (await read(name)).length;
    await Promise.all(['a', 'b', 'c'].map(write));
    assert.deepEqual([await portOf(opened), await found('a')], [portIn(one), 1]);

    await readOnly('on').execute(first.database);
    await sql`select pg_reload_conf()`.execute(first.database);
    const isReadOnly = sql<{ transaction_read_only: string }>`show transaction_read_only`;
    while ((await isReadOnly.execute(first.database)).rows[0]?.transaction_read_only !== 'on') await setTimeout(10);
    let failures = 0;
    while (
      !(await write('d').then(
        () => true,
        () => false,
      ))
    )
      failures += 1;
    assert.ok(failures <= 3, 'each connection fails once at most');
    assert.deepEqual([await portOf(opened), await found('d'), await found('a')], [portIn(other), 1, 0]);
  } finally {
    for (const { database } of [opened, first, second]) await database.destroy();
  }
});
