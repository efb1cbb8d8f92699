import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { removeExpired } from '../../../src/ground/database/deletions.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { missing } from '../../servers/missing.ts';
import { greeting, openOffice } from './post-office.ts';

const day = 24 * 60 * 60;

type Office = Awaited<ReturnType<typeof openOffice>>;

/** Adds a mail that is caused by a user (small letter), or by a stranger in a network (capital letter). */
const addNamed = ({ outbox }: Office, name: string) =>
  outbox.add(
    greeting(`${name}@example.com`, { causedBy: name < 'a' ? { network: `${name}::/48` } : { userId: name } }),
  );

/** Removes all mails that are due. Gives the names of each look. */
async function drain({ outbox }: Office, limit: number): Promise<string[]> {
  const looks: string[] = [];
  for (;;) {
    const mails = await outbox.findDue(limit);
    if (mails.length === 0) return looks;
    looks.push(mails.map(({ address }) => address[0]).join(''));
    for (const { id } of mails) await outbox.remove(id);
  }
}

const orders: readonly [claim: string, limit: number, added: readonly string[], expected: readonly string[]][] = [
  ['mails go out in order of time', 2, [...'abcd'], ['ab', 'cd']],
  ['a network does not hold up other networks', 2, [...'XXXXYXZ'], ['XY', 'ZX', 'XX', 'X']],
  ['a user does not hold up other users', 2, [...'aaaabac'], ['ab', 'ca', 'aa', 'a']],
  ['strangers do not hold up users', 4, [...'UVWXYZab'], ['abUV', 'WXYZ']],
  ['users leave strangers half of the places', 4, [...'abcdefXYZ'], ['abXY', 'cdeZ', 'f']],
  ['one user alone leaves strangers half of the places', 4, [...'aaaaXYZ'], ['aaXY', 'aaZ']],
  ['strangers alone have all places', 3, [...'XXXX'], ['XXX', 'X']],
  ['users alone have all places', 3, [...'aaaa'], ['aaa', 'a']],
];

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the outbox on ${engine}`, { skip: missing(engine) }, () => {
    test('returns a mail as it was added, until it is removed', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      assert.equal(await outbox.hasDue(), false);
      const details = { name: 'Zoë 🦉 "x"\n' };
      await outbox.add(
        greeting('ann@example.com', { userId: 'user-1', stamp: 's', requestId: 'request-1', language: 'vi', details }),
      );
      assert.equal(await outbox.hasDue(), true);
      const [mail, ...others] = await outbox.findDue(10);
      assert.deepEqual(others, []);
      assert.ok(mail);
      const { id, createdAt, dueAt, expiresAt, ...rest } = mail;
      assert.deepEqual(rest, {
        ...{
          purpose: 'greeting',
          address: 'ann@example.com',
          language: 'vi',
          userId: 'user-1',
          stamp: 's',
          requestId: 'request-1',
        },
        ...{ details, attempts: 0, failure: undefined, party: 'user:user-1' },
      });
      assert.deepEqual([dueAt, expiresAt], [createdAt, createdAt + 1800_000]);
      await outbox.remove(id);
      assert.deepEqual([await outbox.hasDue(), await office.listed()], [false, []]);
    });

    test('lists the mails about a user, and those to the address about no user', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      const username = 'ann@example.com';
      await outbox.add(greeting('former@example.com', { userId: 'ann' }));
      await outbox.add(greeting(username));
      // Its user had the address before.
      await outbox.add(greeting(username, { userId: 'another' }));
      await outbox.add(greeting('bob@example.com'));
      const mails = await outbox.listOf({ id: 'ann', username });
      assert.deepEqual(
        mails.map(({ address, userId }) => [address, userId]),
        [
          ['former@example.com', 'ann'],
          [username, undefined],
        ],
      );
    });

    test('adds a mail with the transaction that it belongs to, or not at all', async () => {
      await using office = await openOffice({ engine });
      const { outbox, database } = office;
      const failed = database.transaction().execute(async (db) => {
        await outbox.add(greeting('rolled-back@example.com'), db);
        throw new Error('no');
      });
      await assert.rejects(failed, /no/);
      await database.transaction().execute((db) => outbox.add(greeting('committed@example.com'), db));
      assert.deepEqual(
        (await office.listed()).map(({ address }) => address),
        ['committed@example.com'],
      );
    });

    test('lists the mails for or about one user', async () => {
      await using office = await openOffice({ engine });
      for (const [address, userId] of [
        ['ann@example.com', undefined],
        ['new@example.com', 'user-1'],
        ['bob@example.com', 'user-2'],
      ] as const)
        await office.outbox.add(greeting(address, { userId }));
      const own = await office.outbox.listOf({ id: 'user-1', username: 'ann@example.com' });
      assert.deepEqual(
        own.map(({ address }) => address),
        ['ann@example.com', 'new@example.com'],
      );
    });

    for (const [claim, limit, added, expected] of orders) {
      test(claim, async () => {
        await using office = await openOffice({ engine });
        for (const name of added) {
          office.pass(1);
          await addNamed(office, name);
        }
        assert.deepEqual(await drain(office, limit), expected);
      });
    }

    test('finds expired mails that wait, whenever their turn is', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      for (const name of ['X', 'X', 'a', 'b']) await addNamed(office, name);
      for (const mail of await outbox.findDue(2)) await outbox.putOff(mail, day * 1000, 1, '450 later');
      for (const { id, address } of await outbox.findDue(9))
        if (address.startsWith('X')) await outbox.giveUp(id, '550');
      assert.deepEqual(await outbox.findExpired(9), []);
      office.pass(1800);
      await addNamed(office, 'Y');
      const expired = (await outbox.findExpired(9)).map(({ address }) => address[0]);
      assert.equal(expired.sort().join(''), 'Xab');
    });

    test('a mail that breaks the connection takes the next turn of its party', async () => {
      await using office = await openOffice({ engine });
      for (const name of ['X', 'Y', 'Z', 'Y', 'Y']) await addNamed(office, name);
      const [first] = await office.outbox.findDue(1);
      assert.ok(first);
      await office.outbox.putOff(first, 0, 0, 'the connection broke');
      assert.deepEqual(await drain(office, 1), ['Y', 'Z', 'X', 'Y', 'Y']);
    });

    test('mails that are put off take turns again when they are due', async () => {
      await using office = await openOffice({ engine });
      for (const name of ['X', 'X', 'X', 'X']) await addNamed(office, name);
      for (const mail of await office.outbox.findDue(4)) await office.outbox.putOff(mail, 5_000, 1, '450 later');
      await addNamed(office, 'Z');
      assert.deepEqual(await drain(office, 2), ['Z'], 'before they are due');
      office.pass(5);
      await addNamed(office, 'Y');
      assert.deepEqual(await drain(office, 2), ['XY', 'XX', 'X']);
    });

    test('mails that were given up are retried in turn', async () => {
      await using office = await openOffice({ engine });
      for (const name of ['X', 'X', 'X', 'Y']) await addNamed(office, name);
      for (const { id } of await office.outbox.findDue(4)) await office.outbox.giveUp(id, '550 never');
      assert.deepEqual(await drain(office, 2), []);
      assert.equal(await office.outbox.retry(), 4);
      assert.deepEqual(await drain(office, 2), ['XY', 'XX']);
    });

    test('mails of an older version go out among those of strangers', async () => {
      await using office = await openOffice({ engine });
      const { database } = office;
      const insert = (id: string, due: number | null) =>
        sql`insert into janua_mails (id, purpose, address, language, details, created_at, due_at, expires_at)
          values (${id}, 'greeting', ${`O${id}@example.com`}, 'en', '{}', 1, ${due}, ${office.now() + 1800_000})`.execute(
          database,
        );
      await insert('1', office.now() - 5000);
      await insert('2', office.now() - 5000);
      await insert('given-up', null);
      for (const name of ['X', 'a', 'b']) await addNamed(office, name);
      assert.deepEqual(await drain(office, 4), ['abOO', 'X']);
      assert.equal((await office.listed()).length, 1);
    });

    test('holds back a mail that is put off, but not beyond its expiry', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      await outbox.add(greeting('ann@example.com'));
      const [mail] = await outbox.findDue(1);
      assert.ok(mail);
      await outbox.putOff(mail, 60_000, 1, '450 later');
      assert.equal(await outbox.hasDue(), false);
      office.pass(60);
      const [again] = await outbox.findDue(1);
      assert.deepEqual([again?.attempts, again?.failure], [1, '450 later']);
      await outbox.putOff(mail, day * 1000, 2, '450 later');
      assert.equal((await office.listed())[0]?.dueAt, mail.expiresAt);
    });

    test('lists a mail that was given up for a week, and retries it as if it were new', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      for (const name of ['a', 'b', 'c']) await outbox.add(greeting(`${name}@example.com`));
      const [a, b] = await outbox.findDue(3);
      assert.ok(a && b);
      for (const { id } of [a, b]) await outbox.giveUp(id, '550 no such user');
      assert.equal(await outbox.countQueued(), 1);
      assert.deepEqual(
        (await office.listed()).map(({ address, dueAt, failure }) => [address[0], dueAt === undefined, failure]),
        [
          ['a', true, '550 no such user'],
          ['b', true, '550 no such user'],
          ['c', false, undefined],
        ],
      );
      office.pass(day);
      assert.equal(await outbox.retry('unknown'), 0);
      assert.equal(await outbox.retry(a.id), 1);
      assert.equal(await outbox.countQueued(), 2);
      const retried = (await office.listed()).find(({ id }) => id === a.id);
      assert.ok(retried && retried.expiresAt > office.now() + 1790_000);
      const expiries = async () => (await office.listed()).map(({ id, expiresAt }) => [id, expiresAt] as const);
      const before = new Map(await expiries());
      assert.equal(await outbox.retry(), 1, 'a mail that is due stays as it is');
      assert.deepEqual(
        (await expiries()).filter(([id, expiresAt]) => before.get(id) !== expiresAt).map(([id]) => id),
        [b.id],
      );
      assert.equal(await outbox.retry(), 0);
      assert.equal(await outbox.countQueued(), 3);
      await outbox.giveUp(b.id, '550 no such user');
      office.pass(7 * day + 1);
      assert.equal(await removeExpired(office.database, 'janua_mails', office.now()), 1);
      assert.deepEqual(
        (await office.listed()).map(({ address }) => address[0]),
        ['a', 'c'],
        'a mail that is due stays',
      );
    });

    test("keeps the demo's mails for a day, newest first", async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      for (const name of ['a', 'b']) await outbox.add(greeting(`${name}@example.com`));
      for (const { id, address } of await outbox.findDue(2))
        await outbox.keep({ id, to: address, subject: 'Grüße', text: 'text', html: '<p>', link: undefined });
      const kept = await outbox.listKept(10);
      assert.deepEqual(
        kept.map(({ id: _, createdAt: __, ...content }) => content),
        ['b', 'a'].map((name) => ({ to: `${name}@example.com`, subject: 'Grüße', text: 'text', html: '<p>' })),
      );
      assert.deepEqual((await outbox.listKept(1)).length, 1);
      assert.deepEqual([await outbox.hasDue(), await office.listed(), await outbox.retry()], [false, [], 0]);
      assert.equal(await removeExpired(office.database, 'janua_mails', office.now()), 0);
      office.pass(day + 1);
      assert.equal(await removeExpired(office.database, 'janua_mails', office.now()), 2);
    });

    test('lists more mails than fit on a page', async () => {
      await using office = await openOffice({ engine });
      const { outbox, database } = office;
      await database.transaction().execute(async (db) => {
        for (let index = 0; index < 1100; index += 1) await outbox.add(greeting(`${index}@example.com`), db);
      });
      const listed = await office.listed();
      assert.deepEqual(
        listed.map(({ address }) => address),
        Array.from({ length: 1100 }, (_, index) => `${index}@example.com`),
      );
    });
  });
}

test('a mail of an unknown purpose is refused', async () => {
  await using office = await openOffice();
  await assert.rejects(office.outbox.add(greeting('ann@example.com', { purpose: 'nonsense' })), TypeError);
});
