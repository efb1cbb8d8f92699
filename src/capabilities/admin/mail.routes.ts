import { type Answer, Refusal } from '../../core/access/refusal.ts';
import type { Core } from '../../core/core.ts';
import type { QueuedMail } from '../../core/mail/outbox.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import type { Features } from '../../web/flow-options.ts';
import { actorOf } from '../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App } from '../../web/types.ts';
import { mailView } from './views.ts';

export type MailParts = Pick<Core, 'outbox' | 'retryMails'>;

const mailSchema = object('A mail', {
  id: text('019ab8f0-0000-7000-8000-000000000000'),
  purpose: text('reset-password', 'What it is about'),
  address: text('ann@example.com'),
  state: text('waiting', '`waiting`, or `given-up`'),
  created_at: time,
  due_at: { ...orNull(time), description: 'RFC 3339, UTC: when it is tried next. Null once it is given up' },
  attempts: { type: 'integer', description: 'How often the mail server has refused it', examples: [1] },
  failure: orNull(text('450 mailbox busy', 'Why the last attempt failed')),
  request_id: orNull(text('6d8ff52d-6ff9-48ec-bc09-bfd526b00817', 'The request that caused it')),
});
const listSchema = object('The mails that wait or were given up', {
  sends: { type: 'boolean', description: 'Whether there is a mail server: `MAIL_URL`' },
  mails: listOf(mailSchema),
  next_cursor: nextCursor,
});

const noSuchMail: Answer = { name: 'no-such-mail', status: 404, detail: 'There is no mail with that id' };

/**
 * Leaves out `details`, the values in the text of the mail. A waiting mail has no link yet: the link is made just before the mail is sent.
 */
export const describeMail = ({ id, purpose, address, createdAt, dueAt, attempts, failure, requestId }: QueuedMail) => ({
  id,
  purpose,
  address,
  state: dueAt === undefined ? 'given-up' : 'waiting',
  created_at: new Date(createdAt).toISOString(),
  due_at: dueAt === undefined ? null : new Date(dueAt).toISOString(),
  attempts,
  failure: failure ?? null,
  request_id: requestId ?? null,
});

const page = '/admin/mail';
const config = { signedIn: true, scope: 'settings:read' };

/** Adds the page that lists mails that wait or were given up, and sends them again. */
export function addMail(app: App, parts: () => MailParts, { mail: sends }: Pick<Features, 'mail'>): void {
  addAction(app, [page, '/api/admin/mail'], {
    method: 'GET',
    summary: 'Mail',
    description: 'The mails that wait or were given up, the newest first.',
    tag,
    config: { ...config, view: mailView, refusals: [unreadableList] },
    query: listQuery,
    answer: json('The mails', listSchema, { next_cursor: null }),
    browser: 'The page with the mails',
    async handle({ query }) {
      const { limit, after } = readList(query, { keyLength: 1 });
      const found = await parts().outbox.findPage(limit + 1, after?.[0]);
      const { entries, next_cursor } = pageOf(found, limit, ({ id }) => [id]);
      return { sends, mails: entries.map(describeMail), next_cursor, query };
    },
  });

  addAction(app, [`${page}/retry`, '/api/admin/mail/retry'], {
    method: 'POST',
    summary: 'Send mail again',
    tag,
    config: { ...config, openedAt: page, refusals: [noSuchMail] },
    fields: {
      id: {
        maxLength: 36,
        description: 'The only mail to send. Default: all',
        examples: ['019ab8f0-0000-7000-8000-000000000000'],
      },
    },
    answer: json('The mails are due', object('How many', { count: { type: 'integer', examples: [1] } })),
    browser: 'To the page with the mails',
    async handle(request, reply, { id }) {
      if (id && !/^[\da-f-]{36}$/.test(id)) throw new Refusal(noSuchMail);
      const count = await parts().retryMails(id || undefined, actorOf(request));
      if (count === 0 && id) throw new Refusal(noSuchMail);
      return reply.proceed(`${page}?state=retried`, { count });
    },
  });
}
