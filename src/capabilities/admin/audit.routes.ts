import { byOwner } from '../../core/access/access.ts';
import type { Events } from '../../core/audit/event.ts';
import { addAction } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { showPageWithFaults } from '../../web/form.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, listRefusals, nextCursor, readList } from '../../web/list.ts';
import { json, listOf, object, orNull, type Schema, text, time } from '../../web/openapi/responses.ts';
import { tellOf } from '../../web/tell-of.ts';
import type { App } from '../../web/types.ts';
import { type AuditParts, auditRules, exportEvents, filterOf, listEvents } from './audit.ts';
import { addExport } from './file-export.ts';
import { auditView } from './views.ts';

const nothing = (description?: string): Schema => ({
  type: ['string', 'null'],
  ...(description && { description }),
  examples: [null],
});

const eventSchema = object('An event', {
  id: text('019ab8f0-0000-7000-8000-000000000000'),
  time,
  kind: orNull(text('login-failed', 'Null if this version cannot read the event')),
  decision: orNull(text('The login was refused: the password was wrong, and the user exists.', 'In words')),
  reason: orNull(text('wrong-password')),
  about: nothing('What it is about, such as a group or a scope'),
  count: { type: ['integer', 'null'], examples: [null] },
  user_id: orNull(text('9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c')),
  actor_id: nothing('The administrator or the program that did it'),
  name_digest: nothing('In place of a name that no user has'),
  session_id: nothing(),
  address: orNull(text('203.0.113.7', 'Where the request came from')),
  user_agent: nothing(),
  route: orNull(text('POST /api/login')),
  operator: nothing('The account that ran a command'),
  request_id: orNull(text('6d8ff52d-6ff9-48ec-bc09-bfd526b00817')),
  about_name: nothing('The name of the application then'),
  username: orNull(text('ann@example.com', 'Null if the user is gone')),
  program: nothing('In place of `username`: the name of the program whose id is `user_id`'),
  actor: nothing('The name of the administrator or the program'),
  explanation: listOf(
    object('A line', { heading: text('When'), text: text('2026-11-26 08:00:00.000 UTC') }),
    'The same as `janua explain`',
  ),
});
const listSchema = object('Events', {
  events: listOf(eventSchema),
  next_cursor: nextCursor,
});

const filters = {
  kind: { description: 'Events of this kind', examples: ['login-failed'] },
  user: { description: 'Events of the user with this name', examples: ['ann@example.com'] },
  user_id: { description: 'Events of the user with this id, who may be gone' },
  address: { description: 'Requests from this address', examples: ['203.0.113.7'] },
  request_id: { description: 'The id that a refused user can quote' },
  from: { description: 'A time such as `2026-11-24`, `2026-11-24T08:00Z`, or `24h` ago', examples: ['24h'] },
  to: { description: 'The same. Events from before it' },
};

/** Adds the page that lists events, and their export. */
export function addAudit(app: App, parts: () => AuditParts, events: Events): void {
  const rules = auditRules(events);
  const config = { signedIn: true, scope: 'audit:read', refusals: listRefusals };

  addAction(app, ['/admin/audit', '/api/admin/audit'], {
    method: 'GET',
    summary: 'Audit',
    description: 'Events, the newest first.',
    tag,
    config: { ...config, view: auditView },
    query: { ...filters, ...listQuery },
    answer: json('Events', listSchema),
    browser: 'The page with the events',
    async handle(request, reply) {
      const page = await listEvents(readList(request.query, rules), events, parts(), tellOf(request));
      if (request.format === 'json') return reply.send(page);
      return { ...page, query: request.query, kinds: Object.keys(events), errors: {} };
    },
    refuse: showPageWithFaults(({ query }) => ({ events: [], next_cursor: null, query, kinds: Object.keys(events) })),
  });

  addExport(app, '/admin/audit/export', () => parts().access, {
    name: 'audit',
    summary: 'Export of the audit',
    description: 'Every event that matches the filters, the newest first.',
    config,
    query: filters,
    async open(request, format) {
      const list = readList(request.query, rules);
      const filter = await filterOf(list, parts());
      // The name in the filter is not recorded: it could be a password that was typed by mistake.
      const { userId: user_id = '', nameDigest: name_digest = '' } = filter;
      const kept = Object.entries({ ...list.filters, user: '', user_id, name_digest }).filter(
        ([, value]) => value !== '',
      );
      const about = new URLSearchParams(kept).toString();
      const { audit } = parts();
      const who = { ...byOwner(signedInOf(request), request.caller), ...actorOf(request) };
      const event = { kind: 'audit-exported', about, ...who } as const;
      audit.requireAllowance(event);
      await audit.record(event);
      return exportEvents(format, filter, events, parts());
    },
  });
}
