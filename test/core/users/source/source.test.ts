import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { parseMapping } from '../../../../src/core/users/source/mapping.ts';
import { openSource } from '../../../../src/core/users/source/open-source.ts';
import { samplePasswordHashes } from '../../../../src/core/users/source/source.ts';
import type { Database } from '../../../../src/ground/database/database.ts';
import { sql } from '../../../../src/ground/database/kysely.ts';
import { Misconfiguration } from '../../../../src/ground/faults/misconfiguration.ts';
import { openMigrated, type TestDatabase } from '../../../ground/database/open.ts';
import { missing } from '../../../servers/missing.ts';
import type { UserEngine } from '../../../stores.ts';
import { openPeople } from '../directories.ts';
import { ann, type Person, testUserDirectory } from '../directory-contract.ts';

const columnsOfThree = 'id=no,username=email,password=secret';
const columns = `${columnsOfThree},first_name=first,last_name=last`;

/** A table of a team: the declarations of its columns, and further statements. */
interface Table {
  readonly name: string;
  readonly id: string;
  /** Creates an id, if the database does not. */
  readonly newId?: () => string;
  readonly email: string;
  readonly after?: string;
}

const counter = { value: 0 };
const uuid = () => crypto.randomUUID();
const code = () => `P-${++counter.value}`;

const tables: Readonly<Record<UserEngine, readonly Table[]>> = {
  SQLite: [
    { name: 'whole numbers, NOCASE', id: 'integer primary key', email: 'text collate nocase unique' },
    {
      name: 'UUIDs, an index without case',
      id: 'uuid primary key',
      newId: uuid,
      email: 'varchar(255)',
      after: 'create unique index by_email on people (email collate nocase)',
    },
    {
      name: 'texts, an index over lower()',
      id: 'text primary key',
      newId: code,
      email: 'text',
      after: 'create unique index by_email on people (lower(email))',
    },
  ],
  PostgreSQL: [
    {
      name: 'whole numbers, lower()',
      id: 'serial primary key',
      email: 'varchar(255)',
      after: 'create unique index on people (lower(email))',
    },
    {
      name: 'large numbers, lower()',
      id: 'bigint generated always as identity (start with 9007199254740995) primary key',
      email: 'text',
      after: 'create unique index on people (lower(email))',
    },
    {
      name: 'UUIDs, lower()',
      id: 'uuid primary key',
      newId: uuid,
      email: 'text not null',
      after: 'create unique index on people (lower(email))',
    },
    {
      name: 'texts of fixed length, lower()',
      id: 'char(10) primary key',
      newId: code,
      email: 'varchar(100)',
      after: 'create unique index on people (lower(email))',
    },
  ],
  MariaDB: [
    {
      name: 'whole numbers, a collation without case',
      id: 'int auto_increment primary key',
      email: 'varchar(255) unique',
    },
    {
      name: 'large numbers',
      id: 'bigint unsigned auto_increment primary key',
      email: 'varchar(255) unique',
      after: 'alter table people auto_increment = 9007199254740995',
    },
    {
      name: 'UUIDs',
      id: 'uuid primary key',
      newId: uuid,
      email: 'varchar(255) unique',
    },
    {
      name: 'texts, a generated column',
      id: 'varchar(40) primary key',
      newId: code,
      email: 'varchar(200) collate utf8mb4_bin, lowered varchar(200) collate utf8mb4_bin as (lower(email)) unique',
    },
  ],
};

const shared = new Map<UserEngine, Promise<TestDatabase>>();
after(async () => {
  for (const opening of shared.values()) await (await opening)[Symbol.asyncDispose]();
});

/** A table in a database of its own, for a test that leaves more in it. */
async function openOwnTable(engine: UserEngine, ...declarations: readonly string[]) {
  const { [Symbol.asyncDispose]: close, ...opened } = await openMigrated(engine);
  const execute = (text: string) => sql.raw(text).execute(opened.database);
  for (const declaration of declarations) await execute(declaration);
  return { opened, execute, [Symbol.asyncDispose]: close };
}

/** A table in a database that all tests share, because it takes longer to make than a test. */
async function openTable(engine: UserEngine, declaration: string, after = '') {
  const opening = shared.get(engine) ?? openMigrated(engine);
  shared.set(engine, opening);
  const opened = await opening;
  const execute = (text: string) => sql.raw(text).execute(opened.database);
  await execute(declaration);
  if (after !== '') await execute(after);
  return {
    opened,
    execute,
    async [Symbol.asyncDispose]() {
      for (const made of [after, declaration].flatMap((text) => /^create ((?:table|view) \w+)/.exec(text)?.[1] ?? []))
        await execute(`drop ${made}`);
      for (const table of ['janua_users', 'janua_handles', 'janua_search', 'janua_sources'] as const)
        await opened.database.deleteFrom(table).execute();
    },
  };
}

const declare = ({ id, email }: Pick<Table, 'id' | 'email'>, more = '') =>
  `create table people (no ${id}, email ${email}, secret varchar(255), first varchar(50), last varchar(50)${more})`;

const quiet = { rehashes: true, hasPermanentIds: false, log: { warn() {} } };

function mappingOf(text = columns) {
  const mapping = parseMapping('people', text);
  assert.ok(mapping !== undefined);
  return mapping;
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  for (const table of tables[engine]) {
    const username = table.email.includes('lowered') ? 'lowered' : 'email';
    const mapping = mappingOf(columns.replace('username=email', `username=${username}`));

    async function open() {
      const { opened, execute, ...resource } = await openTable(engine, declare(table), table.after);
      const { users: directory, warnings } = await openPeople(opened, mapping, quiet);
      return {
        users: directory,
        database: opened.database,
        hasKeys: true as const,
        warnings,
        execute,
        async insert({ username: email, passwordHash, firstName, lastName }: Person) {
          const values = [email, passwordHash, firstName, lastName].map((text) => `'${text.replaceAll("'", "''")}'`);
          const id = table.newId === undefined ? '' : `'${table.newId()}', `;
          await execute(
            `insert into people (${id === '' ? '' : 'no, '}email, secret, first, last) values (${id}${values.join(', ')})`,
          );
        },
        [Symbol.asyncDispose]: resource[Symbol.asyncDispose],
      };
    }

    testUserDirectory(`a table of ${engine} with ${table.name}`, open, missing(engine));

    describe(`names in a table of ${engine} with ${table.name}`, { skip: missing(engine) }, () => {
      test('are found regardless of the stored case', async () => {
        await using opened = await open();
        await opened.insert({ ...ann, username: 'Ann.Example@EXAMPLE.com' });
        const account = await opened.users.adoptByUsername('ann.example@example.com');
        assert.equal(account?.user.username, 'ann.example@example.com');
        assert.equal((await opened.users.findById(account?.user.id ?? ''))?.user.username, 'ann.example@example.com');
        assert.equal(
          await opened.users.adoptByUsername('Ann.Example@EXAMPLE.com'),
          undefined,
          'only the canonical form of a name finds a user',
        );
      });

      test('may be NULL, as other columns may, without a failure', async () => {
        await using opened = await open();
        await opened.insert(ann);
        await opened.execute('update people set first = null, last = null, secret = null');
        const account = await opened.users.adoptByUsername(ann.username);
        assert.deepEqual([account?.user.firstName, account?.user.lastName, account?.passwordHash], ['', '', undefined]);
        if (!/not null/.test(table.email)) {
          await opened.execute('update people set email = null');
          assert.equal(await opened.users.adoptByUsername(ann.username), undefined);
          assert.equal(await opened.users.adoptByUsername(''), undefined);
          assert.deepEqual(await Array.fromAsync(opened.users.list()), []);
        }
      });
    });
  }

  describe(`a table of ${engine} is refused if it`, { skip: missing(engine) }, () => {
    const good = tables[engine][0] as Table;
    const unusable: [name: string, declaration: string, columns: string, line: RegExp, after?: string][] = [
      [
        'does not exist',
        'create table others (x integer)',
        columns,
        /^USERS_TABLE: there is no table people in the database/,
      ],
      [
        'is a view',
        'create table persons (no integer primary key, email varchar(99), secret varchar(255))',
        'id=no,username=email,password=secret',
        /USERS_TABLE: people is a view\. Name the table behind it/,
        'create view people as select * from persons',
      ],
      [
        'lacks columns',
        declare(good),
        'id=no,username=mail,password=hash',
        /no column mail, for username\. It has: no, email, .*\n.*no column hash, for password/,
      ],
      [
        'has no index on the name',
        declare({ id: good.id, email: 'varchar(255)' }),
        columns,
        /email has no index: every login would read the whole table\. Run: /,
      ],
      [
        'has an index that allows two users with one name',
        declare({ id: good.id, email: 'varchar(255)' }),
        columns,
        /email is not unique: two users could have the same name\. Run: /,
        'create index by_email on people (email)',
      ],
      [
        'has a name that is unique only together with another column',
        declare({ id: good.id, email: 'varchar(255)' }, ', unique (email, last)'),
        columns,
        /email is not unique/,
      ],
      [
        'has a number for a name',
        declare({ id: good.id, email: 'integer unique' }),
        columns,
        /email is int.*, but a username must be a text/i,
      ],
      [
        'has an id that is not unique',
        declare(good),
        columns.replace('id=no', 'id=last'),
        /last is not unique: two users could have the same id\. Name the primary key/,
      ],
      [
        'has a date for an id',
        declare(good, ', born date unique'),
        columns.replace('id=no', 'id=born'),
        /born is date, but an id must be a whole number, a text or a UUID/,
      ],
      [
        'has a date for a password',
        declare(good, ', born date'),
        columns.replace('password=secret', 'password=born'),
        /born is date, but a password hash must be a text/,
      ],
      [
        'has a text for a flag',
        declare(good, ', state varchar(9)'),
        `${columns},disabled=state`,
        /state is .*but must be a boolean or a whole number\. List the values that mean disabled: disabled=state:VALUE/,
      ],
    ];

    if (engine === 'PostgreSQL')
      unusable.push([
        'has child tables',
        declare(good),
        columns,
        /USERS_TABLE: people also has the rows of other tables/,
        'create table contractors (agency text) inherits (people)',
      ]);
    if (engine === 'MariaDB')
      unusable.push(
        [
          'fills its ids with zeros',
          declare({ id: 'int(5) zerofill primary key', email: 'varchar(99) unique' }),
          columns,
          /no is ZEROFILL/,
        ],
        [
          'joins other tables',
          'create table staff (no integer primary key, email varchar(99) unique, secret varchar(255)) engine=MyISAM',
          'id=no,username=email,password=secret',
          /USERS_TABLE: people also has the rows of other tables/,
          'create table people (no integer primary key, email varchar(99) unique, secret varchar(255)) engine=MERGE union=(staff)',
        ],
      );
    if (engine === 'SQLite')
      unusable.push([
        'has names that are unique only together with other text',
        declare({ id: good.id, email: 'varchar(255)' }),
        columns,
        /email has no index/,
        'create unique index by_both on people (lower(email) || last)',
      ]);

    for (const [name, declaration, given, line, after] of unusable) {
      test(name, async () => {
        await using table = await openTable(engine, declaration, after);
        await assert.rejects(openPeople(table.opened, mappingOf(given), quiet), (error) => {
          assert.ok(error instanceof Misconfiguration);
          assert.match(error.message, line);
          return true;
        });
      });
    }

    test('could have two names that differ in case alone', async () => {
      const caseSensitive = engine === 'MariaDB' ? 'varchar(99) collate utf8mb4_bin unique' : 'varchar(99) unique';
      await using table = await openTable(engine, declare({ id: good.id, email: caseSensitive }));
      const refused = /email is unique by an index that respects case: .* Run: (?:CREATE UNIQUE INDEX|ALTER TABLE) /;
      await assert.rejects(openPeople(table.opened, mappingOf(), quiet), refused);
    });

    test('has a password column that is too short for a new hash', async () => {
      // SQLite accepts texts longer than declared.
      if (engine === 'SQLite') return;
      const declaration = declare(good).replace('secret varchar(255)', 'secret varchar(60)');
      await using table = await openTable(engine, declaration, good.after);
      const short = /secret is .*60.*too short.*at least 97 characters long, or set PASSWORD_REHASH=off/;
      await assert.rejects(openPeople(table.opened, mappingOf(), quiet), short);
      await openPeople(table.opened, mappingOf(), { ...quiet, rehashes: false });
    });
  });

  describe(`the rule for disabled users in a table of ${engine} works`, { skip: missing(engine) }, () => {
    for (const [declaration, rule, values] of [
      ['gone integer', 'gone', { 0: false, 1: true, '-1': true, null: false }],
      ['gone boolean', 'gone', { false: false, true: true, null: false }],
      ['gone boolean', 'gone:0', { false: true, true: false, null: false }],
      ['gone boolean', 'gone:!1', { false: true, true: false, null: true }],
      ['gone date', 'gone:*', { "'2026-01-31'": true, null: false }],
      [
        'gone varchar(9)',
        'gone:left|ill',
        { "'left'": true, "'ill'": true, "'here'": false, "'LEFT'": false, "''": false, null: false },
      ],
      ['gone varchar(9)', 'gone:!here', { "'left'": true, "'here'": false, null: true }],
    ] as const) {
      test(`with disabled=${rule} for ${declaration}`, async () => {
        const table = tables[engine][0] as Table;
        await using opened = await openTable(engine, declare(table, `, ${declaration}`), table.after);
        for (const [index, value] of Object.keys(values).entries()) {
          await opened.execute(`insert into people (email, gone) values ('user${index}@example.com', ${value})`);
        }
        const { users: directory } = await openPeople(opened.opened, mappingOf(`${columns},disabled=${rule}`), quiet);
        for (const [index, disabled] of Object.values(values).entries()) {
          const account = await directory.adoptByUsername(`user${index}@example.com`);
          assert.equal(account?.disabled, disabled, `the column contains ${Object.keys(values)[index]}`);
        }
      });
    }
  });
}

test('of two users who have one name since the index was dropped, neither can sign in', async () => {
  const declaration = declare({ id: 'integer primary key', email: 'text' });
  await using table = await openTable('SQLite', declaration, 'create unique index by_email on people (lower(email))');
  const { users } = await openPeople(table.opened, mappingOf(), quiet);
  const add = (name: string) => table.execute(`insert into people (email, secret) values ('${name}', 'hash')`);
  await add('ann@example.com');
  assert.ok(await users.findCandidate('ann@example.com'));
  await table.execute('drop index by_email');
  await add('Ann@example.com');
  assert.equal(await users.findCandidate('ann@example.com'), undefined);
});

test('a table whose ids are the names is opened with a warning', async () => {
  await using table = await openTable('SQLite', declare({ id: 'integer', email: 'text collate nocase primary key' }));
  const { warnings } = await openPeople(table.opened, mappingOf('id=email,username=Email,password=secret'), quiet);
  assert.match(warnings.map(({ message }) => message).join('\n'), /^USERS_COLUMNS: Email is the id and the username\./);
  const { warnings: others } = await openPeople(
    table.opened,
    mappingOf('id=email,username=email,password=secret'),
    quiet,
  );
  assert.equal(others.length, 1);
});

test('permanent ids that SQLite may give to the next person are opened with a warning', async () => {
  for (const [id, hasPermanentIds, expected] of [
    ['integer primary key', true, 1],
    ['integer primary key', false, 0],
    ['integer primary key autoincrement', true, 0],
    ['text primary key', true, 0],
  ] as const) {
    await using table = await openTable('SQLite', declare({ id, email: 'text collate nocase unique' }));
    const { warnings } = await openPeople(table.opened, mappingOf(), { ...quiet, hasPermanentIds });
    const found = warnings.filter(({ message }) => /^USERS_ID=permanent: SQLite gives the id no /.test(message));
    assert.equal(found.length, expected, `${id}, ${hasPermanentIds}`);
  }
});

test('USERS_TABLE may name a schema', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    'create schema "HR"',
    'create table "HR".people (no int primary key, email text, secret text)',
  );
  await table.execute('create unique index on "HR".people (lower(email))');
  await table.execute(`insert into "HR".people values (7, 'Ann@example.com', 'hash')`);
  const mapping = parseMapping('HR.people', 'id=no,username=email,password=secret');
  assert.ok(mapping !== undefined);
  const { users: directory } = await openPeople(table.opened, mapping, quiet);
  assert.equal((await directory.adoptByUsername('ann@example.com'))?.user.sourceKey, '7');
});

test("a table stays the one that PostgreSQL found first, although another comes into its account's search path", {
  skip: missing('PostgreSQL'),
}, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    'create schema hr',
    'create table hr.people (no int primary key, email text, secret text)',
  );
  await table.execute('create unique index on hr.people (lower(email))');
  await table.execute(`insert into hr.people values (7, 'ann@example.com', 'hash')`);
  await table.opened.database.connection().execute(async (database) => {
    await sql`set search_path to hr, public`.execute(database);
    const { source, origin } = await openSource({ ...table.opened, database }, mappingOf(columnsOfThree), quiet);
    assert.equal(origin.users, 'hr.people.no');
    await sql`set search_path to public`.execute(database);
    assert.deepEqual([...(await source.findKeys(['7'], database))], ['7']);
  });
});

test('a table whose rows are hidden by policies is opened with a warning', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    'create table people (no int primary key, email text, secret text)',
    'create unique index on people (lower(email))',
    'alter table people enable row level security, force row level security',
    'create role hr_reader',
  );
  const open = async (database: Database) =>
    (await openSource({ ...table.opened, database }, mappingOf(columnsOfThree), quiet)).warnings.map(
      ({ message }) => message,
    );
  await table.opened.database.connection().execute(async (database) => {
    try {
      await sql`grant select on people to hr_reader`.execute(database);
      assert.deepEqual(await open(database), []);
      await sql`set role hr_reader`.execute(database);
      assert.match(
        (await open(database)).join('\n'),
        /^USERS_TABLE: policies of PostgreSQL choose which rows of public\.people/,
      );
    } finally {
      await sql`reset role`.execute(database);
      await sql`drop owned by hr_reader`.execute(database);
      await sql`drop role hr_reader`.execute(database);
    }
  });
});

test('names in a citext column are found by their index', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    'create extension citext',
    declare({ id: 'serial primary key', email: 'citext unique' }),
  );
  await table.execute("insert into people (email, secret) values ('Ann@Example.com', 'hash')");
  const { users: directory, warnings } = await openPeople(table.opened, mappingOf(), quiet);
  assert.deepEqual(warnings, []);
  assert.equal((await directory.adoptByUsername('ann@example.com'))?.passwordHash, 'hash');
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  const table = tables[engine][0] as Table;
  for (const [declaration, rule] of [
    ['gone date', 'gone:2020-01-01'],
    ['gone integer', 'gone:yes'],
    ['gone integer', 'gone:1:2'],
    ['gone decimal(5,2)', 'gone:1'],
    ...(engine === 'MariaDB' ? [] : ([['gone boolean', 'gone:true']] as const)),
  ] as const) {
    test(`disabled=${rule} for ${declaration} is refused on ${engine}, because it could never be true`, {
      skip: missing(engine),
    }, async () => {
      await using opened = await openTable(engine, declare(table, `, ${declaration}`), table.after);
      await assert.rejects(
        openPeople(opened.opened, mappingOf(`${columns},disabled=${rule}`), quiet),
        /gone is .* and cannot hold a value that disabled= lists\. Write a boolean as 1 or 0/,
      );
    });
  }
}

test('a name with characters outside the charset of the column finds no user', {
  skip: missing('MariaDB'),
}, async () => {
  for (const charset of ['latin1', 'utf8mb3']) {
    await using table = await openTable(
      'MariaDB',
      declare({ id: 'int primary key', email: `varchar(99) character set ${charset} unique` }),
    );
    await table.execute(
      "insert into people (no, email, secret) values (1, 'josé@example.com', 'hash'), (2, '?@example.com', 'hash')",
    );
    const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
    assert.equal((await directory.adoptByUsername('josé@example.com'))?.user.sourceKey, '1');
    for (const name of ['日@example.com', '😀@example.com'])
      assert.equal(await directory.adoptByUsername(name), undefined);
  }
});

test('a new character set of the ids is a fault, and nobody is gone', { skip: missing('MariaDB') }, async () => {
  await using table = await openTable(
    'MariaDB',
    declare({ id: 'varchar(20) character set latin1 primary key', email: 'varchar(99) unique' }),
  );
  await table.execute("insert into people (no, email, secret) values ('a', 'ann@example.com', 'hash')");
  const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
  const { user } = (await directory.adoptByUsername('ann@example.com')) ?? assert.fail();
  assert.ok(await directory.findById(user.id));
  await table.execute('alter table people modify no varchar(20) character set utf8mb4 collate utf8mb4_german2_ci');
  await assert.rejects(directory.findById(user.id), /collation/i);
});

test('an id that the column can no longer hold is the id of no row', { skip: missing('MariaDB') }, async () => {
  for (const [type, keys] of [
    ['varchar(20) character set latin1', ['a', '?']],
    ['int', ['1', '2']],
    ['uuid', [uuid(), uuid()]],
  ] as const) {
    await using table = await openTable('MariaDB', declare({ id: `${type} primary key`, email: 'varchar(99) unique' }));
    for (const key of keys)
      await table.execute(`insert into people (no, email, secret) values ('${key}', '${uuid()}@example.com', 'hash')`);
    const { source } = await openPeople(table.opened, mappingOf(), quiet);
    const asked = [...keys, 'д', '9223372036854775808', 'none'];
    assert.deepEqual([...(await source.findKeys(asked))].sort(), [...keys].sort(), type);
    assert.deepEqual([...(await source.findAll(asked)).keys()].sort(), [...keys].sort(), type);
  }
});

test('in SQLite a hash stored as bytes is read as text, and a user whose key is NULL, bytes or no UTF-8 cannot sign in', async () => {
  await using table = await openTable(
    'SQLite',
    declare({ id: 'text primary key', email: 'text collate nocase unique' }),
  );
  await table.execute(
    "insert into people (no, email, secret) values ('a', 'ann@example.com', cast('hash' as blob)), (null, 'bob@example.com', 'hash'), " +
      "(cast('a' as blob), 'cy@example.com', 'hash'), (cast(x'6dfc' as text), 'dan@example.com', 'hash')",
  );
  const { users: directory } = await openPeople(table.opened, mappingOf(), { ...quiet, hasPermanentIds: true });
  assert.equal((await directory.adoptByUsername('ann@example.com'))?.passwordHash, 'hash');
  for (const name of ['bob', 'cy'])
    assert.equal(await directory.adoptByUsername(`${name}@example.com`), undefined, name);
  for (const hash of await samplePasswordHashes(table.opened, mappingOf())) assert.equal(typeof hash, 'string');
});

test('in SQLite a new hash goes to one of two ids that only the index keeps apart', async () => {
  await using table = await openTable(
    'SQLite',
    declare({ id: 'text collate nocase', email: 'text collate nocase unique' }),
    'create unique index by_no on people (no collate binary)',
  );
  await table.execute(
    "insert into people (no, email, secret) values ('A', 'ann@example.com', ''), ('a', 'bob@example.com', '')",
  );
  const { users, source } = await openPeople(table.opened, mappingOf(), { ...quiet, hasPermanentIds: true });
  const bob = (await users.adoptByUsername('bob@example.com')) ?? assert.fail();
  assert.equal((await users.adoptByUsername('ann@example.com'))?.user.sourceKey, 'A');
  assert.equal((await users.findById(bob.user.id))?.user.sourceKey, 'a');
  assert.equal(await source.replaceHash?.(bob.user, '', 'new', table.opened.database), true);
  const { rows } = await sql<{ secret: string }>`select secret from people order by email`.execute(
    table.opened.database,
  );
  assert.deepEqual(
    rows.map(({ secret }) => secret),
    ['', 'new'],
  );
});

test('a user whose text key is too long for a session cannot sign in', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openTable(
    'PostgreSQL',
    declare({ id: 'text primary key', email: 'text unique' }),
    'create unique index on people (lower(email))',
  );
  await table.execute(`insert into people (no, email, secret) values (repeat('x', 256), 'ann@example.com', 'hash')`);
  const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
  assert.equal(await directory.adoptByUsername('ann@example.com'), undefined);
});

test('keys may be the largest whole numbers', { skip: missing('PostgreSQL', 'MariaDB') }, async () => {
  for (const [engine, id, key] of [
    ['PostgreSQL', 'bigint primary key', '9223372036854775807'],
    ['MariaDB', 'bigint unsigned primary key', '18446744073709551615'],
  ] as const) {
    const { email, after } = tables[engine][0] as Table;
    await using table = await openTable(engine, declare({ id, email }), after);
    await table.execute(`insert into people (no, email, secret) values (${key}, 'ann@example.com', 'hash')`);
    const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
    assert.equal((await directory.adoptByUsername('ann@example.com'))?.user.sourceKey, key);
    assert.equal(await directory.findById('99999999999999999999'), undefined);
  }
});

test('citext in a schema outside the search path respects case', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openOwnTable('PostgreSQL', 'create schema ext', 'create extension citext schema ext');
  await table.execute(declare({ id: 'int primary key', email: 'ext.citext unique' }));
  await assert.rejects(openPeople(table.opened, mappingOf(), quiet), /respects case/);
  await table.execute('create unique index on people (lower(email))');
  await table.execute("insert into people (no, email, secret) values (1, 'Bob@Example.com', 'hash')");
  const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
  assert.equal((await directory.adoptByUsername('bob@example.com'))?.user.sourceKey, '1');
});

test('an enum column is refused as a user name', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    "create type mood as enum ('a', 'b')",
    declare({ id: 'int primary key', email: 'mood unique' }),
  );
  await assert.rejects(openPeople(table.opened, mappingOf(), quiet), /email is mood, but a username must be a text/);
});

test('the printed fix quotes names that need quotes', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openOwnTable(
    'PostgreSQL',
    'create table "People Table" (no int primary key, "E-Mail" text, secret text)',
  );
  const mapping = parseMapping('People Table', 'id=no,username=E-Mail,password=secret');
  assert.ok(mapping !== undefined);
  await assert.rejects(
    openPeople(table.opened, mapping, quiet),
    /Run: CREATE UNIQUE INDEX ON "People Table" \(lower\("E-Mail"\)\);/,
  );
  await table.execute('create unique index on "People Table" (lower("E-Mail"))');
  await openPeople(table.opened, mapping, quiet);
});

test('an index over lower() that is not unique is refused', { skip: missing('PostgreSQL') }, async () => {
  await using table = await openTable(
    'PostgreSQL',
    declare({ id: 'int primary key', email: 'text unique' }),
    'create index on people (lower(email))',
  );
  await assert.rejects(openPeople(table.opened, mappingOf(), quiet), /respects case/);
});

test('the check of the directory fails when users can no longer be looked up', {
  skip: missing('PostgreSQL'),
}, async () => {
  await using table = await openTable(
    'PostgreSQL',
    declare({ id: 'int primary key', email: 'text unique' }),
    'create unique index on people (lower(email))',
  );
  const { users: directory } = await openPeople(table.opened, mappingOf(), quiet);
  await directory.check();
  await table.execute('alter table people rename column secret to hash');
  await assert.rejects(directory.check());
});
