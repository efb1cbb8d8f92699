import assert from 'node:assert/strict';
import { glob, readFile } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mostMails } from '../../../src/core/mail/limits.ts';
import { createMailer } from '../../../src/core/mail/mailer.ts';
import { createMoreChanges, createNotice } from '../../../src/core/mail/notice.ts';
import type { QueuedMail } from '../../../src/core/mail/outbox.ts';
import type { NewMail } from '../../../src/core/mail/queue.ts';
import { createUnthrottled } from '../../../src/core/throttle/throttle.ts';
import { insertAll } from '../../../src/ground/database/insert-new.ts';
import { textsIn } from '../../../src/ground/languages/speech.ts';
import { caller, startJanua } from '../../janua.ts';
import { missing } from '../../servers/missing.ts';
import { takeTurnAtOnce } from '../passwords/in-turn.ts';
import { type OfficeOptions, openOffice } from './post-office.ts';

const users = { findById: async () => undefined };
const baseUrl = () => 'https://auth.example.com';
const notice = createNotice(users, baseUrl)();
const requested = { ...notice, limit: { counted: ['minute', 'hour', 'party'] } } as const;
const usual = {
  'factors-changed': notice,
  'password-changed': notice,
  'reset-password': requested,
  'new-sign-in': { ...notice, limit: { counted: ['hour'], reportsEvent: true } } as const,
};

/** An office with the door. The demo's mailbox keeps the mails. */
async function open({
  whilePrepared = async () => {},
  ...options
}: OfficeOptions & { whilePrepared?(): Promise<void> } = {}) {
  const moreChanges = createMoreChanges(users, baseUrl);
  const others = {
    ...usual,
    'more-changes': {
      ...moreChanges,
      async prepare(mail: QueuedMail) {
        await whilePrepared();
        return moreChanges.prepare(mail);
      },
    },
  };
  const findWords = (purpose: string) => textsIn('en').words.mails[purpose];
  const office = await openOffice({ ...options, others, findWords });
  const { database, outbox: queue, now, events } = office;
  const audit = {
    record: async () => {},
    recordIfPossible: async (event: (typeof events)[number]) => void events.push(event),
    requireAllowance: () => {},
    recordIn: async (_: unknown, event: (typeof events)[number]) => void events.push(event),
    digestName: (name: string) => name,
  };
  const { engine } = office.opened;
  const mailer = createMailer({
    database,
    engine,
    queue,
    descriptions: others,
    throttle: createUnthrottled(takeTurnAtOnce),
    audit,
    now,
  });
  office.sender.start();
  return {
    ...office,
    mailer,
    notify: (what: string, changes: Partial<NewMail> = {}, from = '203.0.113.7') =>
      mailer.notify(
        {
          purpose: 'factors-changed',
          address: 'ann@example.com',
          language: 'en',
          userId: 'ann',
          details: { what, userAgent: 'curl/8', address: from },
          ...changes,
        },
        caller,
      ),
    /** Sends what is due. Gives the mails so far, by what they tell, oldest first. */
    async sent() {
      await office.sender.settled();
      const mails = await office.outbox.listKept(100);
      return mails.toReversed().map(({ to, text }) => `${to}: ${text.replaceAll(/\s+/g, ' ')}`);
    },
    [Symbol.asyncDispose]: () => office[Symbol.asyncDispose](),
  };
}

/** How many changes a merged notice tells. */
const countIn = (text = '') => Number(/account: (\d+) more change/.exec(text)?.[1] ?? Number.NaN);

for (const engine of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
  describe(`notices on ${engine}`, { skip: missing(engine) }, () => {
    test('of many changes are two mails, and the second one tells of all the others', async () => {
      await using office = await open({ engine });
      for (let count = 0; count < 30; count += 1) await office.notify('passkey-added');
      await office.notify('passkey-added', {}, '198.51.100.1');
      assert.deepEqual((await office.sent()).length, 1, 'the first one goes out at once');
      office.pass(601);
      const merged = (await office.sent()).at(-1);
      assert.equal(countIn(merged), 30);
      assert.match(merged ?? '', /A passkey was added\. \(30×\)/);
      assert.match(merged ?? '', /203\.0\.113\.7; .*198\.51\.100\.1/);
      await office.notify('passkey-added');
      assert.equal((await office.sent()).length, 3, 'a later one goes out at once again');
    });

    test('of each kind go out at once, and to each address', async () => {
      await using office = await open({ engine });
      for (const what of ['passkey-added', 'passkey-removed', 'app-added', 'app-added']) await office.notify(what);
      await office.notify('password-changed', { purpose: 'password-changed' });
      for (const address of ['former@example.com', 'former@example.com']) await office.notify('app-added', { address });
      assert.equal((await office.sent()).length, 5);
      office.pass(601);
      const later = (await office.sent()).filter((mail) => countIn(mail) > 0);
      assert.deepEqual(later.map((mail) => mail.split(':')[0]).sort(), ['ann@example.com', 'former@example.com']);
      assert.deepEqual(later.map(countIn), [1, 1]);
    });

    test('of changes at the same time are all told, also while the mail goes out', async () => {
      await using office = await open({ engine });
      await office.notify('passkey-added');
      const changes = 20;
      await Promise.all(Array.from({ length: changes }, () => office.notify('passkey-added')));
      office.pass(601);
      await Promise.all([office.sent(), ...Array.from({ length: changes }, () => office.notify('passkey-added'))]);
      office.pass(601);
      const mails = await office.sent();
      const told = mails.map((mail) => countIn(mail) || 1).reduce((sum, count) => sum + count);
      assert.equal(told, 1 + 2 * changes, mails.join('\n'));
    });

    test('that comes while the merged one is made is told by another mail', async () => {
      let changes = 0;
      const add = () => office.notify('passkey-added');
      await using office = await open({ engine, whilePrepared: async () => void (changes++ === 0 && (await add())) });
      for (let count = 0; count < 3; count += 1) await add();
      office.pass(601);
      await office.sent();
      const mails = await office.sent();
      assert.deepEqual(mails.map((mail) => countIn(mail) || 1).sort(), [1, 1, 2], mails.join('\n'));
    });

    test('wait in the database, and not in the process', async () => {
      await using office = await open({ engine });
      for (let count = 0; count < 3; count += 1) await office.notify('passkey-added');
      await office.sent();
      await using other = await open({ opened: office.opened });
      other.pass(601);
      assert.equal(countIn((await other.sent())[1]), 2);
    });

    test('are undone with their change', async () => {
      await using office = await open({ engine });
      for (let count = 0; count < 2; count += 1) await office.notify('app-added');
      await office.sent();
      const before = (await office.listed()).map(({ details }) => details);
      const failed = office.database.transaction().execute(async (db) => {
        const mail = { purpose: 'factors-changed', address: 'ann@example.com', language: 'en', userId: 'ann' };
        await office.mailer.notify({ ...mail, details: { what: 'app-added' } }, caller, db);
        throw new Error('no');
      });
      await assert.rejects(failed, /no/);
      assert.deepEqual(
        (await office.listed()).map(({ details }) => details),
        before,
      );
    });
  });

/** Fills the outbox with mails that wait. */
async function fill({ database, now }: Awaited<ReturnType<typeof open>>, count: number, row: object): Promise<void> {
  const time = now() + 3600_000;
  const rows = Array.from({ length: count }, (_, index) => ({
    id: `${JSON.stringify(row).slice(-20)}${index}`,
    purpose: 'reset-password',
    address: `${index}@example.com`,
    language: 'en',
    details: '{}',
    created_at: time,
    due_at: time,
    expires_at: time,
    stranger: 1,
    party: `${index}`,
    ...row,
  }));
  await insertAll(database, 'janua_mails', rows);
}

describe('a mail is refused while too many wait', () => {
  const reset = { purpose: 'reset-password', address: 'ann@example.com', language: 'en' };
  const stranger = { ...caller, address: '203.0.113.7' };
  for (const [of, count, row, mail, expected] of [
    ['strangers', mostMails.ofStrangers, {}, reset, false],
    ['strangers, but not of a user', mostMails.ofStrangers, {}, { ...reset, userId: 'ann' }, true],
    ['all', mostMails.ofRequests, { stranger: 0 }, { ...reset, userId: 'ann' }, false],
    ['a network', mostMails.ofParty, { party: '203.0.113.7' }, reset, false],
    ['another network', mostMails.ofParty, { party: '203.0.113.8' }, reset, true],
    ['a user', mostMails.ofParty, { party: 'user:ann', stranger: 0 }, { ...reset, userId: 'ann' }, false],
    [
      'an administrator',
      mostMails.ofParty,
      { party: 'user:ada', stranger: 0 },
      { ...reset, userId: 'ann', causedBy: { userId: 'ada' } },
      false,
    ],
    [
      'the operator: never',
      500,
      { party: 'user:operator', stranger: 0 },
      { ...reset, userId: 'ann', causedBy: { userId: 'operator' } },
      true,
    ],
    [
      'a user, but not of a login that the user is told of',
      mostMails.ofParty,
      { party: 'user:ann', stranger: 0, address: 'ann@example.com' },
      { ...reset, purpose: 'new-sign-in', userId: 'ann' },
      true,
    ],
    ['an address', mostMails.toAddress, { address: 'ann@example.com' }, reset, false],
    [
      'strangers to an address: not of a user',
      mostMails.toAddress,
      { address: 'ann@example.com' },
      { ...reset, userId: 'ann' },
      true,
    ],
  ] as const)
    test(`of ${of}`, async () => {
      await using office = await open();
      await fill(office, count, row);
      assert.equal(await office.mailer.request(mail, stranger), expected);
      assert.deepEqual(
        office.events.map(({ kind, reason }) => [kind, reason]),
        expected ? [] : [['mail-not-sent', 'too-many-waiting']],
      );
      await office.notify('app-added');
      assert.deepEqual(
        (await office.sent()).map((text) => /An authenticator app was added/.test(text)).at(-1),
        true,
        'notices have room',
      );
    });

  test('but a mail that was sent makes room', async () => {
    await using office = await open();
    await fill(office, mostMails.toAddress, { address: 'ann@example.com' });
    assert.equal(await office.mailer.request(reset, stranger), false);
    await office.outbox.remove((await office.listed())[0]?.id ?? '');
    assert.equal(await office.mailer.request(reset, stranger), true);
  });

  test('and of those that were given up, only the latest are kept', async () => {
    await using office = await open();
    for (const stranger of [0, 1]) await fill(office, mostMails.givenUp + 700, { due_at: null, stranger });
    await office.outbox.removeGivenUp();
    const left = await office.listed();
    assert.equal(left.length, 2 * mostMails.givenUp);
  });
});

describe('one door', () => {
  test('is all that capabilities get', async () => {
    await using janua = await startJanua();
    const { outbox, sentOutbox, mailer } = janua.services;
    assert.deepEqual(Object.keys(mailer ?? {}).sort(), ['admit', 'notify', 'request']);
    for (const given of [outbox, sentOutbox]) assert.equal('add' in (given ?? {}), false);
  });

  test('is the only file that adds a mail', async () => {
    const root = fileURLToPath(new URL('../../../src', import.meta.url));
    const adding: string[] = [];
    for await (const file of glob('**/*.ts', { cwd: root }))
      if (
        /createQueue|into\(\s*'janua_mails'|insertAll\([^)]*janua_mails/i.test(await readFile(join(root, file), 'utf8'))
      )
        adding.push(file.split(sep).join('/'));
    assert.deepEqual(adding.sort(), ['core/mail/mailing.ts', 'core/mail/queue.ts']);
  });

  test('has a limit for each purpose, and refuses the other way in', async () => {
    await using office = await open();
    const mail = { address: 'ann@example.com', language: 'en', userId: 'ann' };
    await assert.rejects(office.mailer.request({ ...mail, purpose: 'factors-changed' }, caller), TypeError);
    await assert.rejects(office.mailer.notify({ ...mail, purpose: 'reset-password' }, caller), TypeError);
    await assert.rejects(office.mailer.notify({ ...mail, purpose: 'nonsense' }, caller), TypeError);
  });
});
