import assert from 'node:assert/strict';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { createMigratedWorkplace, type Workplace } from './janua-command.ts';

const USERS_COLUMNS = 'id=no,username=email,password=secret';
const people = { USERS_TABLE: 'people', USERS_COLUMNS };

function change({ folder }: Workplace, statements: string): void {
  const database = new DatabaseSync(join(folder, 'data/janua.db'));
  database.exec(statements);
  database.close();
}

async function open() {
  const workplace = await createMigratedWorkplace();
  change(
    workplace,
    `create table people (no integer primary key, email text collate nocase unique, secret text,
       login text collate nocase unique, code text unique);
     insert into people (no, email, secret) values
       (1, 'ann@example.com', 'hash'), (2, 'bob@example.com', 'hash'), (3, 'cy@example.com', 'hash')`,
  );
  const own = await workplace.run(['users', 'add', 'own@example.com', '--first-name', 'O', '--last-name', 'O'], {
    input: 'correct horse battery',
  });
  assert.equal(own.code, 0, own.stderr);
  /** The names that `janua users list` prints. */
  async function list(env: Readonly<Record<string, string>> = {}): Promise<string[]> {
    const { code, stdout, stderr } = await workplace.run(['users', 'list', '--json'], { env });
    assert.equal(code, 0, stderr);
    const lines = stdout.split('\n').filter(Boolean);
    return lines.map((line) => (JSON.parse(line) as { username: string }).username);
  }
  return { workplace, list, [Symbol.asyncDispose]: () => workplace[Symbol.asyncDispose]() };
}

test('people of a table come by a command, and count for as long as the table is set', async () => {
  await using opened = await open();
  const { workplace, list } = opened;
  const run = (...args: string[]) => workplace.run(args, { env: people });
  assert.deepEqual(await list(people), []);
  assert.equal((await run('users', 'sync')).stdout, 'Added 3, changed 0, ended 0.\n');
  const all = ['ann@example.com', 'bob@example.com', 'cy@example.com'];
  assert.deepEqual(await list(people), all);
  assert.deepEqual(await list(), ['own@example.com'], 'without the table');
  assert.deepEqual(await list(people), all, 'with it again');

  change(workplace, 'create table kept as select * from people; delete from people');
  const emptied = await run('users', 'sync');
  assert.equal(emptied.code, 1);
  assert.match(emptied.stderr, /3 accounts have no row in USERS_TABLE, or one with another name\..*sync --force/s);
  change(workplace, 'insert into people select * from kept');
  assert.equal((await run('users', 'sync')).stdout, 'Added 0, changed 0, ended 0.\n');
  const unset = await workplace.run(['users', 'sync']);
  assert.deepEqual([unset.code, unset.stderr], [1, 'USERS_TABLE is not set, so there is no table to sync with.\n']);
});

test('doctor finds no administrator once the row of the only one has another name, or no password', async () => {
  await using opened = await open();
  const { workplace } = opened;
  const administrators = async (env: Readonly<Record<string, string>> = people) => {
    const { stdout } = await workplace.run(['doctor', '--json'], { env });
    const lines = stdout.split('\n').filter(Boolean);
    const found = lines.map((line) => JSON.parse(line) as { check: string; message: string });
    return found.flatMap(({ check, message }) => (check === 'administrators' ? [message] : []));
  };
  const missing = ['There is no administrator, so that no page shows users, events or settings.'];
  assert.deepEqual(await administrators(), missing);
  const added = await workplace.run(['users', 'groups', 'ann@example.com', '--add', 'admins'], { env: people });
  assert.equal(added.code, 0, added.stderr);
  assert.deepEqual(await administrators(), ['There is an administrator.']);
  change(workplace, 'update people set secret = null where no = 1');
  assert.deepEqual(await administrators(), missing);
  change(workplace, "update people set secret = 'hash', email = 'eve@example.com' where no = 1");
  assert.deepEqual(await administrators(), missing);
  assert.deepEqual(
    await administrators({ ...people, USERS_TABLE: 'nowhere' }),
    [],
    'the check of the table reports it',
  );
});

test('another table is refused, unless it only has a new name', async () => {
  await using opened = await open();
  const { workplace, list } = opened;
  await workplace.run(['users', 'sync'], { env: people });
  change(workplace, 'alter table people rename to staff');
  const staff = { ...people, USERS_TABLE: 'staff' };
  const refused = await workplace.run(['users', 'list'], { env: staff });
  assert.equal(refused.code, 2);
  assert.match(
    refused.stderr,
    /^USERS_TABLE: the accounts that Janua has came from people\.no, and not staff\.no\. .*\.\/bin\/janua users moved\n$/,
  );
  const moved = await workplace.run(['users', 'moved'], { env: staff });
  assert.deepEqual([moved.code, moved.stdout], [0, 'The accounts belong to staff.no, with reusable ids.\n']);
  assert.deepEqual(await list(staff), ['ann@example.com', 'bob@example.com', 'cy@example.com']);
  for (const [other, expected] of [
    [{ ...staff, USERS_ID: 'permanent' }, /^USERS_ID: the accounts .* reusable, and not permanent\./],
    [
      { ...staff, USERS_COLUMNS: 'id=no,username=login,password=secret' },
      /^USERS_COLUMNS: the names .* email, and not login\./,
    ],
    [
      { ...staff, USERS_COLUMNS: 'id=code,username=email,password=secret' },
      /^USERS_TABLE: .* staff\.no, and not staff\.code\./,
    ],
  ] as const) {
    const { code, stderr } = await workplace.run(['users', 'sync'], { env: other });
    assert.equal(code, 2);
    assert.match(stderr, expected);
  }
  const missing = await workplace.run(['users', 'moved'], { env: { ...staff, USERS_TABLE: 'nowhere' } });
  assert.equal(missing.code, 2);
});

test('a table in which an id stands for another name is taken for the same one only if their accounts may end', async () => {
  await using opened = await open();
  const { workplace, list } = opened;
  await workplace.run(['users', 'sync'], { env: people });
  change(workplace, 'alter table people add number integer; create unique index numbers on people (number)');
  change(workplace, 'update people set number = 4 - no');
  const others = { ...people, USERS_COLUMNS: 'id=number,username=email,password=secret', USERS_ID: 'permanent' };
  const moved = await workplace.run(['users', 'moved'], { env: others });
  assert.deepEqual(
    [moved.code, moved.stderr],
    [
      1,
      'Accounts whose id has no row in the present USERS_TABLE, or one with another name: 2. ' +
        'If these users have left, or are other people now, end their accounts: ./bin/janua users moved --force\n',
    ],
  );
  assert.deepEqual((await list(people)).length, 3);
  assert.equal((await workplace.run(['users', 'list'], { env: others })).code, 2);
  const forced = await workplace.run(['users', 'moved', '--force'], { env: others });
  assert.equal(forced.stdout, 'The accounts belong to people.number, with permanent ids. Ended: 2.\n');
  assert.deepEqual(await list(others), ['bob@example.com']);
  const { stdout: lines } = await workplace.run(['audit', '--json'], { env: others });
  const events = lines
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, string>);
  assert.deepEqual(
    events.flatMap(({ kind, reason, about }) => (/^user(?:-left|s-synced)$/.test(kind ?? '') ? [reason ?? about] : [])),
    ['added 3, changed 0, left 0', 'renamed', 'renamed', 'moved to people.number, with permanent ids, left 2'],
  );
  assert.equal((await workplace.run(['users', 'sync'], { env: others })).stdout, 'Added 2, changed 0, ended 0.\n');
});

test('a file adds people of a table to groups, and neither adds nor renames them', async () => {
  await using opened = await open();
  const { workplace } = opened;
  const apply = async (user: string) => {
    const input = `name: production\ngroups: [{name: staff}]\nusers: [${user}]`;
    const { code, stdout, stderr } = await workplace.run(['apply', '-'], { env: people, input, alone: true });
    return { code, text: stdout + stderr };
  };
  const added = await apply('{username: ann@example.com, groups: [staff, admins]}');
  assert.equal(added.code, 0, added.text);
  assert.match(added.text, /~ user ann@example.com\n {4}groups: \[\] -> \["admins","staff"\]\n/);
  assert.doesNotMatch(added.text, /token=/, 'Janua does not set passwords there');
  assert.equal((await apply('{username: ann@example.com, groups: [staff, admins]}')).text, 'No changes.\n');
  for (const user of [
    '{username: new@example.com, first_name: N, last_name: N}',
    '{username: ann@example.com, last_name: Archer}',
  ]) {
    const { code, text } = await apply(user);
    assert.equal(code, 1, text);
    assert.match(text, /^user \S+: USERS_TABLE is a table of your own/);
  }
  const exported = await workplace.run(['export', '--apply', '--users'], { env: people });
  assert.deepEqual([exported.code, exported.stdout], [1, '']);
});
