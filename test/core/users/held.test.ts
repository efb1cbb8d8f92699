import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { AccountChanged, createHold, provedBy } from '../../../src/core/users/held.ts';
import { parseMapping } from '../../../src/core/users/source/mapping.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { rows, type Tables } from '../../../src/ground/database/schema.ts';
import { mostWaitingForRows } from '../../../src/ground/database/transaction.ts';
import { Unavailable } from '../../../src/ground/faults/unavailable.ts';
import { openMigrated } from '../../ground/database/open.ts';
import { insertSample, keyOf } from '../../ground/database/sample-rows.ts';
import { missing } from '../../servers/missing.ts';
import type { UserEngine } from '../../stores.ts';
import { openOwnAccounts, openPeople } from './directories.ts';

const ann = { username: 'ann@example.com', firstName: 'Ann', lastName: 'Archer', passwordHash: 'hash', demo: false };
const bob = { ...ann, username: 'bob@example.com' };

async function open(engine: UserEngine) {
  const opened = await openMigrated(engine);
  const { database } = opened;
  const users = openOwnAccounts(opened);
  const id = await users.add(ann);
  const account = id === undefined ? undefined : await users.findById(id);
  assert.ok(account);
  const { hold, holdAny, holdNew } = createHold(database, users, users);
  assert.ok(holdNew);
  const tokens = async () => (await database.selectFrom('janua_tokens').select('hash').execute()).length;
  return { ...opened, users, account, hold, holdAny, holdNew, tokens };
}

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`an account in ${engine}`, { skip: missing(engine) }, () => {
    type Opened = Awaited<ReturnType<typeof open>>;
    const locked = { groups: true };

    for (const [name, change] of [
      ['has another stamp', ({ holdAny, users, account }) => holdAny(account.user.id, users.renewStamp)],
      [
        'is disabled',
        ({ holdAny, users, account }) => holdAny(account.user.id, (held) => users.setDisabled(held, true), locked),
      ],
      ['is gone', ({ holdAny, users, account }) => holdAny(account.user.id, users.remove, locked)],
    ] as [string, (opened: Opened) => Promise<unknown>][])
      test(`that ${name} is not changed by an earlier proof`, async () => {
        await using opened = await open(engine);
        const { hold, account } = opened;
        const proved = provedBy(account);
        assert.equal(await hold(proved, async ({ user }) => user.username), ann.username);
        await change(opened);
        let isReached = false;
        const late = hold(proved, async () => {
          isReached = true;
        });
        await assert.rejects(late, AccountChanged);
        assert.equal(isReached, false);
      });

    test('cannot be removed while something is stored for it, which then goes with it', async () => {
      await using opened = await open(engine);
      const { hold, holdAny, users, account, database, tokens } = opened;
      const { id } = account.user;
      const store = (index: number) =>
        hold(provedBy(account), ({ db }) => insertSample(db, 'janua_tokens', { hash: `t${index}`, user_id: id }));
      const results = await Promise.allSettled([
        ...[1, 2, 3].map(store),
        holdAny(id, users.remove, locked),
        ...[4, 5, 6].map(store),
      ]);
      for (const result of results) assert.ok(result.status === 'fulfilled' || result.reason instanceof AccountChanged);
      assert.equal(results[3]?.status, 'fulfilled');
      assert.equal(await tokens(), 0);
      assert.equal((await database.selectFrom('janua_users').select('id').execute()).length, 0);
    });

    test('is added with what belongs to it, or not at all', async () => {
      await using opened = await open(engine);
      const { holdNew, users, tokens } = opened;
      const failing = holdNew(bob, async ({ user, db }) => {
        await insertSample(db, 'janua_tokens', { hash: 'a', user_id: user.id });
        throw new Error('the link is spent');
      });
      await assert.rejects(failing, /the link is spent/);
      assert.deepEqual([await users.findByUsername(bob.username), await tokens()], [undefined, 0]);
      const added = await Promise.all(
        [bob, bob, ann].map((user, index) =>
          holdNew(user, async (held) => {
            await insertSample(held.db, 'janua_tokens', { hash: `b${index}`, user_id: held.user.id });
            return held.user.id;
          }),
        ),
      );
      const [id, ...others] = added.filter((one) => one !== undefined);
      assert.deepEqual([id, others], [(await users.findByUsername(bob.username))?.user.id, []]);
      assert.equal(await tokens(), 1);
    });

    // In SQLite, a transaction waits for any other one, and none of them holds a connection.
    for (const [of, options] of [
      ['one account', {}],
      ['groups', locked],
    ] as const)
      test(`leaves connections to others while many changes of ${of} wait`, { skip: engine === 'SQLite' }, async () => {
        await using opened = await open(engine);
        const { holdAny, users, account } = opened;
        const other = (await users.add(bob)) ?? assert.fail();
        const [began, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
        const first = holdAny(
          account.user.id,
          async () => {
            began.resolve();
            await ends.promise;
          },
          options,
        );
        await began.promise;
        const flood = Array.from({ length: mostWaitingForRows + 5 }, () =>
          holdAny(account.user.id, async () => 'changed', options),
        );
        const results = Promise.allSettled(flood);
        try {
          assert.equal(await holdAny(other, async ({ user }) => user.username), bob.username);
        } finally {
          ends.resolve();
        }
        await first;
        const refused = (await results).filter((result) => result.status === 'rejected');
        assert.equal(refused.length, 5);
        for (const { reason } of refused) assert.ok(reason instanceof Unavailable);
      });

    test('is changed by its owner before a helper who sends many changes of it', async () => {
      await using opened = await open(engine);
      const { holdAny, account } = opened;
      const { id } = account.user;
      const [began, ends] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const order: string[] = [];
      const changeBy = (...parties: string[]) =>
        holdAny(id, async () => void order.push(parties.join(' ')), { parties });
      const first = holdAny(
        id,
        async () => {
          began.resolve();
          await ends.promise;
        },
        { parties: ['helper'] },
      );
      await began.promise;
      const flood = Promise.allSettled(Array.from({ length: mostWaitingForRows }, () => changeBy('helper')));
      // A thief has a session of the account.
      const thief = Promise.allSettled(Array.from({ length: 20 }, () => changeBy(id, 'thief')));
      const owner = changeBy(id, 'owner');
      ends.resolve();
      await Promise.all([first, owner]);
      // Parties take turns, and so do the sessions of an account.
      assert.deepEqual(order.slice(0, 4), ['helper', `${id} thief`, 'helper', `${id} owner`]);
      const refused = (await flood).filter(({ status }) => status === 'rejected');
      assert.equal(refused.length, 21);
      assert.ok((await thief).every(({ status }) => status === 'fulfilled'));
    });

    test('that is not there is refused to an administrator', async () => {
      await using opened = await open(engine);
      await assert.rejects(
        opened.holdAny('none', async () => {}),
        { code: 'no-such-user' },
      );
    });
  });

test('an account that is removed leaves rows only where sessions, handles, waiting mails and events are', async () => {
  await using opened = await open('SQLite');
  const { database, holdAny, users, account } = opened;
  const user_id = account.user.id;
  const own = (Object.keys(rows) as (keyof Tables)[]).filter((table) => 'user_id' in rows[table]);
  const lasting = [
    'janua_sessions',
    'janua_ended_sessions',
    'janua_not_before',
    'janua_mails',
    'janua_audit',
    'janua_handles',
  ];
  for (const table of own) await insertSample(database, table, { [keyOf(table)]: 'x', user_id });
  await holdAny(user_id, users.remove, { groups: true });
  const left: string[] = [];
  for (const table of own) {
    const found = await sql`select 1 from ${sql.table(table)} where user_id = ${user_id}`.execute(database);
    if (found.rows.length > 0) left.push(table);
  }
  assert.deepEqual(left.sort(), lasting.sort());
});

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] satisfies UserEngine[])
  describe(`an account of a person in a table of a team in ${engine}`, { skip: missing(engine) }, () => {
    async function openPerson() {
      const opened = await openMigrated(engine);
      const { database } = opened;
      const email = engine === 'SQLite' ? 'text collate nocase unique' : 'varchar(100) unique';
      await sql
        .raw(`create table people (no integer primary key, email ${email}, secret varchar(255), gone integer)`)
        .execute(database);
      if (engine === 'PostgreSQL') await sql.raw('create unique index on people (lower(email))').execute(database);
      await sql`insert into people values (7, ${ann.username}, 'hash', 0)`.execute(database);
      const mapping = parseMapping('people', 'id=no,username=email,password=secret,disabled=gone');
      assert.ok(mapping);
      const { users } = await openPeople(opened, mapping);
      const account = await users.adoptByUsername(ann.username);
      assert.ok(account);
      return { ...opened, users, account, ...createHold(database, users, undefined) };
    }
    type Opened = Awaited<ReturnType<typeof openPerson>>;

    for (const [name, change] of [
      ['has another stamp', ({ holdAny, users, account }) => holdAny(account.user.id, users.renewStamp)],
      ['has another name', ({ database }) => sql`update people set email = 'eve@example.com'`.execute(database)],
      ['has another password', ({ database }) => sql`update people set secret = 'another'`.execute(database)],
      ['is disabled', ({ database }) => sql`update people set gone = 1`.execute(database)],
      ['has left the table', ({ database }) => sql`delete from people`.execute(database)],
      [
        'is another person now',
        async ({ database, users }) => {
          await sql`update people set email = 'eve@example.com'`.execute(database);
          await users.adoptByUsername('eve@example.com');
        },
      ],
    ] as [string, (opened: Opened) => Promise<unknown>][])
      test(`that ${name} is not changed by an earlier proof`, async () => {
        await using opened = await openPerson();
        const { hold, account } = opened;
        const proved = provedBy(account);
        assert.equal(await hold(proved, async ({ user }) => user.username), ann.username);
        await change(opened);
        await assert.rejects(
          hold(proved, async () => assert.fail('the change is made')),
          AccountChanged,
        );
      });
  });
