import { randomUUID } from 'node:crypto';
import type { QueuedMail } from '../core/mail/outbox.ts';
import { loadRenderer } from '../core/mail/render.ts';
import { type Failure, openTransport } from '../core/mail/transport.ts';
import { ChangeRefused } from '../core/users/change-refused.ts';
import { loadSettings } from '../ground/config/load.ts';
import { findMailRoute, type MailRoute } from '../ground/config/mail-server.ts';
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
  administer('janua mail retry', async ({ retryMails }, caller) => {
    const count = await retryMails(id, { caller });
    if (count === 0 && id !== undefined)
      throw new ChangeRefused('There is no mail with that id: ./bin/janua mail list.');
    if (count === 0) return 'No mail was put off or given up.';
    return count === 1 ? 'The server tries to send the mail now.' : `The server tries to send ${count} mails now.`;
  });

export async function testMail(address: string): Promise<void> {
  const route = findMailRoute(loadSettings());
  if (route === undefined) throw new Misconfiguration('MAIL_URL must be set to the mail server.');
  if (!isMailAddress(address)) throw new Misconfiguration('The address must be one address, such as ann@example.com.');
  const { host, port } = route.server;
  await administer('janua mail test', async ({ audit, appName }, caller) => {
    const failure = await sendTestMail(route, appName, address);
    await audit.record({ kind: 'mail-tested', caller, reason: failure && 'failed' });
    if (failure !== undefined) throw new ChangeRefused(`${host}:${port} did not take the mail: ${failure.reason}`);
    return `${host}:${port} took the mail to ${address}. If it does not arrive, see the log of that server.`;
  });
}

export async function sendTestMail(route: MailRoute, appName: string, address: string): Promise<Failure | undefined> {
  const render = await loadRenderer();
  const transport = await openTransport(route);
  const rendered = render(testWords, { appName, language: 'en', values: {} });
  const mail = { ...rendered, to: { name: '', address }, id: randomUUID(), date: new Date() };
  const failure = await transport.send(mail, new AbortController().signal);
  transport.close();
  return failure;
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
