import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { removeExpired } from '../../src/database/deletions.ts';
import { missing } from '../servers/missing.ts';
import { greeting, openOffice } from './post-office.ts';

const day = 24 * 60 * 60;

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  describe(`the outbox on ${engine}`, { skip: missing(engine) }, () => {
    test('returns a mail as it was added, until it is removed', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      assert.equal(await outbox.hasDue(), false);
      const details = { name: 'Zoë 🦉 "x"\n' };
      await outbox.add(
        greeting('ann@example.com', { userId: 'user-1', requestId: 'request-1', language: 'vi', details }),
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
          requestId: 'request-1',
        },
        ...{ details, attempts: 0, failure: undefined },
      });
      assert.deepEqual([dueAt, expiresAt], [createdAt, createdAt + 1800_000]);
      await outbox.remove(id);
      assert.deepEqual([await outbox.hasDue(), await office.listed()], [false, []]);
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
      const own = await Array.fromAsync(office.outbox.list({ id: 'user-1', username: 'ann@example.com' }));
      assert.deepEqual(
        own.map(({ address }) => address),
        ['ann@example.com', 'new@example.com'],
      );
    });

    test('gives the mails that have been due for longest first', async () => {
      await using office = await openOffice({ engine });
      const { outbox } = office;
      for (const name of ['a', 'b', 'c']) await outbox.add(greeting(`${name}@example.com`));
      const order = async () => (await outbox.findDue(2)).map(({ address }) => address.slice(0, 1)).join('');
      assert.equal(await order(), 'ab');
      const [first] = await outbox.findDue(1);
      assert.ok(first);
      office.pass(1);
      await outbox.putOff(first, 0, 0, 'the connection broke');
      assert.equal(await order(), 'bc', 'a mail that is put off goes behind the others');
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
      assert.equal(await outbox.retry(), 3);
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
