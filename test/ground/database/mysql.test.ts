import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { mostPrepared } from '../../../src/ground/database/driver.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { missing } from '../../servers/missing.ts';
import { sharedServers } from '../../servers/shared.ts';
import { openTestDatabase } from './open.ts';

const skip = missing('MariaDB');

test('reads, updates and deletes on MariaDB wait for what another node has acknowledged', { skip }, async () => {
  await using opened = await openTestDatabase(await sharedServers.mariadb());
  const { rows } = await sql<object>`select @@wsrep_sync_wait as waits, @@tx_isolation as isolation`.execute(
    opened.database,
  );
  assert.deepEqual({ ...rows[0] }, { waits: 3, isolation: 'READ-COMMITTED' });
});

test('a connection closes the prepared statements that it used longest ago', { skip }, async () => {
  await using opened = await openTestDatabase(await sharedServers.mariadb(), 20_000, 1);
  for (let number = 0; number < mostPrepared + 20; number += 1)
    await sql`select ${sql.lit(number)} as number, ${'a parameter'} as text`.execute(opened.database);
  const { rows } = await sql<{ Value: string }>`show session status like 'Com_stmt_close'`.execute(opened.database);
  assert.ok(Number(rows[0]?.Value) >= 20, `${rows[0]?.Value} are closed`);
});

/** Passes a connection on to a server, and changes a word that the client sends. */
async function misspell(url: string, word: string, wrong: string) {
  const { hostname, port } = new URL(url);
  const listener = createServer((client) => {
    const server = connect(Number(port), hostname);
    for (const socket of [client, server]) socket.on('error', () => {});
    client.on('data', (bytes) => server.write(bytes.toString('latin1').replace(word, wrong), 'latin1'));
    client.on('close', () => server.destroy());
    server.pipe(client);
  }).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const changed = Object.assign(new URL(url), { port: (listener.address() as AddressInfo).port });
  return { url: changed.href, [Symbol.dispose]: () => void listener.close() };
}

for (const [name, word, wrong, works] of [
  ['does not know a variable of MariaDB, like MySQL, is used', 'wsrep_sync_wait', 'wsrep_sync_none', true],
  ['refuses a setting of the connection is not used', 'set session', 'set sessiom', false],
] as const)
  test(`a server that ${name}`, { skip }, async () => {
    using server = await misspell(await sharedServers.mariadb(), word, wrong);
    await using opened = await openTestDatabase(server.url);
    const { database } = opened;
    const query = () => sql`select 1`.execute(database);
    await (works ? query() : assert.rejects(query(), Unavailable));
  });

test('MariaDB gets whole numbers as such, with all their digits', { skip }, async () => {
  await using opened = await openTestDatabase(await sharedServers.mariadb());
  const largest = 2n ** 63n - 1n;
  await opened.database.connection().execute(async (connection) => {
    await sql`create temporary table sent as select ${7} as a, ${largest} as b, ${-largest} as c, ${'7'} as d`.execute(
      connection,
    );
    const columns = await sql<{ Type: string }>`describe sent`.execute(connection);
    const types = columns.rows.map(({ Type }) => Type.replace(/\W.*/, ''));
    assert.deepEqual(types, ['bigint', 'bigint', 'bigint', 'varchar']);
    const digits = sql<{ of: string }>`select concat(a, ' ', b, ' ', c) as \`of\` from sent limit ${1} offset ${0}`;
    assert.equal((await digits.execute(connection)).rows[0]?.of, `7 ${largest} ${-largest}`);
  });
});
