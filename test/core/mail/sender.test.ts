import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { greeting, link, openOffice } from './post-office.ts';
import { type Reaction, startScriptedSmtp } from './scripted-smtp.ts';

/** Milliseconds. */
const longestTimer = 2 ** 31 - 1;

/** A started sender, and the mail server that it uses. */
async function openSending(lookInterval?: number) {
  const smtp = await startScriptedSmtp();
  const mailUrl = `smtp://janua:secret@127.0.0.1:${smtp.port}`;
  const office = await openOffice({ mailUrl, ...(lookInterval !== undefined && { lookInterval }) });
  office.sender.start();
  return {
    ...office,
    smtp,
    mailUrl,
    kinds: () => office.events.map(({ kind, reason }) => (reason === undefined ? kind : `${kind}: ${reason}`)),
    async [Symbol.asyncDispose]() {
      await office[Symbol.asyncDispose]();
      await smtp[Symbol.asyncDispose]();
    },
  };
}

/** Answers a command, and all others as usual. */
const answering = (command: string, answer: Reaction) => (sent: string) =>
  sent === command || sent.startsWith(`${command} `) ? answer : undefined;

describe('the sender', { concurrency: true }, () => {
  test('sends a mail as soon as it is added, and removes it', async () => {
    await using sending = await openSending();
    await sending.outbox.add(greeting('ann@example.com', { requestId: 'request-1', userId: 'user-1' }));
    await sending.smtp.waitFor(1);
    await sending.sender.settled();
    assert.deepEqual(sending.smtp.received[0]?.to, ['ann@example.com']);
    assert.deepEqual(await sending.listed(), []);
    const caller = { route: 'mail', requestId: 'request-1' };
    assert.deepEqual(sending.events, [{ kind: 'mail-sent', userId: 'user-1', caller }]);
    assert.deepEqual([sending.lines, sending.failures], [[], []]);
  });

  test('sends a mail after the commit of its transaction, without waiting for the next look at the outbox', async () => {
    await using sending = await openSending(longestTimer);
    await sending.database.transaction().execute((db) => sending.outbox.add(greeting('ann@example.com'), db));
    await sending.smtp.waitFor(1);
  });

  test('drops a mail that its capability does not want any more', async () => {
    await using sending = await openSending();
    await sending.outbox.add(greeting('ann@example.com', { purpose: 'unwanted', requestId: 'request-1' }));
    await sending.sender.settled();
    const caller = { route: 'mail', requestId: 'request-1' };
    assert.deepEqual(sending.events, [{ kind: 'mail-not-sent', reason: 'no-account', userId: 'user-1', caller }]);
    assert.deepEqual([await sending.listed(), sending.smtp.connections()], [[], 0]);
  });

  test('drops a mail that is not for exactly one address', async () => {
    await using sending = await openSending();
    for (const address of ['a@example.com, b@example.com', 'a@b@example.com', 'Ann <a@example.com>'])
      await sending.outbox.add(greeting(address));
    await sending.sender.settled();
    assert.deepEqual(
      sending.events.map(({ kind, reason }) => `${kind} ${reason}`),
      Array(3).fill('mail-not-sent not-one-address'),
    );
    assert.equal(sending.smtp.connections(), 0);
  });

  test('gives up a mail that has expired, and says so', async () => {
    await using sending = await openSending();
    sending.smtp.direct(answering('RCPT', { answer: '451 try later' }));
    await sending.outbox.add(greeting('ann@example.com'));
    await sending.sender.settled();
    sending.pass(1800);
    await sending.sender.settled();
    assert.deepEqual(sending.kinds(), ['mail-not-sent: expired']);
    const [mail] = await sending.listed();
    assert.deepEqual([mail?.dueAt, mail?.failure], [undefined, '451 try later']);
    assert.deepEqual(sending.failures, ['put_off', 'given_up']);
  });

  for (const command of ['RCPT', 'DATA', 'DATA.']) {
    test(`puts a mail off with growing pauses while the server answers ${command} with 4xx`, async () => {
      await using sending = await openSending();
      const { smtp, outbox, sender } = sending;
      smtp.direct(answering(command, { answer: '450 4.2.1 try later' }));
      await outbox.add(greeting('ann@example.com'));
      await sender.settled();
      const pauses: number[] = [];
      for (let attempt = 1; attempt <= 7; attempt += 1) {
        const [mail] = await sending.listed();
        assert.ok(mail?.dueAt);
        assert.deepEqual([mail.attempts, mail.failure], [attempt, '450 4.2.1 try later']);
        pauses.push(Math.ceil((mail.dueAt - sending.now()) / 1000));
        sending.pass(pauses.at(-1) ?? 0);
        await sender.settled();
      }
      assert.deepEqual(pauses, [5, 10, 20, 40, 80, 160, 320]);
      smtp.direct(() => undefined);
      sending.pass(640);
      await sender.settled();
      assert.equal(smtp.received.length, 1);
      assert.deepEqual([sending.kinds(), await sending.listed(), sending.lines], [['mail-sent'], [], []]);
    });

    test(`gives a mail up at once when the server answers ${command} with 5xx, until it is retried`, async () => {
      await using sending = await openSending();
      const { smtp, outbox, sender } = sending;
      smtp.direct(answering(command, { answer: '550 5.1.1 no such user' }));
      await outbox.add(greeting('ann@example.com'));
      await sender.settled();
      assert.deepEqual(sending.kinds(), ['mail-not-sent: refused-by-server']);
      const [mail] = await sending.listed();
      assert.deepEqual([mail?.dueAt, mail?.failure], [undefined, '550 5.1.1 no such user']);
      smtp.direct(() => undefined);
      await outbox.retry(mail?.id);
      await sender.settled();
      assert.equal(smtp.received.length, 1);
    });
  }

  // A server that refuses its client, or that breaks off, does so for every mail.
  const outages: readonly [name: string, command: string, reaction: Reaction][] = [
    ['closes each connection at once', 'CONNECT', 'close'],
    ['greets with 421', 'CONNECT', { answer: '421 too busy' }],
    ['greets with 554', 'CONNECT', { answer: '554 go away' }],
    ['refuses the login', 'AUTH', { answer: '535 wrong password' }],
    ['refuses the sender', 'MAIL', { answer: '550 not your address' }],
    ['closes the connection at the recipient', 'RCPT', 'close'],
    ['closes the connection in the middle of a mail', 'DATA', 'close'],
    ['closes the connection after a mail', 'DATA.', 'close'],
    ['shuts down in the middle of a mail', 'DATA.', { answer: '421 shutting down' }],
    ['says nonsense', 'CONNECT', { answer: 'HTTP/1.1 400 Bad Request' }],
  ];
  for (const [name, command, reaction] of outages) {
    test(`waits for a server that ${name}, without counting attempts`, async () => {
      await using sending = await openSending();
      const { smtp, outbox, sender } = sending;
      smtp.direct(answering(command, reaction));
      await outbox.add(greeting('ann@example.com'));
      await sender.settled();
      const [mail] = await sending.listed();
      assert.deepEqual([mail?.attempts, mail?.dueAt !== undefined], [0, true]);
      assert.ok(mail?.failure);
      assert.deepEqual(
        sending.lines.map((line) => ({ ...line, reason: undefined })),
        [{ level: 'error', event: 'store_unavailable', part: 'The mail server', reason: undefined }],
      );
      smtp.direct(() => undefined);
      await smtp.waitFor(1);
      await sender.settled();
      assert.deepEqual([smtp.received.length, await sending.listed()], [1, []]);
      assert.deepEqual(sending.kinds(), ['mail-sent']);
      assert.equal(sending.lines.length, 2, 'the outage is logged once, and its end');
    });
  }

  test('waits for a server that cannot be reached, with growing pauses, and logs the outage once', async () => {
    await using smtp = await startScriptedSmtp();
    await using office = await openOffice({ mailUrl: 'smtp://127.0.0.1:1' });
    office.sender.start();
    const started = performance.now();
    await office.outbox.add(greeting('ann@example.com'));
    const { promise: thirdFailure, resolve } = Promise.withResolvers<void>();
    const push = office.failures.push.bind(office.failures);
    office.failures.push = (...why) => {
      if (office.failures.length === 2) resolve();
      return push(...why);
    };
    await thirdFailure;
    assert.ok(performance.now() - started > 2900, 'after 1 and 2 seconds');
    await office.sender.settled();
    assert.equal(office.lines.length, 1);
    assert.equal((await office.listed())[0]?.attempts, 0);
    assert.equal(smtp.connections(), 0);
  });

  test('gives up all mails that expired while the server could not be reached', async () => {
    const prepare = async () => ({ to: 'ann@example.com', language: 'en', values: {} });
    const others = { lasting: { limit: { counted: [] }, keepSeconds: 3600, prepare } };
    await using office = await openOffice({ mailUrl: 'smtp://127.0.0.1:1', others });
    const { outbox, sender } = office;
    for (let index = 0; index < 10; index += 1) await outbox.add(greeting('ann@example.com', { purpose: 'lasting' }));
    for (let index = 0; index < 150; index += 1) await outbox.add(greeting(`${index}@example.com`));
    office.pass(1800);
    sender.start();
    await sender.settled();
    assert.equal(office.events.filter(({ reason }) => reason === 'expired').length, 150);
    assert.equal(await outbox.countQueued(), 10);
  });

  for (const command of ['CONNECT', 'DATA.']) {
    test(`gives up on a server that is silent after ${command}, and requests do not notice`, async () => {
      await using sending = await openSending();
      const { smtp, outbox, sender } = sending;
      smtp.direct(answering(command, 'silence'));
      await outbox.add(greeting('ann@example.com'));
      let isSettled = false;
      const settled = sender.settled().then(() => {
        isSettled = true;
      });
      // These take far less than the five seconds after which it gives up.
      for (let index = 0; index < 5; index += 1) await outbox.add(greeting(`${index}@example.com`));
      assert.equal(isSettled, false);
      await settled;
      smtp.direct(() => undefined);
      await smtp.waitFor(6);
      await sender.settled();
      assert.deepEqual(await sending.listed(), []);
    });
  }

  test('sends the other mails when one of them breaks the connection, or cannot be prepared', async () => {
    await using sending = await openSending();
    const { smtp, outbox, sender } = sending;
    smtp.direct((command) => (command.includes('poison') ? 'close' : undefined));
    await outbox.add(greeting('poison@example.com'));
    await outbox.add(greeting('broken@example.com', { purpose: 'broken' }));
    for (let index = 0; index < 20; index += 1) await outbox.add(greeting(`${index}@example.com`));
    await smtp.waitFor(20);
    await sender.settled();
    assert.deepEqual((await sending.listed()).map(({ address }) => address).sort(), [
      'broken@example.com',
      'poison@example.com',
    ]);
    assert.ok(sending.lines.some((line) => 'event' in line && line.event === 'mail_unprepared'));
  });

  test('finishes the mails under way when it closes, and leaves the others', async () => {
    await using sending = await openSending();
    const { smtp, outbox, sender } = sending;
    const { promise: underWay, resolve } = Promise.withResolvers<void>();
    let closing: Promise<void> | undefined;
    smtp.direct((command) => {
      if (command === 'DATA.') {
        closing ??= sender.close();
        resolve();
      }
      return undefined;
    });
    for (let index = 0; index < 30; index += 1) await outbox.add(greeting(`${index}@example.com`));
    await underWay;
    await closing;
    assert.ok(smtp.received.length >= 1 && smtp.received.length <= 5, String(smtp.received.length));
    assert.equal((await sending.listed()).length, 30 - smtp.received.length);
    await outbox.add(greeting('late@example.com'));
    await sender.settled();
    assert.equal((await sending.listed()).length, 31 - smtp.received.length);
  });

  test('cuts a silent server off when it closes', async () => {
    await using sending = await openSending();
    const { smtp, outbox, sender } = sending;
    const { promise: underWay, resolve } = Promise.withResolvers<void>();
    smtp.direct((command) => {
      if (command !== 'DATA.') return undefined;
      resolve();
      return 'silence';
    });
    await outbox.add(greeting('ann@example.com'));
    await underWay;
    await sender.close();
    const [mail] = await sending.listed();
    assert.deepEqual([mail?.attempts, mail?.failure], [0, 'Message sending aborted'], 'the next process sends it');
  });

  test('sends each mail once, when two senders share an outbox', async () => {
    await using sending = await openSending();
    const { smtp, outbox, opened, mailUrl } = sending;
    await using other = await openOffice({ mailUrl, opened });
    other.sender.start();
    for (let index = 0; index < 200; index += 1) {
      await outbox.add(greeting(`${index}@example.com`));
      other.sender.wake();
    }
    await smtp.waitFor(200);
    await Promise.all([sending.sender.settled(), other.sender.settled()]);
    assert.equal(new Set(smtp.received.map(({ to }) => to[0])).size, 200);
    assert.equal(smtp.received.length, 200);
  });

  test('does nothing before it is started', async () => {
    await using office = await openOffice({ mailUrl: 'smtp://127.0.0.1:1' });
    await office.outbox.add(greeting('ann@example.com'));
    await office.sender.settled();
    assert.deepEqual([office.failures, (await office.listed()).length], [[], 1]);
  });

  test("fills the demo's mailbox", async () => {
    await using office = await openOffice();
    office.sender.start();
    await office.outbox.add(greeting('ann@example.com'));
    await office.sender.settled();
    const [kept] = await office.outbox.listKept(1);
    assert.deepEqual([kept?.to, kept?.subject, kept?.link], ['ann@example.com', 'Hello Ann', link]);
    assert.deepEqual(
      office.events.map(({ kind }) => kind),
      ['mail-sent'],
    );
  });

  test('stores, logs and records no link, even if the server quotes the mail', async () => {
    await using sending = await openSending();
    const { smtp, outbox, sender } = sending;
    const secret = link.slice(link.indexOf('=') + 1);
    for (const answer of [
      `550 spam: ${link}`,
      `450 spam: <${link}>`,
      `421 spam: ${secret}`,
      `550-a\r\n550 ${secret}`,
    ]) {
      smtp.direct(answering('DATA.', { answer }));
      await outbox.add(greeting('ann@example.com'));
      await sender.settled();
    }
    const written = JSON.stringify([await sending.listed(), sending.lines, sending.events]);
    assert.match(written, /550 spam: /);
    assert.doesNotMatch(written, new RegExp(secret.slice(0, 20)));
  });
});

test('the sender sends thousands of mails, each once', async (t) => {
  await using sending = await openSending();
  const { smtp, outbox, sender, database } = sending;
  const count = 2000;
  await sender.settled();
  await database.transaction().execute(async (db) => {
    for (let index = 0; index < count; index += 1) await outbox.add(greeting(`${index}@example.com`), db);
  });
  const started = performance.now();
  await smtp.waitFor(count);
  t.diagnostic(`${Math.round((count * 1000) / (performance.now() - started))} mails a second`);
  await sender.settled();
  assert.equal(new Set(smtp.received.map(({ to }) => to[0])).size, count);
  assert.deepEqual([smtp.received.length, await outbox.countQueued()], [count, 0]);
});
