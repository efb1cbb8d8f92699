import assert from 'node:assert/strict';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { rows } from '../../src/ground/database/schema.ts';
import { createMigratedWorkplace, createWorkplace, shutting } from './janua-command.ts';

const password = 'a few words that nobody guesses';

/** What a client can show, or an application uses, to act for a user. */
const tablesOfCredentials = [
  ...(['janua_sessions', 'janua_pending_logins', 'janua_trusted_browsers', 'janua_tokens'] as const),
  ...(['janua_access_tokens', 'janua_oidc_records', 'janua_consents'] as const),
];

test('a backup under load has every user and session that was acknowledged before, and a server starts on it', async () => {
  await using workplace = await createMigratedWorkplace();
  const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
  await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: password });
  const running = await workplace.start(['serve'], { THROTTLE: 'off' });
  running.process.stdout.resume();

  const tokens: string[] = [];
  let over = false;
  async function logIn(): Promise<void> {
    const body = new URLSearchParams({ username: 'ann@example.com', password });
    const answer = await fetch(`${running.url}/api/login`, { method: 'POST', body });
    assert.equal(answer.status, 200);
    tokens.push(((await answer.json()) as { access_token: string }).access_token);
  }
  async function logInAgainAndAgain(): Promise<void> {
    while (!over) await logIn();
  }
  async function untilLoggedIn(times: number): Promise<void> {
    while (tokens.length < times) await setTimeout(5);
  }
  await logIn();
  const made = await fetch(`${running.url}/api/account/tokens`, {
    method: 'POST',
    headers: { authorization: `Bearer ${tokens[0]}` },
    body: new URLSearchParams({ name: 'Report', expires_in_days: '1' }),
  });
  const { token: personalToken } = (await made.json()) as { token: string };
  const load = Promise.all(Array.from({ length: 4 }, logInAgainAndAgain));
  const copies: { file: string; acknowledged: string[] }[] = [];
  for (let number = 1; number <= 3; number++) {
    await untilLoggedIn(4 * number);
    const acknowledged = [...tokens];
    const file = join(workplace.folder, `backup-${number}.db`);
    const { code, stdout, stderr } = await workplace.run(['backup', file]);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, `The database is in ${file}.\n`);
    copies.push({ file, acknowledged });
  }
  await untilLoggedIn((copies.at(-1)?.acknowledged.length ?? 0) + 1);
  over = true;
  await load;
  await running.stop();
  const { file, acknowledged } = copies.at(-1) ?? { file: '', acknowledged: [] };

  for (const copy of copies) assert.equal((await stat(copy.file)).mode & 0o777, 0o600);
  assert.ok(!(await readdir(workplace.folder)).some((name) => name.endsWith('.part')));
  const database = new DatabaseSync(file, { readOnly: true });
  assert.deepEqual(database.prepare('pragma integrity_check').all().map(Object.values), [['ok']]);
  database.close();

  await using other = await createWorkplace();
  await mkdir(join(other.folder, 'data'));
  await copyFile(file, join(other.folder, 'data', 'janua.db'));
  const restored = await other.start(['serve']);
  restored.process.stdout.resume();
  const statusOf = async (token: string) =>
    (await fetch(`${restored.url}/api/me`, { headers: { authorization: `Bearer ${token}` } })).status;
  for (const token of [personalToken, ...acknowledged]) assert.equal(await statusOf(token), 200);
  const body = new URLSearchParams({ username: 'ann@example.com', password });
  assert.equal((await fetch(`${restored.url}/api/login`, { method: 'POST', body })).status, 200);
  await restored.stop();

  // As in docs/running.md: what has ended after the backup must not live again.
  await using another = await createWorkplace();
  await mkdir(join(another.folder, 'data'));
  await copyFile(file, join(another.folder, 'data', 'janua.db'));
  const guide = await readFile(new URL('../../docs/running.md', import.meta.url), 'utf8');
  const [, statements = ''] = /sqlite3 \/var\/lib\/janua\/janua\.db '([^']+)'/.exec(guide) ?? [];
  const restoredFile = new DatabaseSync(join(another.folder, 'data', 'janua.db'));
  for (const table of tablesOfCredentials) {
    const columns = Object.entries(rows[table]);
    const values = columns.map(([, value]) => (typeof value === 'number' ? Number.MAX_SAFE_INTEGER : "'x'"));
    restoredFile.exec(`insert into ${table} (${columns.map(([name]) => name)}) values (${values})`);
  }
  restoredFile.exec(statements);
  for (const table of tablesOfCredentials)
    assert.deepEqual(restoredFile.prepare(`select * from ${table}`).all(), [], table);
  restoredFile.close();
  // The guide runs `janua doctor` first. The next command would switch the file to WAL mode on its own.
  const { code, stdout } = await another.run(['doctor']);
  assert.equal(code, 0, stdout);
  assert.equal((await another.run(['sessions', 'list', 'ann@example.com'])).stdout, 'There are no sessions.\n');
  const again = await another.start(['serve']);
  again.process.stdout.resume();
  for (const secret of [personalToken, ...acknowledged]) {
    const answer = await fetch(`${again.url}/api/me`, { headers: { authorization: `Bearer ${secret}` } });
    assert.equal(answer.status, 401);
  }
});

test('a backup replaces no file, and names the obstacle', async () => {
  await using workplace = await createMigratedWorkplace();
  const refused = async (file: string, line: RegExp, env: Record<string, string> = {}) => {
    const { code, stderr } = await workplace.run(['backup', file], { env });
    assert.equal(code, 2, stderr);
    assert.match(stderr, line);
  };
  const there = join(workplace.folder, 'there');
  await writeFile(there, 'something');
  await refused(there, /there already exists\. Choose another file name, or name a folder with --keep\.\n$/);
  assert.equal((await stat(there)).size, 9);
  const make = new RegExp(
    `there is no such folder\\. Make it: install -d -m 0700 -o ${userInfo().username} /\\S+/nowhere\\n$`,
  );
  await refused(join('nowhere', 'x'), make);
  await refused(join('there', 'x'), /^there\/x cannot be written, because there is not a folder\. Name a folder\.\n$/);
  await refused(
    join('shut', 'x'),
    /the account (\S+) may not write to \S+shut\. .*as root: install .*-o \1 FOLDER\n$/,
    shutting('shut/x'),
  );
  await refused('x', /^DATABASE_URL: there is no such file\.\n$/, { DATABASE_URL: 'sqlite:./other.db' });
  await refused('x', /pg_dump or mariadb-dump/, { DATABASE_URL: 'postgres://janua@localhost/janua' });
  await writeFile(join(workplace.folder, 'broken.db'), 'no database'.repeat(100));
  await refused('x', /^x cannot be written \(file is not a database\)/, { DATABASE_URL: 'sqlite:./broken.db' });
  assert.deepEqual((await readdir(workplace.folder)).sort(), ['broken.db', 'data', 'there']);
});

test('a name that looks like a SQLite URI is a plain file name', async () => {
  await using workplace = await createMigratedWorkplace();
  for (const name of ['file:copy.db', 'file:copy?mode=memory']) {
    const { code, stderr } = await workplace.run(['backup', name]);
    assert.equal(code, 0, stderr);
    const file = join(workplace.folder, name);
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    assert.equal((await readFile(file)).toString('latin1', 0, 15), 'SQLite format 3');
  }
  assert.deepEqual((await readdir(workplace.folder)).sort(), ['data', 'file:copy.db', 'file:copy?mode=memory']);
});

test('a backup that a signal ends leaves no file of the given name, and stands in the way of no other', async () => {
  await using workplace = await createMigratedWorkplace();
  const large = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'));
  large.exec(`CREATE TABLE large (bytes); INSERT INTO large
    WITH RECURSIVE rows (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM rows WHERE n < 100) SELECT zeroblob(1000000) FROM rows`);
  large.close();
  const partOf = async () => (await readdir(workplace.folder)).find((name) => name.endsWith('.part'));
  async function stop(): Promise<NodeJS.Signals | null> {
    const child = workplace.launch(['backup', 'copy.db'], {});
    const closed = once(child, 'close');
    while (child.exitCode === null && (await partOf()) === undefined) await setTimeout(1);
    child.kill('SIGTERM');
    return (await closed)[1];
  }
  let signal = await stop();
  // On a busy machine the backup may end before the signal arrives.
  for (let tries = 1; signal === null && tries < 10; tries += 1) {
    await rm(join(workplace.folder, 'copy.db'), { force: true });
    signal = await stop();
  }
  assert.equal(signal, 'SIGTERM');
  const part = (await partOf()) ?? '';
  // SQLite may have begun a journal of the part; it belongs to no other backup.
  const left = (await readdir(workplace.folder)).filter((name) => name !== `${part}-journal`);
  assert.deepEqual(left.sort(), [part, 'data']);
  assert.equal((await stat(join(workplace.folder, part))).mode & 0o777, 0o600);
  assert.equal((await workplace.run(['backup', 'copy.db'])).code, 0);
});

describe('janua backup --keep', () => {
  const nameOf = (hour: number) => `janua-2026-11-29T0${hour}-00-00-000Z.db`;

  async function openFolder() {
    const workplace = await createMigratedWorkplace();
    const names = ['--first-name', 'Ann', '--last-name', 'Archer'];
    await workplace.run(['users', 'add', 'ann@example.com', ...names], { input: password });
    const folder = join(workplace.folder, 'backups');
    await mkdir(folder);
    const times = () => {
      using database = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'), { readOnly: true });
      const rows = database.prepare('select name, at from janua_times').all();
      return Object.fromEntries(rows.map(({ name, at }) => [String(name), Number(at)]));
    };
    return { workplace, folder, times, [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose]() };
  }

  test('keeps the latest ones, once the new one is verified, and removes no other file', async () => {
    await using opened = await openFolder();
    const { workplace, folder, times } = opened;
    // A file with a name of ours from the future, after the clock was set back, is not newer than the new one.
    const others = ['janua.db', 'janua-2026.db', `${nameOf(1)}.part`, `x${nameOf(1)}`];
    const old = [nameOf(1), nameOf(2), nameOf(3), 'janua-2999-11-29T03-00-00-000Z.db'];
    for (const name of [...others, ...old]) await writeFile(join(folder, name), 'a backup');
    await mkdir(join(folder, nameOf(0)));
    const begun = Date.now();
    const { code, stdout, stderr } = await workplace.run(['backup', '--keep', '3', 'backups']);
    assert.equal(code, 0, stderr);
    const [, made = ''] =
      /^The database is in backups\/(\S+), and can be restored: users: 1, sessions: 0\.\n$/.exec(stdout) ?? [];
    assert.deepEqual((await readdir(folder)).toSorted(), [...others, ...old.slice(2), made, nameOf(0)].toSorted());
    assert.equal((await stat(join(folder, made))).mode & 0o777, 0o600);
    assert.ok((times().backup ?? 0) >= begun);
    assert.equal(times()['backup-failed'], 0);
  });

  test('that fails removes nothing, leaves nothing, and is remembered', async () => {
    await using opened = await openFolder();
    const { workplace, folder, times } = opened;
    for (const hour of [1, 2]) await writeFile(join(folder, nameOf(hour)), 'a backup');
    const names = (await readdir(folder)).toSorted();
    const missing = await workplace.run(['backup', '--keep', '1', 'nowhere']);
    assert.deepEqual(
      [missing.code, /there is no such folder.*install -d .*nowhere/.test(missing.stderr)],
      [2, true],
      missing.stderr,
    );
    assert.deepEqual(Object.keys(times()), ['backup-failed']);
    const file = new DatabaseSync(join(workplace.folder, 'data', 'janua.db'));
    file.exec('alter table janua_sessions rename to away');
    file.close();
    const unusable = await workplace.run(['backup', '--keep', '1', 'backups']);
    assert.equal(unusable.code, 2);
    assert.match(
      unusable.stderr,
      /janua-[\w-]+\.db cannot be restored \(.*janua_sessions is gone, although Janua created it/,
    );
    assert.deepEqual((await readdir(folder)).toSorted(), names);
  });

  test('--verify restores a copy, and names what is wrong with a file', async () => {
    await using opened = await openFolder();
    const { workplace, folder } = opened;
    const verify = async (file: string) => {
      const { code, stdout, stderr } = await workplace.run(['backup', '--verify', file]);
      return [code, stdout + stderr] as const;
    };
    await workplace.run(['backup', 'copy.db']);
    const before = await readFile(join(workplace.folder, 'copy.db'));
    assert.deepEqual(await verify('copy.db'), [0, 'copy.db can be restored: users: 1, sessions: 0.\n']);
    assert.deepEqual(await readFile(join(workplace.folder, 'copy.db')), before);

    const changed = async (name: string, statement: string) => {
      await copyFile(join(workplace.folder, 'copy.db'), join(workplace.folder, name));
      using file = new DatabaseSync(join(workplace.folder, name));
      file.exec(statement);
    };
    const last = "name like '0.3-tables%'";
    await changed('older.db', `drop table janua_not_before; delete from janua_migrations where ${last}`);
    await changed('newer.db', "insert into janua_migrations values ('2999-01-01-x-takes-away', '2999-01-01')");
    await changed('other.db', 'drop table janua_migrations');
    await writeFile(join(workplace.folder, 'broken.db'), before.fill(1, 4096 * 4, 4096 * 5));
    await writeFile(join(workplace.folder, 'text.db'), 'no database'.repeat(100));
    assert.deepEqual(await verify('older.db'), [0, 'older.db can be restored: users: 1, sessions: 0.\n']);
    for (const [name, reason] of [
      ['newer.db', /of a newer version than this server/],
      ['other.db', /does not have Janua's tables/],
      ['broken.db', /damaged|malformed/],
      ['text.db', /file is not a database/],
    ] as const) {
      const [code, text] = await verify(name);
      assert.equal(code, 2, text);
      assert.match(text, new RegExp(`^${name} cannot be restored \\(.*${reason.source}.*Make another backup`));
    }
    assert.deepEqual(await verify('none.db'), [2, `There is no file ${join(workplace.folder, 'none.db')}.\n`]);
    assert.deepEqual(await verify('backups'), [2, `${folder} is a folder. Name a backup in it.\n`]);
  });
});
