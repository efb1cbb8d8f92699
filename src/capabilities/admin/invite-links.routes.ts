import { changeRefusals } from '../../core/access/change-refusals.ts';
import { InvalidFields } from '../../core/access/refusal.ts';
import { beyondOwn, requireRightsOf } from '../../core/access/rights.ts';
import type { Actor, Administration } from '../../core/changes/administration.ts';
import type { Groups } from '../../core/users/groups.ts';
import { inviteLimits } from '../../core/users/invite-limits.ts';
import type { InviteLink, InviteLinks } from '../../core/users/invite-links.ts';
import { admins, type RequireRights, readNames } from '../../core/users/scopes.ts';
import type { UserDirectory } from '../../core/users/user-directory.ts';
import { canonicalDomain } from '../../ground/text/mail-address.ts';
import { isPlainLine } from '../../ground/text/printable.ts';
import { addAction, type Fields } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { detailAnswer } from '../../web/fields.ts';
import { showPageWithFaults } from '../../web/form.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import type { App, FreshProof, Request } from '../../web/types.ts';
import { createDescribeGroup, type GuardParts } from './describe-groups.ts';
import { inviteLinksView } from './invite-links-view.ts';

export interface InviteLinkParts extends GuardParts {
  readonly inviteLinks: Pick<InviteLinks, 'list'> | undefined;
  readonly administer: (actor: Actor, requireRights: RequireRights) => Administration;
  readonly groups: Pick<Groups, 'findAll'>;
  readonly users: Pick<UserDirectory, 'findAll'>;
  readonly baseUrl: () => string;
}

const { mostUses, mostDays, longestLabel, longestGroups } = inviteLimits;
const exampleLink = '019ab8f0-0000-7000-8000-000000000000';
const id = text(exampleLink);
const link = text('https://auth.example.com/auth/join?token=…', 'It is shown only now');

const linkSchema = object('A link', {
  id,
  label: text('Course of spring'),
  groups: listOf(text('students'), 'The groups of the users who join'),
  domain: orNull(text('example.com', 'The domain that addresses must have')),
  uses: { type: 'integer', description: 'How many users may join', examples: [30] },
  used: { type: 'integer', description: 'How many have joined', examples: [3] },
  maker: orNull(text('ada@example.com', 'Null for an operator')),
  created_at: time,
  expires_at: time,
});

const fields = {
  label: { required: true, maxLength: longestLabel, description: 'What it is for', examples: ['Course of spring'] },
  groups: {
    list: true,
    maxLength: longestGroups,
    description: 'The groups of the users who join: those that you hold, and never `admins`',
    examples: ['students'],
  },
  uses: { required: true, number: true, maxLength: 5, description: `From 1 to ${mostUses}`, examples: [30] },
  expires_in_days: { required: true, number: true, maxLength: 3, description: `From 1 to ${mostDays}`, examples: [14] },
  domain: { maxLength: 253, description: 'The domain that addresses must have. Empty: any', examples: ['example.com'] },
} as const satisfies Fields;

const page = '/admin/users/invite-links';
const freshProof: FreshProof = { page: ({ admin }) => admin.inviteLinks.title, scope: 'users:write', showsList: true };
const config = { signedIn: true, scope: 'users:write', openedAt: page, freshProof };

const describeLink = (found: InviteLink, maker: string | undefined) => ({
  ...{ id: found.id, label: found.label, groups: found.groups, domain: found.domain || null },
  ...{ uses: found.uses, used: found.used, maker: maker ?? null },
  ...{ created_at: found.createdAt.toISOString(), expires_at: found.expiresAt.toISOString() },
});

/** @throws {InvalidFields} */
function readNumber(field: 'uses' | 'expires_in_days', typed: string, most: number): number {
  const value = /^\d+$/.test(typed) ? Number(typed) : 0;
  if (value >= 1 && value <= most) return value;
  throw new InvalidFields({ field, code: 'not-between', values: { least: 1, most } });
}

/** Reads a typed domain. An empty one stands for any. @throws {InvalidFields} */
function readDomain(typed: string): string {
  const domain = typed === '' ? '' : canonicalDomain(typed);
  if (domain === undefined) throw new InvalidFields({ field: 'domain', code: 'malformed' });
  return domain;
}

/** Adds the page with links by which many users may join. */
export function addInviteLinks(app: App, parts: () => InviteLinkParts): void {
  const administrationOf = (request: Request) =>
    parts().administer(actorOf(request), requireRightsOf(signedInOf(request)));

  async function show(request: Request) {
    const { inviteLinks, users, groups } = parts();
    const { limit, after } = readList(request.query, { keyLength: 1 });
    const found = (await inviteLinks?.list(limit + 1, after?.[0])) ?? [];
    const { entries, next_cursor } = pageOf(found, limit, (entry) => [entry.id]);
    const makers = await users.findAll(entries.flatMap(({ makerId = [] }) => makerId));
    const describe = await createDescribeGroup(signedInOf(request), parts());
    return {
      links: entries.map((entry) => describeLink(entry, makers.get(entry.makerId ?? '')?.user.username)),
      choices: (await groups.findAll()).map(describe).filter(({ name, held }) => held && name !== admins),
      next_cursor,
      query: request.query,
      values: {},
      errors: {},
    };
  }

  addAction(app, [page, '/api/admin/users/invite-links'], {
    method: 'GET',
    summary: 'Links by which users join',
    description: 'The links that have not expired, the newest first.',
    tag,
    config: { ...config, view: inviteLinksView, refusals: [unreadableList] },
    query: listQuery,
    answer: json('The links', object('Links', { links: listOf(linkSchema), next_cursor: nextCursor }), {
      next_cursor: null,
    }),
    browser: 'The page with the links',
    handle: show,
  });

  addAction(app, [page, '/api/admin/users/invite-links'], {
    method: 'POST',
    summary: 'Make a link by which many users join',
    description:
      'Each user enters an address, opens the link in a mail to it, and then chooses a name and a password. The link lasts as long as you could give its groups.',
    tag,
    config: {
      ...{ ...config, view: inviteLinksView },
      refusals: [
        beyondOwn,
        changeRefusals['change-refused'],
        changeRefusals['no-such-group'],
        changeRefusals['too-many-kept'],
      ],
    },
    fields,
    answer: json('The link was made', object('The link', { id, link, expires_at: time })),
    status: 201,
    browser: 'The page with the link',
    refuse: showPageWithFaults(async (request) => ({ ...(await show(request)), values: request.body ?? {} })),
    async handle(request, reply, { label: typed, groups, uses, expires_in_days, domain = '' }) {
      const label = typed.trim();
      if (label === '' || !isPlainLine(label)) throw new InvalidFields({ field: 'label', code: 'malformed' });
      const made = await administrationOf(request).addInviteLink({
        label,
        groups: [...new Set(readNames(groups))].sort(),
        uses: readNumber('uses', uses, mostUses),
        days: readNumber('expires_in_days', expires_in_days, mostDays),
        domain: readDomain(domain.trim()),
      });
      const answer = {
        id: made.id,
        link: `${parts().baseUrl()}${made.path}`,
        expires_at: made.expiresAt.toISOString(),
      };
      if (request.format === 'json') return reply.code(201).send(answer);
      reply.code(201);
      return { ...(await show(request)), link: answer.link };
    },
  });

  addAction(app, [`${page}/revoke`, '/api/admin/users/invite-links/revoke'], {
    method: 'POST',
    summary: 'Revoke a link by which users join',
    tag,
    config: { ...config, refusals: [beyondOwn, changeRefusals['no-such-invite-link']] },
    fields: { id: { required: true, maxLength: 36, description: 'The id of the link', examples: [exampleLink] } },
    answer: detailAnswer('Link revoked'),
    browser: 'To the page with the links',
    async handle(request, reply, { id }) {
      await administrationOf(request).revokeInviteLink(id);
      return reply.proceed(`${page}?state=revoked`, { detail: 'Link revoked' });
    },
  });
}
