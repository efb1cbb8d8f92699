import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, rm } from 'node:fs/promises';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { startMariadb } from './mariadb.ts';
import { missing, noServersVariable } from './missing.ts';
import { startPostgres } from './postgres.ts';
import { running } from './process-tree.ts';
import { startProxy } from './proxy.ts';
import { connectOnce, startRedis } from './redis.ts';
import { createDatabase, createRedisDatabase } from './shared.ts';
import { type ServerOptions, type ThrowAwayServer, templateFolder } from './throw-away-server.ts';

/** Stores one word on a server, so that a test can check later whether it is still there. */
interface Keeper {
  readonly start: (options?: ServerOptions) => Promise<ThrowAwayServer>;
  write(url: string, word: string): Promise<void>;
  read(url: string): Promise<string | null>;
}

const postgres: Keeper = {
  start: startPostgres,
  async write(url, word) {
    await queryPostgres(url, 'create table kept (word text)');
    await queryPostgres(url, 'insert into kept values ($1)', [word]);
  },
  read: (url) => queryPostgres(url, 'select word from kept'),
};

async function queryPostgres(url: string, text: string, values: readonly string[] = []): Promise<string | null> {
  const client = new Client({ connectionString: url });
  client.on('error', () => {});
  await client.connect();
  try {
    const { rows } = await client.query({ text, values: [...values], rowMode: 'array' });
    return rows[0]?.[0] ?? null;
  } finally {
    await client.end();
  }
}

const mariadb: Keeper = {
  start: startMariadb,
  async write(url, word) {
    await queryMariadb(url, 'create table kept (word text)');
    await queryMariadb(url, 'insert into kept values (?)', [word]);
  },
  read: (url) => queryMariadb(url, 'select word from kept'),
};

async function queryMariadb(url: string, text: string, values: readonly string[] = []): Promise<string | null> {
  const connection = await createConnection(url);
  try {
    const [rows] = await connection.query({ sql: text, values: [...values], rowsAsArray: true });
    const row = Array.isArray(rows) ? rows[0] : undefined;
    return Array.isArray(row) ? String(row[0]) : null;
  } finally {
    await connection.end();
  }
}

const redis: Keeper = {
  start: startRedis,
  async write(url, word) {
    const client = connectOnce(url);
    await client.set('kept', word);
    client.disconnect();
  },
  async read(url) {
    const client = connectOnce(url);
    try {
      return await client.get('kept');
    } finally {
      client.disconnect();
    }
  },
};

for (const [name, { start, write, read }] of [
  ['PostgreSQL', postgres],
  ['MariaDB', mariadb],
  ['Redis', redis],
] as const) {
  test(`${name}: a durable server keeps confirmed writes, even when it is killed`, {
    skip: missing(name),
  }, async () => {
    await using server = await start({ durable: true });
    await write(server.url, 'durable');
    await server.kill();
    await assert.rejects(read(server.url));
    await server.start();
    assert.equal(await read(server.url), 'durable');
    await server.stop();
    await assert.rejects(read(server.url));
    await server.start();
    assert.equal(await read(server.url), 'durable');
  });

  test(`${name}: a frozen server does not answer until it is resumed`, { skip: missing(name) }, async () => {
    await using server = await start();
    await write(server.url, 'frozen');
    server.freeze();
    const answer = read(server.url);
    assert.equal(await Promise.race([answer, setTimeout(300, 'nothing')]), 'nothing');
    server.resume();
    assert.equal(await answer, 'frozen');
  });

  test(`${name}: the disposal of a server leaves no process, even if it is frozen, and keeps a given folder`, {
    skip: missing(name),
  }, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'janua-data-'));
    const server = await start({ folder, durable: true });
    assert.notDeepEqual(await readdir(folder), []);
    server.freeze();
    await server[Symbol.asyncDispose]();
    await assert.rejects(read(server.url));
    assert.ok(existsSync(folder));
    await rm(folder, { recursive: true });
  });

  test(`${name}: the error of a server that does not start contains its output`, { skip: missing(name) }, async () => {
    await assert.rejects(start({ args: ['--no-such-setting=1'] }), /no.such.setting/);
  });
}

test('arguments override the common arguments of every server', { skip: missing('PostgreSQL') }, async () => {
  await using server = await startPostgres({ args: ['-c', 'max_connections=7'] });
  assert.equal(await queryPostgres(server.url, 'show max_connections'), '7');
});

test('databases of a shared server are separate', {
  skip: missing('PostgreSQL', 'MariaDB', 'Redis'),
}, async () => {
  const made = await Promise.all([
    createDatabase('postgres'),
    createDatabase('postgres'),
    createDatabase('mariadb'),
    createDatabase('mariadb'),
    createRedisDatabase(),
    createRedisDatabase(),
  ]);
  const keepers = [postgres, postgres, mariadb, mariadb, redis, redis];
  for (const [index, { url }] of made.entries()) await keepers[index]?.write(url, `of ${index}`);
  const kept = await Promise.all(made.map(({ url }, index) => keepers[index]?.read(url)));
  assert.deepEqual(kept, ['of 0', 'of 1', 'of 2', 'of 3', 'of 4', 'of 5']);

  for (const { drop } of made) await drop();
  for (const { url } of made.slice(0, 2)) await assert.rejects(postgres.read(url));
  for (const { url } of made.slice(2, 4)) await assert.rejects(mariadb.read(url));
  for (const { url } of made.slice(4)) assert.equal(await redis.read(url), null);
});

test('a proxy passes, delays, holds and cuts connections', async (t) => {
  const echo = createServer((socket) => {
    socket.on('error', () => {});
    socket.pipe(socket);
  }).listen(0, '127.0.0.1');
  await once(echo, 'listening');
  t.after(() => echo.close());
  const address = echo.address();
  assert.ok(address !== null && typeof address === 'object');
  await using proxy = await startProxy(address.port);

  async function open(): Promise<Socket> {
    const socket = connect(proxy.port, '127.0.0.1').setEncoding('utf8');
    await once(socket, 'connect');
    return socket;
  }
  async function ask(socket: Socket, word: string): Promise<string> {
    socket.write(word);
    const [answer] = await once(socket, 'data');
    return answer;
  }
  const isReset = (socket: Socket) => assert.rejects(once(socket, 'end'), { code: 'ECONNRESET' });

  const first = await open();
  assert.equal(await ask(first, 'passed'), 'passed');

  proxy.delay(200);
  const start = performance.now();
  assert.equal(await ask(first, 'delayed'), 'delayed');
  assert.ok(performance.now() - start >= 195);

  proxy.hold();
  const second = await open();
  const answers = Promise.all([ask(first, 'held'), ask(second, 'held too')]);
  assert.equal(await Promise.race([answers, setTimeout(200, 'nothing')]), 'nothing');
  proxy.pass();
  assert.deepEqual(await answers, ['held', 'held too']);

  const bothReset = Promise.all([isReset(first), isReset(second)]);
  proxy.resetOnce();
  await bothReset;
  const third = await open();
  assert.equal(await ask(third, 'anew'), 'anew');

  const thirdReset = isReset(third);
  proxy.cut();
  await thirdReset;
  await isReset(connect(proxy.port, '127.0.0.1'));
  proxy.pass();
  const fourth = await open();
  assert.equal(await ask(fourth, 'again'), 'again');
  fourth.end();
  await once(fourth, 'end');
});

const module = (name: string) => JSON.stringify(new URL(name, import.meta.url).href);

/** A process that starts all three servers, and reports them. */
const holder = `
  import { readProcesses } from ${module('./process-tree.ts')};
  import { sharedServers } from ${module('./shared.ts')};
  await Promise.all(Object.values(sharedServers).map((url) => url()));
  const tree = [process.pid];
  for (const pid of tree) tree.push(...readProcesses().filter(({ parent }) => parent === pid).map((entry) => entry.pid));
  console.log(tree.slice(1).join());
`;

for (const [how, last, end] of [
  ['is interrupted', 'setInterval(() => {}, 1_000);', (child: ChildProcess) => child.kill('SIGINT')],
  ['fails', 'throw new Error("on purpose");', () => {}],
  ['has nothing left to do', '', () => {}],
] as const) {
  test(`servers end with the process that started them when it ${how}`, {
    skip: missing('PostgreSQL', 'MariaDB', 'Redis'),
  }, async (t) => {
    const temporary = await mkdtemp(join(tmpdir(), 'janua-'));
    t.after(() => rm(temporary, { recursive: true }));
    await chmod(temporary, 0o755);
    const { PATH } = process.env;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', holder + last], {
      env: {
        PATH,
        TMPDIR: temporary,
        ...(how === 'is interrupted' ? {} : { JANUA_TEST_TEMPLATES: await templateFolder() }),
      },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    const ended = once(child, 'exit');
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    const pids = String(line).split(',').map(Number);
    assert.ok(pids.length > 3);
    end(child);
    const [code, signal] = await ended;
    assert.deepEqual([code, signal], how === 'is interrupted' ? [null, 'SIGINT'] : [how === 'fails' ? 1 : 0, null]);
    assert.deepEqual(running(pids), []);
    assert.deepEqual(await readdir(temporary), []);
  });
}

test('a test is skipped without its servers, but never in CI', (t) => {
  const { CI, [noServersVariable]: noServers } = process.env;
  t.after(() => {
    Object.assign(process.env, { CI, [noServersVariable]: noServers });
    if (CI === undefined) delete process.env.CI;
    if (noServers === undefined) delete process.env[noServersVariable];
  });
  process.env[noServersVariable] = 'true';
  assert.equal(missing('SQLite', 'SQL'), false);
  assert.equal(missing('PostgreSQL', 'Redis'), 'this run starts no PostgreSQL or Redis');
  delete process.env[noServersVariable];
  process.env.CI = 'true';
  assert.equal(missing('PostgreSQL'), false);
});
