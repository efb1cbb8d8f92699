import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmod, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { createConnection } from 'mysql2/promise';
import { Client } from 'pg';
import { judgeClock } from '../../src/doctor/clocks.ts';
import { judgeCapacity } from '../../src/doctor/hashing.ts';
import { judgeInformation } from '../../src/doctor/session-store.ts';
import { judgeSpace } from '../../src/doctor/sqlite-file.ts';
import { encrypt } from '../../src/ground/encryption/cipher.ts';
import { interpolate } from '../../src/ground/languages/languages.ts';
import { startScriptedSmtp } from '../core/mail/scripted-smtp.ts';
import { missing } from '../servers/missing.ts';
import { startPgbouncer } from '../servers/pgbouncer.ts';
import { startPostgres } from '../servers/postgres.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { startProxy } from '../servers/proxy.ts';
import { connectOnce, startRedis } from '../servers/redis.ts';
import { createDatabase, createRedisDatabase } from '../servers/shared.ts';
import { createMigratedWorkplace, createWorkplace, shutting, type Workplace } from './janua-command.ts';

/** Every password in this file. No output may hold it. */
const canary = 'canary-secret';

interface Line {
  readonly check: string;
  readonly state: 'ok' | 'warning' | 'wrong';
  readonly message: string;
  readonly fix?: string;
}

interface Diagnosis {
  readonly code: number | null;
  readonly lines: readonly Line[];
  /** The warnings and faults of a check, each with its state, message and fix. */
  complaints(check: string): string[];
  /** The messages of a check whose state is ok. */
  praise(check: string): string;
}

/** Runs the command, and checks the rules that hold for every output. @param alone in its own process */
async function examine(
  workplace: Workplace,
  env: Readonly<Record<string, string>> = {},
  alone = false,
): Promise<Diagnosis> {
  const { code, stdout, stderr } = await workplace.run(['doctor', '--json'], { env, alone });
  // The Redis client prints its own warning when the account may not run the ready check.
  assert.match(stderr, /^(?:Skipping the ready check .*\n)*$/);
  assert.doesNotMatch(stdout, /canary|\bat .*:\d+:\d+/);
  const lines = stdout
    .trim()
    .split('\n')
    .map((line): Line => JSON.parse(line));
  for (const { state, message, fix } of lines) assert.equal(fix === undefined, state === 'ok', message);
  assert.equal(code, lines.some(({ state }) => state === 'wrong') ? 1 : 0);
  const of = (check: string) => lines.filter((line) => line.check === check);
  return {
    code,
    lines,
    complaints: (check) =>
      of(check)
        .filter(({ state }) => state !== 'ok')
        .map(({ state, message, fix }) => `${state}: ${message} ${fix}`),
    praise: (check) =>
      of(check)
        .filter(({ state }) => state === 'ok')
        .map(({ message }) => message)
        .join('\n'),
  };
}

/** Expects exactly one complaint. */
function assertOnly(complaints: readonly string[], expected: RegExp): void {
  assert.equal(complaints.length, 1, complaints.join('\n'));
  assert.match(complaints[0] ?? '', expected);
}

/** Runs this code in the process before the command. */
const first = (code: string) => ({ NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(code)}` });

const clockAhead = first('const { now } = Date; Date.now = () => now() + 70_000;');

function change(workplace: Workplace, statements: string): void {
  const database = new DatabaseSync(join(workplace.folder, 'data/janua.db'));
  database.exec(statements);
  database.close();
}

const mapped = { USERS_TABLE: 'people', USERS_COLUMNS: 'id=no,username=email,password=secret' };

const bcrypt = '$2b$10$abcdefghijklmnopqrstuuN8SZ8OeQ7QWzvDZuZ3AtxU9VnYQzOZ6';

const insertClient = 'insert into janua_clients (id, name, secrets, settings, created_at) values';

describe('janua doctor', { concurrency: 2 }, () => {
  test('reads the file that is applied at the start', async () => {
    await using workplace = await createMigratedWorkplace();
    const path = join(workplace.folder, 'janua.yaml');
    await writeFile(path, 'name: production');
    assert.match((await examine(workplace, { APPLY_FILE: path })).praise('apply-file'), /Its name is production\./);
    await writeFile(path, 'name: production\nusers: nobody');
    assertOnly((await examine(workplace, { APPLY_FILE: path })).complaints('apply-file'), /users must be array/);
  });

  describe('examines a server', { concurrency: 3 }, () => {
    test('of PostgreSQL that is slow, frozen or stopped or refuses the account', {
      skip: missing('PostgreSQL'),
    }, async () => {
      // The shared server asks for no passwords.
      const home = createTemporaryFolder('doctor');
      await chmod(home.path, 0o755);
      const rules = join(home.path, 'pg_hba.conf');
      await writeFile(rules, 'host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n');
      await using server = await startPostgres({ args: ['-c', `hba_file=${rules}`] });
      const client = new Client({ connectionString: server.url });
      await client.connect();
      await client.query(`create role janua login password '${canary}'`);
      await client.query('create database janua owner janua');
      await client.end();
      const urlAt = (port: number, password: string, name = 'janua') =>
        `postgres://janua:${password}@127.0.0.1:${port}/${name}`;
      const url = urlAt(server.port, canary);
      const env = { DATABASE_URL: url, STORE_TIMEOUT_SECONDS: '10' };
      await using workplace = await createWorkplace();

      assertOnly((await examine(workplace, env)).complaints('schema'), /^wrong: .* does not have Janua's tables yet/);
      await workplace.run(['migrate'], { env });
      const well = await examine(workplace, env);
      assert.equal(well.code, 0);
      assert.match(well.praise('database'), /of PostgreSQL differ by less than 2 s/);
      const fast = await examine(workplace, { ...env, ...clockAhead }, true);
      assertOnly(fast.complaints('database'), /^wrong: .* is (69|70)\.\d s ahead of that of PostgreSQL.* NTP/);
      // A round trip may take long beside other tests, which is a warning.
      const [connection] = well.lines.filter(({ check }) => check === 'database');
      assert.match(connection?.message ?? '', new RegExp(`^postgres://127\\.0\\.0\\.1:${server.port}/janua answers`));
      assertOnly(well.complaints('encryption'), /^warning: .* because ENCRYPTION_KEY_FILE is not set/);
      const withKey = await examine(workplace, { ...env, ENCRYPTION_KEY_FILE: join(workplace.folder, 'key') });
      assertOnly(withKey.complaints('encryption'), /^warning: There is no encryption key yet/);

      await using proxy = await startProxy(server.port);
      proxy.delay(25);
      const far = await examine(workplace, { ...env, DATABASE_URL: urlAt(proxy.port, canary) });
      assertOnly(far.complaints('database'), /^warning: .* a round trip takes \d\d\.\d ms/);

      const wrongPassword = await examine(workplace, { ...env, DATABASE_URL: urlAt(server.port, `${canary}x`) });
      assertOnly(wrongPassword.complaints('database'), /^wrong: .* refuses the account or its password/);
      const noPassword = await examine(workplace, { ...env, DATABASE_URL: urlAt(server.port, '') });
      assertOnly(noPassword.complaints('database'), /^wrong: .* refuses the account or its password/);
      const noDatabase = await examine(workplace, { ...env, DATABASE_URL: urlAt(server.port, canary, 'none') });
      assertOnly(noDatabase.complaints('database'), /^wrong: .* has no database of that name/);

      server.freeze();
      // The process ends although the store does not answer.
      const frozen = await examine(workplace, { ...env, STORE_TIMEOUT_SECONDS: '3' }, true);
      assertOnly(frozen.complaints('database'), /^wrong: The database \(postgres:.*\) gives no answer within 3 s/);
      server.resume();
      await server.stop();
      const stopped = await examine(workplace, env);
      assertOnly(stopped.complaints('database'), /^wrong: The database \(postgres:.*\) cannot be reached/);
      home.remove();
    });

    test('of PostgreSQL behind a PgBouncer, which loses prepared statements if it pools transactions', {
      skip: missing('PostgreSQL', 'PgBouncer'),
    }, async () => {
      const { url, drop } = await createDatabase('postgres');
      await using workplace = await createWorkplace();
      await using transactions = await startPgbouncer(url, 'transaction');
      await using sessions = await startPgbouncer(url, 'session');
      const complaints = async (DATABASE_URL: string) =>
        (await examine(workplace, { DATABASE_URL })).complaints('database');
      assertOnly(
        await complaints(transactions.url),
        /^warning: A pooler .* max_prepared_statements .* pool_mode = session/,
      );
      for (const other of [sessions.url, url]) assert.deepEqual(await complaints(other), []);
      await drop();
    });

    test('of PostgreSQL or MariaDB with a view or a table of users', {
      skip: missing('PostgreSQL', 'MariaDB'),
    }, async () => {
      for (const engine of ['postgres', 'mariadb'] as const) {
        const { url, drop } = await createDatabase(engine);
        const env = { DATABASE_URL: url };
        await using workplace = await createWorkplace();
        await workplace.run(['migrate'], { env });
        const execute = engine === 'postgres' ? inPostgres : inMariadb;
        const email = engine === 'postgres' ? 'email varchar(200)' : 'email varchar(200) unique';
        await execute(url, `create table behind (no int primary key, ${email}, secret varchar(255))`);
        if (engine === 'postgres') await execute(url, 'create unique index on behind (lower(email))');
        await execute(url, `insert into behind values (1, 'ann@x', '${bcrypt}'), (2, 'bob@x', '{SSHA}abc')`);
        await execute(url, 'create view people as select * from behind');
        const view = await examine(workplace, { ...env, ...mapped });
        assert.match(view.complaints('users')[0] ?? '', /^wrong: USERS_TABLE: people is a view/);
        const { complaints, praise } = await examine(workplace, { ...env, ...mapped, USERS_TABLE: 'behind' });
        assertOnly(complaints('users'), /^warning: Of 2 .*, Janua cannot verify 1 \(1 \{SSHA\}\)/);
        assert.match(praise('sessions'), /in the database, and can be written/);
        await drop();
      }
    });

    test('of MariaDB that lacks the account, its rights or the database', {
      skip: missing('MariaDB'),
    }, async () => {
      const { url, drop } = await createDatabase('mariadb');
      await using workplace = await createWorkplace();
      await workplace.run(['migrate'], { env: { DATABASE_URL: url } });
      const { host, pathname } = new URL(url);
      const account = `doctor${pathname.slice(-8)}`;
      await inMariadb(url, `create user ${account} identified by '${canary}'`);
      const as = (password: string, name = pathname.slice(1)) => ({
        DATABASE_URL: `mariadb://${account}:${password}@${host}/${name}`,
      });
      try {
        const refused = await examine(workplace, as('another-canary'));
        assertOnly(refused.complaints('database'), /^wrong: .* refuses the account or its password/);
        const mayNot = await examine(workplace, as(canary));
        assertOnly(mayNot.complaints('database'), /^wrong: .* does not give the account the rights/);
        await inMariadb(url, `grant select on ${pathname.slice(1)}.* to ${account}`);
        const mayRead = await examine(workplace, as(canary));
        assert.deepEqual(mayRead.complaints('schema'), []);
        assertOnly(
          mayRead.complaints('sessions'),
          /^wrong: .* does not give the account the rights .* Grant it SELECT, INSERT/,
        );
        const none = await examine(workplace, { DATABASE_URL: Object.assign(new URL(url), { pathname: 'none' }).href });
        assertOnly(none.complaints('database'), /^wrong: .* has no database of that name/);
      } finally {
        await inMariadb(url, `drop user ${account}`);
        await drop();
      }
    });

    test('of Redis that is well, evicts, forgets, is a replica, or is frozen', {
      skip: missing('Redis'),
    }, async () => {
      await using server = await startRedis({ durable: true });
      await using replica = await startRedis({ args: ['--replicaof', '127.0.0.1', String(server.port)] });
      await using workplace = await createMigratedWorkplace();
      // Long enough for a machine with other tests.
      const env = { STORE_TIMEOUT_SECONDS: '10' };
      const using = (url: string) => examine(workplace, { ...env, REDIS_URL: url });

      const well = await using(server.url);
      assert.deepEqual(well.complaints('sessions'), []);
      const fast = await examine(workplace, { ...env, ...clockAhead, REDIS_URL: server.url }, true);
      assertOnly(fast.complaints('sessions'), /^wrong: .* is (69|70)\.\d s ahead of that of Redis/);
      assert.match(
        well.praise('sessions'),
        new RegExp(`Sessions are in redis://127\\.0\\.0\\.1:${server.port}/0, and can be`),
      );

      const client = connectOnce(server.url);
      for (const policy of ['allkeys-lru', 'volatile-ttl']) {
        await client.config('SET', 'maxmemory-policy', policy);
        const evicting = await using(server.url);
        assert.equal(evicting.code, 0);
        assertOnly(
          evicting.complaints('sessions'),
          /^warning: .* evicts active sessions.* CONFIG SET maxmemory-policy noeviction/,
        );
      }
      await client.config('SET', 'maxmemory-policy', 'noeviction');
      await client.config('SET', 'appendonly', 'no');
      assertOnly((await using(server.url)).complaints('sessions'), /^warning: A restart .* CONFIG SET appendonly yes/);

      const limited = ['~janua:*', '+@read', '+@write', '+@scripting', '+@connection'];
      await client.call('ACL', 'SETUSER', 'limited', 'on', `>${canary}`, ...limited);
      const account = (name: string, password: string) => server.url.replace('//', `//${name}:${password}@`);
      const unseen = await using(account('limited', canary));
      const [version, clock, ...rest] = unseen.complaints('sessions');
      assert.match(version ?? '', /^warning: Janua could not see version, .* \+info$/);
      assert.match(clock ?? '', /^warning: Janua could not compare its clock .* of Redis.* \+time$/);
      assert.deepEqual(rest, []);
      assert.match(unseen.praise('sessions'), /can be written/);
      await client.call('ACL', 'SETUSER', 'limited', '-@write', '+info');
      const readOnly = (await using(account('limited', canary))).complaints('sessions');
      assert.match(
        readOnly.at(-1) ?? '',
        /^wrong: Redis \(redis:.*\) does not give the account the rights .* ACL SETUSER/,
      );
      const refused = await using(account('limited', 'another-canary'));
      assertOnly(refused.complaints('sessions'), /^wrong: Redis \(redis:.*\) refuses the account or its password/);
      assert.deepEqual(refused.complaints('schema'), []);
      client.disconnect();

      const second = await using(replica.url);
      assert.match(second.complaints('sessions').join('\n'), /^wrong: REDIS_URL names a replica.* redis\+sentinel/m);
      assert.doesNotMatch(second.praise('sessions'), /can be written/);

      server.freeze();
      const frozen = await examine(workplace, { ...env, STORE_TIMEOUT_SECONDS: '3', REDIS_URL: server.url }, true);
      assertOnly(frozen.complaints('sessions'), /^wrong: Redis \(redis:.*\) gives no answer within 3 s/);
      server.resume();
      await server.kill();
      assertOnly((await using(server.url)).complaints('sessions'), /^wrong: Redis \(redis:.*\) cannot be reached/);
    });

    test('of Redis with a shared database, and with a number beyond its databases', {
      skip: missing('Redis'),
    }, async () => {
      const { url, drop } = await createRedisDatabase();
      await using workplace = await createMigratedWorkplace();
      assert.match((await examine(workplace, { REDIS_URL: url })).praise('sessions'), /can be written/);
      const none = await examine(workplace, { REDIS_URL: Object.assign(new URL(url), { pathname: '10001' }).href });
      assertOnly(none.complaints('sessions'), /^wrong: Redis .* has no database of that name/);
      await drop();
    });
  });

  describe('examines the machine and the settings', { concurrency: 2 }, () => {
    test('and finds nothing wrong if `janua serve` would work', async () => {
      await using workplace = await createMigratedWorkplace();
      // Long enough for a machine with other tests.
      const env = { STORE_TIMEOUT_SECONDS: '30' };
      const { code, lines, complaints } = await examine(workplace, env);
      assert.equal(code, 0);
      assert.deepEqual(
        [...new Set(lines.map(({ check }) => check))],
        [
          ...['settings', 'public-url', 'hashing', 'database', 'file', 'schema', 'users', 'administrators'],
          ...['encryption', 'sessions', 'mail'],
        ],
      );
      // Other tests at the same time may make hashing slow.
      const checks = new Set(lines.map(({ check }) => check).filter((check) => check !== 'hashing'));
      const warnings = [...checks].flatMap(complaints);
      const expected = [
        /^warning: Plain http .*PUBLIC_URL=https/,
        /^warning: There is no administrator.* users add .* --group admins$/,
        /^warning: There is no encryption key yet.* \.\/bin\/janua keys rotate encryption$/,
        /^warning: Mail is off.* Set MAIL_URL/,
      ];
      assert.equal(warnings.length, expected.length, warnings.join('\n'));
      for (const [index, pattern] of expected.entries()) assert.match(warnings[index] ?? '', pattern);
      const { stdout } = await workplace.run(['doctor'], { env });
      assert.match(stdout, /^ok {7}settings {4}.* accepts all settings\.\n/);
      assert.match(stdout, /\nwarning {2}public-url {5}Plain http .*\n {24}Fix: PUBLIC_URL=/);
      assert.match(stdout, /\n\nNothing is wrong; [45] warnings\.\n$/);
    });

    test('and administrators: members of `admins`, and users that a setting names, if they can sign in', async () => {
      await using workplace = await createMigratedWorkplace();
      const state = async (env = {}) => (await examine(workplace, env)).praise('administrators') !== '';
      const run = (...args: string[]) => workplace.run(args, { input: 'a few words that nobody guesses' });
      await run('users', 'add', 'ann@example.com', '--first-name', 'Ann', '--last-name', 'Archer');
      assert.equal(await state(), false);
      assert.equal(await state({ ADMINISTRATORS: 'Ann@example.com' }), true);
      await run('users', 'groups', 'ann@example.com', '--add', 'admins');
      assert.equal(await state(), true);
      change(workplace, 'update janua_users set disabled = 1');
      assert.equal(await state({ ADMINISTRATORS: 'ann@example.com' }), false);
      change(workplace, 'create table people (no integer primary key, email text collate nocase unique, secret text)');
      assert.equal(await state(mapped), false, 'no account of that table');
      change(workplace, "update janua_users set source_key = '1', login_name = null");
      assert.equal(await state(mapped), false, 'no row there');
      change(workplace, "insert into people values (1, 'ann@example.com', 'hash')");
      assert.equal(await state(mapped), true);
      assert.equal(await state(), false, 'none of its own');
      const inColumn = { ...mapped, USERS_COLUMNS: `${mapped.USERS_COLUMNS},groups=secret` };
      assert.equal(await state(inColumn), true, 'no column names administrators');
      change(workplace, "update people set secret = 'admins'; delete from janua_memberships");
      assert.equal(await state(inColumn), false);
    });

    test('and administrators of APPLY_FILE, before and after they are added', async () => {
      await using workplace = await createMigratedWorkplace();
      const file = join(workplace.folder, 'janua.yaml');
      const env = { APPLY_FILE: file };
      const look = async () => {
        const { praise, complaints } = await examine(workplace, env);
        return [praise('administrators'), ...complaints('administrators')].filter(Boolean).join();
      };
      const user = (name: string, groups: string) =>
        `{username: ${name}@example.com, first_name: A, last_name: B, groups: [${groups}]}`;
      const none = /^warning: There is no administrator, so that /;
      await writeFile(file, `name: a\nusers: [${user('Ben', '')}]`);
      assert.match(await look(), none);
      await writeFile(file, 'no: file');
      assert.match(await look(), none);
      await writeFile(file, `name: a\nusers: [${user('Ben', '')}, ${user('Ann', 'admins')}]`);
      assert.match(await look(), /^There is no administrator yet\. At its start, the server adds ann@example\.com by/);
      assert.equal((await workplace.run(['apply', file])).code, 0);
      assert.match(
        await look(),
        /^warning: No administrator can sign in yet: ann@example\.com of .*log.* users set-password ann@example\.com$/,
      );
      change(workplace, 'update janua_users set disabled = 1');
      assert.match(await look(), none);
      change(workplace, 'update janua_users set disabled = 0');
      const password = { input: 'a few words that nobody guesses' };
      assert.equal((await workplace.run(['users', 'set-password', 'ann@example.com'], password)).code, 0);
      assert.equal(await look(), 'There is an administrator.');
    });

    test('and backups, once there was one by --keep', async () => {
      await using workplace = await createMigratedWorkplace();
      const at = (hours: number) => Date.now() - hours * 3_600_000;
      const set = (backup: number, failed: number) =>
        change(
          workplace,
          `delete from janua_times; insert into janua_times values ('backup', ${backup}), ('backup-failed', ${failed})`,
        );
      const complaints = async () => (await examine(workplace)).complaints('backup');
      await workplace.run(['backup', '--keep', '1', '.']);
      assert.match(
        (await examine(workplace)).praise('backup'),
        /^The database is backed up: the last one is of \d{4}-/,
      );
      set(at(25), 0);
      assert.deepEqual(await complaints(), []);
      set(at(27), 0);
      assertOnly(
        await complaints(),
        /^warning: There is no backup of the last day; the last one is of .*backup --keep/,
      );
      set(at(2), at(1));
      assertOnly(await complaints(), /^warning: The last backup failed; the last one is of /);
      set(at(-8760), 0);
      assertOnly(await complaints(), /^warning: There is no backup of the last day; there is none\./);
      set(at(-8760), at(1));
      assertOnly(await complaints(), /^warning: The last backup failed; there is none\./);
    });

    test('and a mail server that is well, refuses the login, is silent or cannot be reached', async () => {
      await using workplace = await createMigratedWorkplace();
      await using smtp = await startScriptedSmtp();
      const MAIL_FROM = 'janua@example.com';
      const MAIL_URL = `smtp://janua:${canary}@127.0.0.1:${smtp.port}`;
      const good = await examine(workplace, { MAIL_URL, MAIL_FROM });
      const tried =
        /^The mail server smtp:\/\/127\.0\.0\.1:\d+ answers and takes the login\. Whether .* mail test ADDRESS\.$/;
      assert.match(good.praise('mail'), tried);
      const open = await examine(workplace, { MAIL_URL: `smtp://127.0.0.1:${smtp.port}`, MAIL_FROM });
      assert.match(open.praise('mail'), / answers\. Whether /);
      change(workplace, "insert into janua_times values ('mail-failing', 1000)");
      assert.deepEqual((await examine(workplace, { MAIL_URL, MAIL_FROM })).complaints('mail'), [], 'no mail waits');
      change(
        workplace,
        `insert into janua_mails (id, purpose, address, language, details, created_at, due_at, expires_at)
          values ('x', 'sign-up', 'eve@example.com', 'en', '{}', 0, 0, 99999999999999)`,
      );
      const failing = await examine(workplace, { MAIL_URL, MAIL_FROM });
      assert.match(failing.praise('mail'), tried);
      assertOnly(
        failing.complaints('mail'),
        /^wrong: The mail server has taken no mail since 1970-01-01T00:00:01\.000Z\. \.\/bin\/janua mail list shows why\./,
      );
      assert.match((await examine(workplace)).complaints('mail').join(), /^warning: Mail is off[^\n]*$/);
      change(workplace, 'delete from janua_times; delete from janua_mails');
      smtp.direct((command) => (command.startsWith('AUTH') ? { answer: '535 who are you' } : undefined));
      const refused = await examine(workplace, { MAIL_URL, MAIL_FROM });
      assertOnly(
        refused.complaints('mail'),
        /^wrong: .* cannot be used: Invalid login: 535 who are you\. Check MAIL_URL/,
      );
      smtp.direct(() => 'silence');
      const silent = await examine(workplace, { MAIL_URL, MAIL_FROM, STORE_TIMEOUT_SECONDS: '1' });
      assertOnly(silent.complaints('mail'), /^wrong: .* cannot be used: no answer within 0\.8 s\./);
      const gone = await examine(workplace, { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM });
      assertOnly(gone.complaints('mail'), /^wrong: .* cannot be used: connect ECONNREFUSED/);
      const wrong = await examine(workplace, { MAIL_URL: `smtp://${canary}@localhost` });
      assertOnly(wrong.complaints('mail'), /^warning: Not checked, because MAIL_URL or MAIL_FROM is wrong\./);
      assert.deepEqual(smtp.received, []);
    });

    test('and a setting that needs another one', async () => {
      await using workplace = await createMigratedWorkplace();
      const needs = await examine(workplace, { SIGN_UP: 'on' });
      assertOnly(needs.complaints('settings'), /^wrong: SIGN_UP=on needs .* Set MAIL_URL/);
      const half = await examine(workplace, { MAIL_URL: 'smtp://localhost' });
      assertOnly(half.complaints('settings'), /^wrong: MAIL_FROM must be set when MAIL_URL is/);
      assertOnly(half.complaints('mail'), /^warning: Not checked, because MAIL_URL or MAIL_FROM is wrong/);
    });

    test('and creates nothing in an empty folder, but makes all other checks', async () => {
      await using workplace = await createWorkplace();
      const { code, complaints } = await examine(workplace);
      assert.equal(code, 1);
      assertOnly(
        complaints('database'),
        /^wrong: DATABASE_URL: there is no such file yet\. Run: \.\/bin\/janua migrate$/,
      );
      for (const check of ['schema', 'sessions'])
        assertOnly(complaints(check), /^warning: Not checked, because the database/);
      assert.deepEqual(await readdir(workplace.folder), []);
    });

    test('and prints a line for each wrong setting, and uses the default instead', async () => {
      await using workplace = await createMigratedWorkplace();
      const env = {
        PORT: 'x',
        DOCS: 'x',
        SESSION_IDLE_SECONDS: '5',
        THEME_FILE: '/',
        PUBLIC_URL: `https://x/${canary}`,
      };
      const { complaints, praise } = await examine(workplace, { ...env, CORS_ORIGINS: '*' });
      assert.equal(complaints('settings').length, 6);
      assertOnly(complaints('public-url'), /^warning: Not checked, because PUBLIC_URL is wrong/);
      assert.match(praise('sessions'), /can be written/);
      const unsafe = await examine(workplace, { HOST: '0.0.0.0' });
      assert.match(
        unsafe.complaints('settings').join('\n'),
        /^wrong: PUBLIC_URL must be set .*\nwrong: HOST must be .*$/,
      );
      const typed = [
        'PUBLIC_URl',
        'MAIL_FORM',
        'DATABSE_URL',
        'SMTP_HOST',
        'MAIL_URL_FILE',
        'NODE_EXTRA_CA_CERTS',
        'TZ',
      ];
      const unknown = await examine(workplace, { JANUA_SETTINGS: ` ${typed.join(' ')}` });
      const says = (name: string, fix: string) =>
        `warning: ${name} is not a setting of Janua, which ignores it. ${fix}`;
      assert.deepEqual(unknown.complaints('settings'), [
        says('PUBLIC_URl', 'If you mean PUBLIC_URL, rename it.'),
        says('MAIL_FORM', 'If you mean MAIL_FROM, rename it.'),
        says('DATABSE_URL', 'If you mean DATABASE_URL, rename it.'),
        says('SMTP_HOST', 'Remove it. All settings: ./bin/janua serve --help'),
      ]);
      // Without a file: HOSTS is short, APP_NAME is set, and the others look like no setting.
      const other = { HOSTS: 'x', APP_NAMES: 'x', APP_NAME: 'x', SMTP_HOST: 'x', DATABASE: 'x' };
      const alone = await examine(workplace, { ...other, TRUSTED_PROXY: '10.0.0.1', MAIL_FORM: 'x' });
      assert.deepEqual(alone.complaints('settings'), [says('MAIL_FORM', 'If you mean MAIL_FROM, rename it.')]);
      const half = await examine(workplace, { USERS_TABLE: 'people' });
      assertOnly(half.complaints('users'), /^wrong: USERS_TABLE and USERS_COLUMNS go together/);
    });

    test('lists the hosts that programs open by HTTP Basic, and warns of plain http', async () => {
      await using workplace = await createWorkplace();
      const hosts = ['https://dav.example.com', 'http://cal.example.com'];
      const tokens = await examine(workplace, {
        ...{ PUBLIC_URL: 'https://auth.example.com', TRUSTED_PROXIES: '127.0.0.1', ALLOW_PLAIN_HTTP: 'on' },
        FORWARD_AUTH_ORIGINS: hosts.join(),
        FORWARD_AUTH_RULES: hosts.map((host) => `${host}=staff|basic`).join(),
      });
      assertOnly(tokens.complaints('settings'), /^warning: Tokens for http:\/\/cal\.example\.com cross the network/);
      assert.match(tokens.praise('settings'), /Programs open https:\/\/dav\.example\.com by HTTP Basic/);
    });

    test('lists the further headers, which a proxy must copy', async () => {
      await using workplace = await createWorkplace();
      const wiki = 'https://wiki.example.com';
      const { complaints, praise } = await examine(workplace, {
        ...{ PUBLIC_URL: 'https://auth.example.com', TRUSTED_PROXIES: '127.0.0.1', FORWARD_AUTH_ORIGINS: wiki },
        FORWARD_AUTH_HEADERS: `${wiki} Remote-Department=claim:department`,
      });
      assert.deepEqual(complaints('settings'), []);
      assert.match(
        praise('settings'),
        /https:\/\/wiki\.example\.com gets the header remote-department, which its proxy/,
      );
    });

    test('and says how PUBLIC_URL determines the accepted origin and passkeys', async () => {
      await using workplace = await createWorkplace();
      const https = await examine(workplace, {
        PUBLIC_URL: 'https://auth.example.com/',
      });
      assert.deepEqual(https.complaints('public-url'), []);
      assert.equal(
        https.praise('public-url'),
        'The server takes logins from pages of https://auth.example.com.\n' +
          'Passkeys belong to auth.example.com. With another domain, all of them would be lost.',
      );
      const plain = await examine(workplace, { PUBLIC_URL: 'http://auth.example.com', ALLOW_PLAIN_HTTP: 'on' });
      assert.match(plain.praise('public-url'), /Passkeys are off, because browsers do not allow them over plain http/);
      assertOnly(plain.complaints('public-url'), /^warning: Over plain http, passwords .* in the clear/);
      const atAddress = await examine(workplace, { PUBLIC_URL: 'https://192.0.2.1' });
      assertOnly(atAddress.complaints('public-url'), /^warning: Passkeys are off, because the host .* is an address/);
    });

    test('and compares the memory and the cores with HASHING_CONCURRENCY', async () => {
      await using workplace = await createWorkplace();
      const machine = first(`import os from 'node:os'; import { syncBuiltinESMExports } from 'node:module';
        os.freemem = () => 100 * 2 ** 20; os.availableParallelism = () => 2; syncBuiltinESMExports();`);
      const poor = await examine(workplace, { ...machine, HASHING_CONCURRENCY: '10' });
      // On a busy machine, the speed is a complaint too.
      const complaints = poor.complaints('hashing');
      const isSpeed = (text: string) =>
        /takes \d+ ms: at most \d+ logins a second, with HASHING_CONCURRENCY=10 on 2 cores/.test(text);
      assert.ok([poor.praise('hashing'), ...complaints].some(isSpeed), complaints.join());
      const [memory, cores, ...more] = complaints.filter((text) => !isSpeed(text));
      assert.match(
        memory ?? '',
        /^wrong: Hashing may take 190 MiB \(10 × 19\); 100 MiB are free\. HASHING_CONCURRENCY=2,/,
      );
      assert.match(cores ?? '', /^warning: HASHING_CONCURRENCY is beyond the 2 cores/);
      assert.deepEqual(more, []);

      const capacity = { milliseconds: 40, concurrency: 4, workers: 1, cores: 4, freeMebibytes: 76 };
      const states = (machine: Partial<typeof capacity>) =>
        [...judgeCapacity({ ...capacity, ...machine })].map(({ state }) => state);
      assert.deepEqual(states({}), ['ok', 'ok']);
      assert.deepEqual(states({ milliseconds: 1100 }), ['warning', 'ok']);
      assert.deepEqual(states({ freeMebibytes: 75 }), ['ok', 'wrong']);
      assert.deepEqual(states({ workers: 4, concurrency: 1 }), ['ok', 'ok']);
      assert.deepEqual(states({ workers: 4, concurrency: 1, freeMebibytes: 75 }), ['ok', 'wrong']);
      assert.deepEqual(states({ workers: 4, concurrency: 2, freeMebibytes: 200 }), ['ok', 'ok', 'warning']);
    });
  });

  describe('examines a SQLite file', { concurrency: 2 }, () => {
    test('that has no tables of Janua, or is no database', async () => {
      await using workplace = await createWorkplace();
      const path = join(workplace.folder, 'other.db');
      const env = { DATABASE_URL: 'sqlite:other.db' };
      await writeFile(path, '');
      assertOnly(
        (await examine(workplace, env)).complaints('schema'),
        /^wrong: .* tables yet\. Run: \.\/bin\/janua migrate$/,
      );
      await writeFile(path, 'this is a text, and no database at all, whatever its name says');
      assertOnly(
        (await examine(workplace, env)).complaints('database'),
        /^wrong: DATABASE_URL: the file cannot be opened/,
      );
      const unknown = await examine(workplace, { DATABASE_URL: `oracle://me:${canary}@db/x` });
      assertOnly(unknown.complaints('database'), /^wrong: DATABASE_URL must be sqlite:/);
    });

    test('whose tables are missing, older or newer', async () => {
      await using workplace = await createMigratedWorkplace();
      const path = join(workplace.folder, 'data/janua.db');
      const all = 'select * from janua_migrations';
      change(workplace, `create table kept as ${all}; delete from janua_migrations where name = '0.3-tables'`);
      const older = await examine(workplace);
      assertOnly(older.complaints('schema'), /^wrong: .* older version\. Run: \.\/bin\/janua migrate$/);
      assertOnly(older.complaints('sessions'), /^warning: Not checked, because Janua's tables/);
      change(
        workplace,
        `delete from janua_migrations; insert into janua_migrations select * from kept;
      insert into janua_migrations values ('9999-later', '2030')`,
      );
      assertOnly(
        (await examine(workplace)).complaints('schema'),
        /^warning: A newer version .* Start the newer version\.$/,
      );
      change(workplace, "update janua_migrations set name = '9999-takes-away' where name = '9999-later'");
      assertOnly(
        (await examine(workplace)).complaints('schema'),
        /^wrong: .* newer version .* Start the newer version\.$/,
      );
      for (const [statement, line] of [
        [
          'alter table janua_groups rename column description to other',
          / janua_groups differs .* Restore a backup, or grant /,
        ],
        [
          'drop table janua_passkey_offers',
          / janua_passkey_offers is gone, although Janua created it\. Restore a backup that has it\.$/,
        ],
      ] as const) {
        change(workplace, `delete from janua_migrations where name like '9999%'; ${statement}`);
        assertOnly((await examine(workplace)).complaints('schema'), line);
      }
      change(workplace, 'drop table janua_migrations');
      assertOnly(
        (await examine(workplace)).complaints('schema'),
        /^wrong: .* does not have Janua's tables yet\. Run: \.\/bin\/janua migrate$/,
      );
      assert.equal((await stat(path)).isFile(), true);
    });

    test('whose signing keys are old, if there are applications', async () => {
      await using workplace = await createMigratedWorkplace();
      assert.equal((await examine(workplace)).praise('signing-keys'), '');
      change(workplace, `${insertClient} ('a', 'A', null, '{"redirectUris":[]}', 0)`);
      assert.match((await examine(workplace)).praise('signing-keys'), /^Janua makes the signing keys when/);
      const insert = (days: number) =>
        `insert into janua_signing_keys values ('${days}', 'ES256', '', ${Date.now() - days * 86_400_000}, null)`;
      change(workplace, insert(400));
      assert.equal((await examine(workplace)).praise('signing-keys'), 'The age of the signing keys is 400 days.');
      change(workplace, insert(402));
      const old = /^warning: The signing keys are 402 days old\. .*janua keys rotate signing$/;
      const { complaints } = await examine(workplace, { SECOND_FACTOR: 'off' });
      assertOnly(complaints('signing-keys'), old);
      assertOnly(complaints('encryption'), /^wrong: Secrets .*: 2\./);
    });

    test('whose applications may leave out both PKCE and the nonce', async () => {
      await using workplace = await createMigratedWorkplace();
      const insert = (id: string, pkce?: string) =>
        `${insertClient} ('${id}', '${id}', '[]', '${JSON.stringify({ redirectUris: [], pkce })}', 0)`;
      for (const pkce of ['required', 'nonce', undefined, 'optional']) change(workplace, insert(`with ${pkce}`, pkce));
      const [noUrl, lax, ...more] = (await examine(workplace)).complaints('openid');
      assert.match(noUrl ?? '', /PUBLIC_URL/);
      assert.match(lax ?? '', /^warning: with optional .* neither PKCE nor a nonce.* clients set with optional --pkce/);
      assert.deepEqual(more, []);
    });

    test('whose secrets of clients expire, and whose programs have lost their grant', async () => {
      await using workplace = await createMigratedWorkplace();
      const day = 86_400_000;
      const secret = (name: string, days: number) => ({
        name,
        hash: 'x',
        createdAt: 0,
        expiresAt: Date.now() + days * day,
      });
      const secrets = [secret('past', -1), secret('soon', 13), secret('later', 15)];
      const insert = (id: string, machine: object | undefined) =>
        `${insertClient} ('${id}', '${id}', '${JSON.stringify(secrets)}', '${JSON.stringify({ redirectUris: [], machine })}', 0)`;
      const machine = { scopes: ['users:read'], within: ['staff'], may: {} };
      change(workplace, insert('app', undefined));
      change(workplace, insert('granted', machine));
      change(workplace, insert('orphan', { ...machine, grantedBy: 'nobody' }));
      change(workplace, `update janua_clients set secrets = '[]' where id <> 'app'`);
      const examined = await examine(workplace);
      const [, past, soon, orphan, ...more] = examined.complaints('openid');
      assert.match(past ?? '', /^warning: The secret past of app has expired on \d{4}-\d\d-\d\d\. .*secret add app/);
      assert.match(soon ?? '', /^warning: The secret soon of app expires on /);
      assert.match(orphan ?? '', /^warning: The program orphan can do nothing, .*clients remove orphan$/);
      assert.deepEqual(more, []);
      assert.match(
        examined.praise('openid'),
        /The program granted may use users:read within staff\. It was not used yet\./,
      );
    });

    test('whose applications do not find it, or have addresses that are not safe or not known', async () => {
      await using workplace = await createMigratedWorkplace();
      assert.equal((await examine(workplace)).praise('openid'), '');
      const redirects = ['http://localhost:3000/', 'http://192.0.2.1/', 'https://no-such-host.invalid/', 'app:/back'];
      const client = `${insertClient} ('a', 'Wiki', null, '${JSON.stringify({ redirectUris: redirects })}', 0)`;
      change(workplace, client);
      const [noUrl, plain, unknown, ...more] = (await examine(workplace)).complaints('openid');
      assert.match(noUrl ?? '', /^wrong: .* PUBLIC_URL is not set/);
      assert.match(plain ?? '', /^warning: Wiki gets its codes over plain http, at 192\.0\.2\.1\. .* clients set a /);
      assert.match(unknown ?? '', /^warning: No host no-such-host\.invalid is known here/);
      assert.deepEqual(more, []);

      let issuer = '';
      const server = createServer((_, response) => response.end(JSON.stringify({ issuer }))).listen(0);
      await once(server, 'listening');
      const PUBLIC_URL = `http://localhost:${(server.address() as AddressInfo).port}`;
      issuer = PUBLIC_URL;
      assert.match(
        (await examine(workplace, { PUBLIC_URL })).praise('openid'),
        /^Applications find http:\/\/localhost/,
      );
      issuer = 'https://elsewhere.example.com';
      const other = (await examine(workplace, { PUBLIC_URL })).complaints('openid');
      assert.match(other[0] ?? '', /^wrong: Another program, or Janua with another PUBLIC_URL, answers/);
      server.close();
      await once(server, 'close');
      const gone = (await examine(workplace, { PUBLIC_URL })).complaints('openid');
      assert.match(gone[0] ?? '', /^warning: From this machine, http:\/\/localhost:\d+ cannot be reached/);
    });

    test('whose encryption key is missing, foreign or open to others', async () => {
      await using workplace = await createMigratedWorkplace();
      const file = join(workplace.folder, 'data/janua.encryption-key');
      const [none = ''] = (await examine(workplace)).complaints('encryption');
      const [, fix = ''] = /^warning: There is no encryption key yet.* \.\/bin\/janua (.*)$/.exec(none) ?? [];
      assert.equal((await workplace.run(fix.split(' '))).code, 0);
      assert.match((await examine(workplace)).praise('encryption'), /decrypts all secrets/);
      await rm(file);
      const key = randomBytes(32);
      const write = (line: Buffer) => writeFile(file, `${line.toString('base64url')}\n`, { mode: 0o600 });
      const sealed = encrypt(key, Buffer.from(canary), 'janua_totp active:ann');
      change(workplace, `insert into janua_totp values ('active:ann', 'ann', '${sealed}', 0, 0, null)`);
      const lost = /^wrong: Secrets .* because their key is not here: 1\. .* \.\/bin\/janua keys rotate encryption$/;
      assertOnly((await examine(workplace)).complaints('encryption'), lost);
      await write(randomBytes(32));
      assertOnly((await examine(workplace)).complaints('encryption'), lost);
      await write(key);
      assert.equal(
        (await examine(workplace)).praise('encryption'),
        'The encryption key decrypts all secrets in the database.',
      );
      await chmod(file, 0o644);
      assertOnly(
        (await examine(workplace)).complaints('encryption'),
        /^wrong: Other accounts .* Run: chmod 600 \/\S+\/data\/janua\.encryption-key$/,
      );
      await chmod(file, 0o600);
      const { username } = userInfo();
      assertOnly(
        (await examine(workplace, shutting('janua.encryption-key'))).complaints('encryption'),
        new RegExp(`^wrong: The encryption .* ${username} may not read ${file}\\. .* chown ${username} ${file}$`),
      );
      const off = await examine(workplace, { SECOND_FACTOR: 'off' });
      assert.deepEqual([off.complaints('encryption'), off.praise('encryption')], [[], '']);
    });

    test('that other accounts can read, or whose disk is nearly full', async () => {
      await using workplace = await createMigratedWorkplace();
      assert.match((await examine(workplace)).praise('file'), /mode 0600.*\nIts disk has \d+ [MG]iB free/);
      await chmod(join(workplace.folder, 'data/janua.db'), 0o640);
      assertOnly(
        (await examine(workplace)).complaints('file'),
        /^warning: .* mode 0640.* chmod 600 \.\/data\/janua\.db$/,
      );
      assert.equal(judgeSpace(100).state, 'ok');
      assert.equal(judgeSpace(99.9).state, 'warning');
      assert.deepEqual(
        [2047, 50_599].map((free) => judgeSpace(free)).map(({ message, values }) => interpolate(message, values)),
        ['Its disk has 2047 MiB free.', 'Its disk has 49 GiB free.'],
      );
    });
  });

  describe("examines a team's own table", { concurrency: 2 }, () => {
    test('and counts the passwords that Janua cannot verify, by scheme', async () => {
      await using workplace = await createMigratedWorkplace();
      change(workplace, 'create table people (no integer primary key, email text collate nocase unique, secret text)');
      const add = (count: number, secret: string) =>
        change(
          workplace,
          `with recursive n(i) as (select 1 union all select i + 1 from n where i < ${count})
          insert into people (email, secret) select hex(randomblob(8)) || '@x', ${secret} from n`,
        );
      assert.match((await examine(workplace, mapped)).praise('users'), /No passwords are stored yet/);
      add(150, "'$1$' || i");
      const unusable = await examine(workplace, mapped);
      assertOnly(unusable.complaints('users'), /^wrong: Of 150 .*, Janua cannot verify 150 \(150 \$1\$\)/);
      add(3, "'x'");
      add(150, `'${bcrypt}'`);
      const some = await examine(workplace, mapped);
      assertOnly(some.complaints('users'), /^warning: Of 303 .*, Janua cannot verify 153 \(150 \$1\$, 3 unknown\)/);
      change(workplace, "delete from people where secret not like '$2b$%'");
      const { complaints, praise } = await examine(workplace, mapped);
      assert.deepEqual(complaints('users'), []);
      assert.match(
        praise('users'),
        /^Users are in the table people\.\nOf 150 stored passwords, Janua can verify all\.$/,
      );
    });

    test('that cannot work, or lacks an index or a password', async () => {
      await using workplace = await createMigratedWorkplace();
      change(workplace, 'create table behind (no integer primary key, email text unique, secret text)');
      change(workplace, 'create view people as select * from behind');
      const view = await examine(workplace, mapped);
      assert.equal(view.code, 1);
      assert.match(
        view.complaints('users')[0] ?? '',
        /^wrong: USERS_TABLE: people is a view\. Name the table behind it/,
      );
      change(workplace, 'drop view people; alter table behind rename to people');
      change(workplace, `insert into people values (1, 'Ann@Example.com', null)`);
      const { code, complaints } = await examine(workplace, mapped);
      assert.equal(code, 1);
      assertOnly(
        complaints('users'),
        /^wrong: .* by an index that respects case: .* CREATE UNIQUE INDEX .* COLLATE NOCASE\);$/,
      );
      change(workplace, 'create unique index by_email on people (email collate nocase)');
      const indexed = await examine(workplace, mapped);
      assert.equal(indexed.code, 0);
      assertOnly(indexed.complaints('users'), /^warning: USERS_COLUMNS: secret is NULL in some rows/);
      const absent = await examine(workplace, { ...mapped, USERS_TABLE: 'nobody' });
      assertOnly(absent.complaints('users'), /^wrong: USERS_TABLE: there is no table nobody/);
    });
  });

  test('warns from 2 s that clocks differ, and reports 30 s as wrong', () => {
    function judge(seconds: number): string {
      const { state, message, fix = '', values } = judgeClock('Redis', seconds);
      return interpolate([state, message, fix].join(' '), values).trimEnd();
    }
    assert.match(judge(1.9), /^ok The clocks of this machine and of Redis differ by less than 2 s\.$/);
    assert.match(judge(2), /^warning .* is 2\.0 s ahead of that of Redis\. Let both .* NTP/);
    assert.match(judge(-29.9), /^warning .* is 29\.9 s behind that of Redis/);
    for (const seconds of [30, -30]) assert.match(judge(seconds), /^wrong .* refuse the sessions/);
  });

  test('refuses a Redis that is too old, and accepts Valkey', () => {
    const states = (information: string) =>
      [...judgeInformation(information)].map(({ state, message }) => `${state}: ${message}`);
    assert.deepEqual(states('# Server\r\nredis_version:5.0.14\r\n'), ['wrong: Redis 5.0.14 is too old.']);
    assert.deepEqual(states('redis_version:6.0.0\r\n'), ['ok: The server is Redis 6.0.0.']);
    assert.deepEqual(states('redis_version:7.2.4\nvalkey_version:8.1.0\n'), ['ok: The server is Valkey 8.1.0.']);
  });
});

async function inPostgres(url: string, statement: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(statement);
  await client.end();
}

async function inMariadb(url: string, statement: string): Promise<void> {
  const connection = await createConnection(url);
  await connection.query(statement);
  await connection.end();
}
