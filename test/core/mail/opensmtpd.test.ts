import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { missing } from '../../servers/missing.ts';
import { type MailServer, servesTls, startOpenSmtpd } from '../../servers/opensmtpd.ts';
import { greeting, link, openOffice } from './post-office.ts';

/** Milliseconds between two looks at the delivered mails. */
const pollInterval = 50;

/** Waits until mails to so many addresses are delivered, or the test ends. Gives them by their address, and their number. */
async function waitForDelivery(
  server: MailServer,
  count: number,
  { signal }: TestContext,
): Promise<{ byAddress: Map<string, string>; number: number }> {
  for (;;) {
    const mails = await server.readMails();
    const byAddress = new Map(mails.map((mail) => [/^Delivered-To: (.*)$/m.exec(mail)?.[1] ?? '', mail]));
    if (byAddress.size >= count) return { byAddress, number: mails.length };
    await setTimeout(pollInterval, undefined, { signal });
  }
}

/** Reads a part of a mail, which is in quoted-printable or plain (RFC 2045 6.7). */
function readPart(mail: string, type: string): string {
  const [, , boundary = ''] = /boundary=(["'])(.*?)\1/.exec(mail) ?? [];
  const part = mail.split(`--${boundary}`).find((text) => text.includes(`Content-Type: ${type}`)) ?? '';
  const body = part.slice(part.indexOf('\n\n') + 2);
  if (!/^Content-Transfer-Encoding: quoted-printable$/m.test(part)) return body;
  const unfolded = body.replaceAll('=\n', '');
  return decodeURIComponent(unfolded.replaceAll('%', '%25').replaceAll(/=([\dA-F]{2})/g, '%$1'));
}

const skip = missing('OpenSMTPD');
const noTls = !skip && !servesTls() && 'OpenSMTPD 6 cannot serve TLS with OpenSSL 3';

describe('OpenSMTPD', { skip, concurrency: true }, () => {
  /** Sends one mail, and gives the failure that stays, if any. */
  async function sendOne(mailUrl: string): Promise<string | undefined> {
    await using office = await openOffice({ mailUrl });
    office.sender.start();
    await office.outbox.add(greeting('ann@example.org', { details: { name: 'Zoë <b>' } }));
    await office.sender.settled();
    const [mail] = await office.listed();
    assert.ok(mail === undefined || mail.attempts === 0);
    return mail?.failure;
  }

  async function requireMail(server: MailServer, t: TestContext): Promise<void> {
    const { byAddress } = await waitForDelivery(server, 1, t);
    const mail = byAddress.get('ann@example.org') ?? '';
    assert.match(mail, /^Received: .*\n\tby .* with ESMTPSA .*TLSv1\.3/m);
    assert.match(mail, /^From: Example <no-reply@example\.com>$/m);
    assert.match(mail, /^To: ann@example\.org$/m);
    assert.match(mail, /^Auto-Submitted: auto-generated$/m);
    assert.match(mail, /^Message-ID: <[\w-]{36}@example\.com>$/m);
    assert.match(mail, /^Date: /m);
    assert.equal(
      readPart(mail, 'text/plain').trim(),
      `Dear Zoë <b>,\n\nhere is your link.\n\n${link}\n\nBye\n\n-- \nExample`,
    );
    assert.ok(readPart(mail, 'text/html').includes('Dear Zoë &lt;b&gt;,'));
  }

  test('on this machine takes a mail by STARTTLS with the right password', { skip: noTls }, async (t) => {
    await using server = await startOpenSmtpd('starttls');
    assert.match((await sendOne(server.url.replace('correct', 'wrong'))) ?? '', /^Invalid login: 535/);
    assert.deepEqual(await server.readMails(), []);
    assert.equal(await sendOne(server.url), undefined);
    await requireMail(server, t);
  });

  test('takes a mail by TLS from the start, once its certificate is trusted', { skip: noTls }, async (t) => {
    await using server = await startOpenSmtpd('smtps');
    assert.match((await sendOne(server.url)) ?? '', /certificate/);
    assert.deepEqual(await server.readMails(), []);
    const known = getCACertificates('default');
    setDefaultCACertificates([...known, await readFile(server.certificate, 'utf8')]);
    assert.equal(await sendOne(server.url).finally(() => setDefaultCACertificates(known)), undefined);
    await requireMail(server, t);
  });

  const count = 100;
  const faults: readonly [name: string, cause: (server: MailServer) => Promise<void>][] = [
    [
      'is killed and started again',
      async (server) => {
        await server.kill();
        await setTimeout(1500);
        await server.start();
      },
    ],
    [
      'is frozen for longer than the sender waits',
      async (server) => {
        server.freeze();
        await setTimeout(12_000);
        server.resume();
      },
    ],
  ];
  for (const [name, cause] of faults) {
    test(`gets every mail, although it ${name} meanwhile`, async (t) => {
      await using server = await startOpenSmtpd(noTls ? 'none' : 'starttls');
      await using office = await openOffice({ mailUrl: server.url });
      await office.database.transaction().execute(async (db) => {
        for (let index = 0; index < count; index += 1) await office.outbox.add(greeting(`${index}@example.org`), db);
      });
      office.sender.start();
      await waitForDelivery(server, 10, t);
      await cause(server);
      const { byAddress, number } = await waitForDelivery(server, count, t);
      assert.equal(byAddress.size, count);
      // Those under way to the server, and those that it was storing.
      assert.ok(number <= count + 10, 'at most the mails that were under way came twice');
      await office.sender.settled();
      assert.ok(office.events.every(({ kind }) => kind === 'mail-sent'));
      // A slow machine may see it twice.
      assert.ok([2, 4].includes(office.lines.length), 'the outage is logged, and its end');
    });
  }
});
