import { randomUUID } from 'node:crypto';
import type { QueuedMail } from '../core/mail/outbox.ts';
import { loadRenderer } from '../core/mail/render.ts';
import { openTransport } from '../core/mail/transport.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { loadSettings } from '../ground/config/load.ts';
import { findMailRoute } from '../ground/config/mail-server.ts';
import { Misconfiguration } from '../ground/faults/misconfiguration.ts';
import { isMailAddress } from '../ground/text/mail-address.ts';
import { administer } from './administer.ts';
import { list, secondOf } from './list.ts';

export const listMail = ({ json }: { readonly json?: boolean }) =>
  administer('janua mail list', async ({ outbox }) =>
    list(describeMails(outbox.list()), {
      json,
      none: 'There is no mail to send.',
      heading: ['ID', 'PURPOSE', 'ADDRESS', 'CREATED (UTC)', 'DUE', 'ATTEMPTS', 'FAILURE'],
      toRows: (mails) =>
        mails.map(({ id, purpose, address, createdAt, dueAt, attempts, failure = '' }) => [
          id,
          purpose,
          address,
          secondOf(createdAt),
          dueAt === undefined ? 'given up' : secondOf(dueAt),
          String(attempts),
          failure,
        ]),
    }),
  );

export const retryMail = (id: string | undefined) =>
  administer('janua mail retry', async ({ outbox, audit }, caller) => {
    const count = await outbox.retry(id);
    if (count === 0 && id !== undefined) throw new ChangeRefused('There is no mail with that id: janua mail list.');
    if (count === 0) return 'There is no mail to send.';
    await audit.record({ kind: 'mail-retried', caller, count });
    return count === 1 ? 'The server sends the mail now.' : `The server sends ${count} mails now.`;
  });

export async function testMail(address: string): Promise<void> {
  const route = findMailRoute(loadSettings());
  if (route === undefined) throw new Misconfiguration('MAIL_URL must be set to the mail server.');
  if (!isMailAddress(address)) throw new Misconfiguration('The address must be one address, such as ann@example.com.');
  const { host, port } = route.server;
  await administer('janua mail test', async ({ audit }, caller) => {
    const render = await loadRenderer();
    const frame = { appName: loadSettings().APP_NAME, language: 'en', values: {} };
    const transport = await openTransport(route);
    const to = { name: '', address };
    const mail = { ...render(testWords, frame), to, id: randomUUID(), date: new Date() };
    const failure = await transport.send(mail, new AbortController().signal);
    transport.close();
    await audit.record({ kind: 'mail-tested', caller, reason: failure && 'failed' });
    if (failure !== undefined) throw new ChangeRefused(`${host}:${port} did not take the mail: ${failure.reason}`);
    return `${host}:${port} took the mail to ${address}. If it does not arrive, see the log of that server.`;
  });
}

const testWords = {
  subject: 'Test mail from {app}',
  paragraphs: ['{app} can send mail. An operator has tried it with `janua mail test`.'],
};

async function* describeMails(mails: AsyncIterable<QueuedMail>) {
  for await (const { details: _, language: __, ...mail } of mails)
    yield {
      ...mail,
      createdAt: new Date(mail.createdAt),
      dueAt: mail.dueAt === undefined ? undefined : new Date(mail.dueAt),
      expiresAt: new Date(mail.expiresAt),
    };
}
