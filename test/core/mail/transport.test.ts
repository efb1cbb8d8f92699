import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { type Message, openTransport } from '../../../src/core/mail/transport.ts';
import { parseMailUrl } from '../../../src/ground/config/mail-server.ts';
import { from, greeting, openOffice } from './post-office.ts';
import { startScriptedSmtp } from './scripted-smtp.ts';

const message: Message = {
  id: '01a21549-b831-7000-89c7-df33215386dd',
  to: { name: 'Ann', address: 'ann@example.com' },
  subject: 'Hello',
  text: 'Hello Ann\n',
  html: '<p>Hello Ann</p>\n',
  date: new Date('2026-11-26T08:00:00Z'),
};

const never = new AbortController().signal;

/** Sends one mail to a server of its own, and gives its headers as the server got them. */
async function headersOf(changes: Partial<Message>): Promise<Record<string, string>> {
  await using smtp = await startScriptedSmtp();
  const server = parseMailUrl(`smtp://127.0.0.1:${smtp.port}`);
  assert.ok(server);
  const transport = await openTransport({ server, from });
  assert.equal(await transport.send({ ...message, ...changes }, never), undefined);
  transport.close();
  const [mail] = smtp.received;
  assert.deepEqual(mail?.to, ['ann@example.com']);
  const [head = ''] = mail.data.split('\n\n', 1);
  const lines = head.replaceAll(/\n[ \t]+/g, ' ').split('\n');
  return Object.fromEntries(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
}

const usualHeaders = [
  ...['Auto-Submitted', 'From', 'To', 'Subject', 'Message-ID', 'Date', 'MIME-Version', 'Content-Type'],
];

test('a mail says who sent it, that a program did, and which attempts are the same mail', async () => {
  const { 'Content-Type': type = '', ...headers } = await headersOf({});
  assert.deepEqual(headers, {
    'Auto-Submitted': 'auto-generated',
    From: 'Example <no-reply@example.com>',
    To: 'Ann <ann@example.com>',
    Subject: 'Hello',
    'Message-ID': '<01a21549-b831-7000-89c7-df33215386dd@example.com>',
    Date: 'Thu, 26 Nov 2026 08:00:00 +0000',
    'MIME-Version': '1.0',
  });
  assert.match(type, /^multipart\/alternative; boundary=/);
});

describe('no value adds a header', () => {
  for (const end of ['\r\n', '\n', '\r']) {
    for (const changes of [
      { subject: `Hello${end}Bcc: eve@example.com` },
      { to: { name: `Ann${end}Bcc: eve@example.com`, address: 'ann@example.com' } },
      { to: { name: `Ann" <eve@example.com>, "`, address: 'ann@example.com' } },
      { to: { name: `eve@example.com,${end}`, address: 'ann@example.com' } },
      { id: `1>${end}Bcc: eve@example.com` },
    ]) {
      test(JSON.stringify(changes), async () => {
        assert.deepEqual(Object.keys(await headersOf(changes)).sort(), usualHeaders.toSorted());
      });
    }
  }
});

describe('a mail goes to exactly one address, or to none', () => {
  for (const address of [
    'ann@example.com, eve@example.com',
    'ann@example.com,eve@example.com',
    'ann@example.com;eve@example.com',
    'ann@example.com eve@example.com',
    'ann@example.com\r\nBcc: eve@example.com',
    'ann@example.com\nRCPT TO:<eve@example.com>',
    'ann@example.com@eve.example',
    'ann@example.com\uFF20eve.example',
    'ann\uFE6Bexample.com@eve.example',
    'ann@example.com\uFF0Ceve@example.com',
    'Eve <eve@example.com>',
    '<eve@example.com>',
    '"eve@example.com, x"@example.com',
    'group:eve@example.com;',
    'eve@example.com(ann@example.com)',
    'ann@exam\u200Bple.com',
    'ann',
    '@example.com',
    'ann@',
    '',
    `${'a'.repeat(250)}@example.com`,
  ]) {
    test(JSON.stringify(address.slice(0, 60)), async () => {
      await using smtp = await startScriptedSmtp();
      const prepare = async () => ({ to: address, language: 'en', values: {} });
      await using office = await openOffice({
        mailUrl: `smtp://127.0.0.1:${smtp.port}`,
        others: { chosen: { limit: { counted: [] }, keepSeconds: 60, prepare } },
      });
      office.sender.start();
      await office.outbox.add(greeting('row@example.com', { purpose: 'chosen' }));
      await office.sender.settled();
      assert.deepEqual(
        office.events.map(({ kind, reason }) => [kind, reason]),
        [['mail-not-sent', 'not-one-address']],
      );
      assert.deepEqual([smtp.received, await office.listed()], [[], []]);
    });
  }

  test('whatever the name of the recipient is', async () => {
    const names = [
      'eve@example.com,',
      'x <eve@example.com>,',
      'eve@example.com\r\n',
      'all: eve@example.com;',
      '"<eve@example.com>',
    ];
    await using smtp = await startScriptedSmtp();
    await using office = await openOffice({
      mailUrl: `smtp://127.0.0.1:${smtp.port}`,
      others: {
        named: {
          limit: { counted: [] },
          keepSeconds: 60,
          prepare: async ({ address, details }) => ({ to: address, name: details.name, language: 'en', values: {} }),
        },
      },
    });
    for (const name of names)
      await office.outbox.add(greeting('ann@example.com', { purpose: 'named', details: { name } }));
    office.sender.start();
    await office.sender.settled();
    assert.deepEqual(
      smtp.received.map(({ to }) => to),
      names.map(() => ['ann@example.com']),
    );
  });

  for (const address of ['ann@example.com', "o'hara+x@sub.example.co.uk", 'zoë@exämple.example', 'a@localhost']) {
    test(`${address} is one`, async () => {
      await using smtp = await startScriptedSmtp();
      await using office = await openOffice({ mailUrl: `smtp://127.0.0.1:${smtp.port}` });
      office.sender.start();
      await office.outbox.add(greeting(address));
      await office.sender.settled();
      assert.deepEqual(
        office.events.map(({ kind }) => kind),
        ['mail-sent'],
      );
    });
  }
});

test('without STARTTLS, a server on another machine gets neither password nor mail', async () => {
  await using smtp = await startScriptedSmtp();
  const commands: string[] = [];
  smtp.direct((command) => {
    commands.push(command.split(' ', 1)[0] ?? '');
    return undefined;
  });
  const server = parseMailUrl('smtp://janua:secret@mail.example.com');
  assert.equal(server?.tls, 'required');
  const transport = await openTransport({ server: { ...server, host: '127.0.0.1', port: smtp.port }, from });
  const failure = await transport.send(message, never);
  assert.equal(failure?.kind, 'server');
  assert.match(failure?.reason ?? '', /STARTTLS/);
  assert.deepEqual([await transport.verify().then((found) => found?.kind), smtp.received], ['server', []]);
  transport.close();
  assert.deepEqual(new Set(commands), new Set(['CONNECT', 'EHLO', 'STARTTLS']));
});

test('smtps:// for a port that begins without TLS is named as the fault', async () => {
  await using smtp = await startScriptedSmtp();
  const reasonWith = async (url: string) => {
    const server = parseMailUrl(url);
    assert.ok(server);
    const transport = await openTransport({ server, from });
    const failure = await transport.verify();
    transport.close();
    return failure?.reason;
  };
  assert.equal(
    await reasonWith(`smtps://127.0.0.1:${smtp.port}`),
    'this port does not begin with TLS: use smtp:// instead of smtps://',
  );
  // STARTTLS fails in another way, and smtp:// is right.
  smtp.direct((command) => {
    if (command.startsWith('EHLO')) return { answer: '250-test\r\n250 STARTTLS' };
    return command === 'STARTTLS' ? { answer: '220 go on\r\n220 no TLS' } : undefined;
  });
  assert.match((await reasonWith(`smtp://127.0.0.1:${smtp.port}`)) ?? '', /wrong version number/);
});
