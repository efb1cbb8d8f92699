import type { KeptMail } from '../../core/mail/outbox.ts';
import { addAction } from '../../web/action.ts';
import { json, object } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { view } from '../../web/view.ts';

/** Most mails that the page shows. */
const mostMails = 100;

const string = { type: 'string' };
const mailSchema = object('A mail', {
  id: string,
  to: { ...string, description: 'The address of the recipient' },
  subject: string,
  text: { ...string, description: 'As plain text' },
  html: { ...string, description: 'As HTML' },
  created_at: { ...string, description: 'UTC, RFC 3339' },
});

const mailboxSchema = object('The mailbox', { mails: { type: 'array', items: mailSchema } });

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/mailbox/mailbox': ReturnType<typeof describe>;
  }
}

const describe = ({ mails }: { readonly mails: readonly (KeptMail & { readonly created_at: string })[] }) => ({
  // Joins the lines of each paragraph, because the box on the page is narrower than the lines of the mail.
  mails: mails.map((mail) => ({ ...mail, text: mail.text.replaceAll(/(\S)\n(?=\S)/g, '$1 ') })),
});

export interface MailboxOptions {
  /** Finds the mails that the demo would have sent, newest first. Undefined in production. */
  readonly findKeptMail?: ((limit: number) => Promise<readonly KeptMail[]>) | undefined;
}

/**
 * Adds the demo's mailbox. A user who can open it can use the links in the mails, so the demo answers only under names of this machine,
 * such as `localhost`.
 */
export function addMailbox(app: App, findKeptMail: NonNullable<MailboxOptions['findKeptMail']>): void {
  addAction(app, ['/demo/mail', '/api/demo/mail'], {
    method: 'GET',
    summary: 'Mailbox',
    description: 'The mails that the server would have sent, newest first. In the demo only.',
    tag: 'Demo',
    config: { view: view('capabilities/mailbox/mailbox', describe) },
    answer: json('The mailbox', mailboxSchema, {
      mails: [
        {
          id: '01a21549-b831-7000-…',
          to: 'ann@example.com',
          subject: 'Your new password',
          text: 'Hello…',
          html: '<!doctype html>…',
          created_at: '2026-11-26T08:00:00.000Z',
        },
      ],
    }),
    browser: 'The page Mailbox',
    async handle() {
      const mails = await findKeptMail(mostMails);
      // The page also needs the link of the mail. The schema leaves the link out of the JSON.
      return { mails: mails.map((mail) => ({ ...mail, created_at: new Date(mail.createdAt).toISOString() })) };
    },
  });
}
