import { ChangeRefused } from '../core/users/change-refused.ts';
import { inviteLimits } from '../core/users/invite-limits.ts';
import type { InviteLink } from '../core/users/invite-links.ts';
import { canonicalDomain } from '../ground/text/mail-address.ts';
import { administer } from './administer.ts';
import { list, minuteOf } from './list.ts';
import { requireOwnUsers } from './users.ts';

interface NewLinkOptions {
  readonly label: string;
  readonly group: string[];
  readonly uses: number;
  readonly days: number;
  readonly domain?: string;
}

export const addInviteLink = ({ label, group, uses, days, domain: typed = '' }: NewLinkOptions) =>
  administer('janua invite-links add', async ({ administration, baseUrl, sentOutbox }) => {
    if (sentOutbox === undefined) throw new ChangeRefused('Set MAIL_URL first.', 'no-mail');
    const domain = typed === '' ? '' : canonicalDomain(typed);
    if (domain === undefined) throw new ChangeRefused('The domain must be such as example.com.');
    const groups = [...new Set(group)].sort();
    const name = label.slice(0, inviteLimits.longestLabel);
    const made = await administration.addInviteLink({ label: name, groups, uses, days, domain });
    return `${baseUrl()}${made.path}`;
  });

export const listInviteLinks = ({ json }: { readonly json?: boolean }) =>
  administer('janua invite-links list', async ({ inviteLinks }) =>
    list(await requireOwnUsers(inviteLinks).list(Number.MAX_SAFE_INTEGER, undefined), {
      json,
      none: 'There are no links by which users join.',
      heading: ['ID', 'LABEL', 'GROUPS', 'USED', 'DOMAIN', 'UNTIL'],
      toRows: (links) => links.map(toRow),
    }),
  );

export const revokeInviteLink = (id: string) =>
  administer('janua invite-links revoke', async ({ administration }) => {
    await administration.revokeInviteLink(id);
    return 'The link is revoked.';
  });

const toRow = ({ id, label, groups, used, uses, domain, expiresAt }: InviteLink): string[] => [
  ...[id, label, groups.join(' '), `${used}/${uses}`, domain, minuteOf(expiresAt)],
];
