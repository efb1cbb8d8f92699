import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { describe, test } from 'node:test';
import { type Employee, inventPeople, mostPeople } from '../../examples/employees/people.ts';
import { createProgress } from '../../examples/employees/progress.ts';
import { isMissingTable } from '../../src/ground/database/errors.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { createWorkplace } from '../commands/janua-command.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { missing } from '../servers/missing.ts';
import { openUserDatabase, type UserEngine } from '../stores.ts';
import { interruptEmployees, makeEmployees } from './employees-command.ts';

const seed = [
  { username: 'pranav.furedi.10198@gmail.com', first_name: 'Pranav', last_name: 'Furedi' },
  { username: 'behai_nguyen@hotmail.com', first_name: 'Be Hai', last_name: 'Doe' },
];

/** A database for this test, and a folder to run commands in. */
async function createPlace(engine: UserEngine) {
  const workplace = await createWorkplace();
  const database =
    engine === 'SQLite' ? { url: 'sqlite:./data/employees.db', drop: async () => {} } : await openUserDatabase(engine);
  return {
    workplace,
    folder: workplace.folder,
    env: { DATABASE_URL: database.url },
    /** All rows, or undefined if there is no table. */
    async readEmployees(): Promise<readonly Employee[] | undefined> {
      const opened = await openTestDatabase(database.url.replace('./', `${workplace.folder}/`));
      try {
        return (await sql<Employee>`select * from employees order by emp_no`.execute(opened.database)).rows;
      } catch (error) {
        assert.ok(isMissingTable(error), String(error));
        return undefined;
      } finally {
        await opened.database.destroy();
      }
    },
    async [Symbol.asyncDispose]() {
      await workplace[Symbol.asyncDispose]();
      await database.drop();
    },
  };
}

async function signIn(url: string, username: string): Promise<unknown> {
  const login = await fetch(`${url}/api/login`, {
    method: 'POST',
    body: new URLSearchParams({ username, password: 'password' }),
  });
  assert.equal(login.status, 200, username);
  const { access_token } = (await login.json()) as { access_token: string };
  return (await fetch(`${url}/api/me`, { headers: { authorization: `Bearer ${access_token}` } })).json();
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the employees in ${engine}`, { skip: missing(engine) }, () => {
    test('can sign in with the settings that the command prints', async () => {
      await using place = await createPlace(engine);
      const made = await makeEmployees(place.folder, place.env, '--people', '1000');
      assert.equal(made.code, 0, made.stderr);
      assert.match(made.stderr, /^1,000 of 1,000\n$/);
      assert.match(made.stdout, /has 1,000 people\./);
      const settings = [...made.stdout.matchAll(/export (\w+)=(\S+)/g)].map(([, name, value]) => [name, value]);
      const env = { ...place.env, ...Object.fromEntries(settings) };

      const migrated = await place.workplace.run(['migrate'], { env });
      assert.equal(migrated.code, 0, migrated.stderr);
      const server = await place.workplace.start(['serve'], { ...env, DRAIN_SECONDS: '0' });
      assert.doesNotMatch(server.output, /users_table|"level":(?:40|50|60)/);
      for (const user of seed) {
        assert.ok(made.stdout.includes(user.username));
        assert.deepEqual(await signIn(server.url, user.username), user);
      }
      const [other] = inventPeople(1000);
      const { email, first_name, last_name } = other as Employee;
      assert.deepEqual(await signIn(server.url, email.toUpperCase()), { username: email, first_name, last_name });
      await server.stop();
    });

    test('are never changed by a second run', async () => {
      await using place = await createPlace(engine);
      assert.equal((await makeEmployees(place.folder, place.env, '--people', '1200')).code, 0);
      const { code, stdout, stderr } = await makeEmployees(place.folder, place.env, '--people', '1000');
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^The table employees already exists.*DROP TABLE employees;\n$/);
      assert.equal((await place.readEmployees())?.length, 1200);
    });

    test('are not created at all if the command is interrupted', async () => {
      await using place = await createPlace(engine);
      const { code, last } = await interruptEmployees(place.folder, place.env);
      assert.deepEqual([code, last], [130, 'Interrupted: the table employees was not made.']);
      assert.equal(await place.readEmployees(), undefined);
    });
  });
}

test('the invented employees are as many as in the sample database, all different, and fit its columns', () => {
  const numbers = new Set<number>();
  const addresses = new Set<string>();
  for (const { emp_no, first_name, last_name, email, birth_date, hire_date } of inventPeople(mostPeople)) {
    numbers.add(emp_no);
    addresses.add(email);
    assert.ok(first_name.length <= 14 && last_name.length <= 16, email);
    assert.ok(hire_date > birth_date && /^\d{4}-\d\d-\d\d$/.test(hire_date), email);
    if (!seed.some(({ username }) => username === email)) assert.match(email, /^[a-z]+\.[a-z]+\.\d+@example\.com$/);
  }
  assert.deepEqual([numbers.size, addresses.size], [300_024, 300_024]);
  assert.ok(numbers.has(10_001) && numbers.has(310_023) && numbers.has(500_222));
  assert.deepEqual([...inventPeople(1000)], [...inventPeople(1000)]);
});

describe('npm run employees refuses to run', () => {
  const right = { DATABASE_URL: 'sqlite:./employees.db' };
  const cases: readonly [name: string, env: Record<string, string>, args: string[], line: RegExp][] = [
    ['without a database', {}, [], /^DATABASE_URL must name the database for the table, as in: .*\n$/],
    ['with an empty DATABASE_URL', { DATABASE_URL: ' ' }, [], /^DATABASE_URL must name the database/],
    [
      'with an unknown kind of database',
      { DATABASE_URL: 'oracle://me:canary@db/x' },
      [],
      /^DATABASE_URL must be sqlite:/,
    ],
    [
      'with a database server that does not answer',
      { DATABASE_URL: 'mysql://me:canary@127.0.0.1:1/x' },
      [],
      /^DATABASE_URL: the database cannot be used \(.*ECONNREFUSED.*\)\.\n$/,
    ],
    [
      'with a file that cannot be created',
      { DATABASE_URL: 'sqlite:/dev/null/x.db' },
      [],
      /^DATABASE_URL: the file cannot be opened/,
    ],
    ['with too few people', right, ['--people', '999'], /^--people must be a whole number from 1,000 to 300,024\.\n$/],
    ['with an invalid number', right, ['--people', 'many'], /^--people must be a whole number/],
    ['with an unknown option', right, ['--peple', '1000'], /^Unknown option '--peple'/],
  ];
  for (const [name, env, args, line] of cases) {
    test(name, async () => {
      await using workplace = await createWorkplace();
      const { code, stdout, stderr } = await makeEmployees(workplace.folder, env, ...args);
      assert.equal(code, 2, stderr);
      assert.match(stderr, line);
      assert.doesNotMatch(stderr + stdout, /\bat .*:\d+|canary/);
      await assert.rejects(readFile(join(workplace.folder, 'employees.db')), { code: 'ENOENT' });
    });
  }
});

test('a terminal shows one bar that grows', () => {
  const terminal = Object.assign(new PassThrough({ encoding: 'utf8' }), { isTTY: true });
  const progress = createProgress(2_000, terminal);
  for (const done of [1_000, 2_000]) progress.advance(done);
  progress.end();
  assert.match(terminal.read(), /\[#{15}\.{15}\] 1,000 of 2,000.*\[#{30}\] 2,000 of 2,000[^\n]*\n$/s);
});
