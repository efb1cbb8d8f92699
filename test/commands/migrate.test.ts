import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { keyNames } from '../../src/ground/database/keys.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { ann, password } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import { openUserDatabase } from '../stores.ts';
import { createWorkplace } from './janua-command.ts';

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the tables in ${engine}`, { skip: missing(engine) }, () => {
    async function open() {
      const workplace = await createWorkplace();
      const own = engine === 'SQLite' ? undefined : await openUserDatabase(engine);
      const url = own?.url ?? `sqlite:${workplace.folder}/janua.db`;
      const env = { DATABASE_URL: url, PORT: '0' };
      const run = (...args: string[]) => workplace.run(args, { env, input: password });
      return {
        run,
        runAlone: (...args: string[]) => workplace.run(args, { env, alone: true }),
        start: () => workplace.start(['serve'], env),
        url,
        async [Symbol.asyncDispose]() {
          await workplace[Symbol.asyncDispose]();
          await own?.drop();
        },
      };
    }

    test('are made only once when several processes try at the same time', async () => {
      await using place = await open();
      const finished = await Promise.all(Array.from({ length: 3 }, () => place.runAlone('migrate')));
      for (const { code, stderr } of finished) assert.equal(code, 0, stderr);
      assert.equal((await place.run('migrate')).stdout, 'The tables are up to date.\n');
      await using opened = await openTestDatabase(place.url);
      const { rows } = await sql`select * from janua_keys`.execute(opened.database);
      assert.equal(rows.length, keyNames.length, 'there is one key of each kind');
    });

    test('keep a server from starting when they are missing, older or newer', async () => {
      await using place = await open();
      const refused = async (line: RegExp) => {
        for (const args of [['serve'], ['users', 'list']]) {
          const { code, stderr } = await place.run(...args);
          assert.equal(code, 2);
          assert.match(stderr, line);
        }
      };
      // The check does not create a missing file.
      if (engine === 'SQLite')
        await refused(/^DATABASE_URL: there is no such file yet\. Run: \.\/bin\/janua migrate\n$/);
      else await refused(/^The database does not have Janua's tables yet\. Run: \.\/bin\/janua migrate\n$/);
      await place.run('migrate');
      await using opened = await openTestDatabase(place.url);
      await sql`insert into janua_migrations (name, timestamp) values ('9999-takes-away', '2030-01-01T00:00:00.000Z')`.execute(
        opened.database,
      );
      await refused(
        /^Janua's tables in the database are of a newer version than this server\. Start the newer version\.\n$/,
      );
      const migrated = await place.run('migrate');
      assert.equal(migrated.code, 2);
      assert.match(migrated.stderr, /of a newer version/);
      const refusal = await place.run('doctor', '--upgrade');
      assert.equal(refusal.code, 1);
      assert.match(refusal.stdout, /^wrong +schema +.*newer version/m);
      await sql`delete from janua_migrations where name = '9999-takes-away'`.execute(opened.database);
      const names = sql<{ name: string }>`select name from janua_migrations order by name desc`;
      const [last] = (await names.execute(opened.database)).rows;
      await sql`delete from janua_migrations where name = ${last?.name}`.execute(opened.database);
      await refused(/^Janua's tables in the database are of an older version\. Run: \.\/bin\/janua migrate\n$/);
      // The new version says so before the upgrade, without a fault.
      const coming = await place.run('doctor', '--upgrade');
      assert.equal(coming.code, 0, coming.stdout);
      assert.ok(coming.stdout.includes(`The tables can be updated: ${last?.name}.`), coming.stdout);
      assert.equal((await place.run('doctor')).code, 1);
      assert.equal((await place.run('migrate')).stdout, `Done: ${last?.name}.\n`);
      assert.equal((await place.run('users', 'list')).code, 0);
    });

    test('let servers go on, and start again, after a newer version has added to them', async () => {
      await using place = await open();
      await place.run('migrate');
      const details = ['--first-name', 'Ann', '--last-name', 'Archer'];
      await place.run('users', 'add', ann.username, ...details);
      const before = await place.start();
      await using opened = await openTestDatabase(place.url);
      for (const addition of [
        sql`alter table janua_users add column later varchar(10) not null default 'x'`,
        sql`alter table janua_sessions add column later integer`,
        sql`create table janua_later (id integer)`,
        sql`insert into janua_migrations (name, timestamp) values ('9999-later', '2030-01-01T00:00:00.000Z')`,
      ])
        await addition.execute(opened.database);
      const after = await place.start();
      const body = new URLSearchParams({ username: ann.username, password });
      for (const { url } of [before, after]) {
        const login = await fetch(`${url}/api/login`, { method: 'POST', body });
        const { access_token } = (await login.json()) as { access_token: string };
        for (const other of [before, after]) {
          const me = await fetch(`${other.url}/api/me`, { headers: { authorization: `Bearer ${access_token}` } });
          assert.equal(me.status, 200);
        }
      }
      assert.equal((await place.run('users', 'disable', ann.username)).code, 0);
      assert.equal((await place.run('migrate')).stdout, 'The tables are up to date.\n');
      // What this version reads has to be there.
      await sql`alter table janua_sessions drop column user_agent`.execute(opened.database);
      assert.match((await place.run('users', 'list')).stderr, /the table janua_sessions differs/);
    });
  });
}

test('janua migrate refuses a path that cannot be a file', async () => {
  await using workplace = await createWorkplace();
  for (const url of ['sqlite:/dev/null/janua.db', 'sqlite:/proc/x/janua.db', 'sqlite:/proc/janua.db']) {
    const { code, stderr } = await workplace.run(['migrate'], { env: { DATABASE_URL: url } });
    assert.equal(code, 2, url);
    assert.match(stderr, /^DATABASE_URL: the file cannot be opened for writing \(.*\)\.\n$/);
  }
});
