import type { Listed, Page } from '../../web/page.ts';
import { view } from '../../web/view.ts';
import type { DescribedGroup } from './describe-groups.ts';
import { groupBoxesOf } from './user-views.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/admin/invite-links': ReturnType<typeof describeInviteLinks>;
  }
}

interface InviteLinks extends Listed {
  readonly links: readonly {
    readonly id: string;
    readonly label: string;
    readonly groups: readonly string[];
    readonly domain: string | null;
    readonly uses: number;
    readonly used: number;
    readonly maker: string | null;
    readonly expires_at: string;
  }[];
  readonly choices: readonly DescribedGroup[];
  /** The link that was just made. It is shown only now. */
  readonly link?: string;
}

function describeInviteLinks({ links, choices, link, ...list }: InviteLinks, page: Page) {
  const { words, interpolate, number, timeOf, confirm, values } = page;
  const { inviteLinks: texts, audit } = words.admin;
  return {
    ...list,
    confirms: confirm,
    made: link && { link, secret: page.secretOf(link, texts.title) },
    boxes: choices.length > 0 ? groupBoxesOf(choices, [values.groups].flat(), page) : undefined,
    links: links.map(({ id, label, groups, domain, uses, used, maker, expires_at }) => ({
      ...{ id, label, groups: groups.join(', ') },
      by: maker && interpolate(audit.by, { name: maker }),
      domain: domain && interpolate(texts.onlyDomain, { domain }),
      used: interpolate(texts.used, { used: number(used), uses: number(uses) }),
      until: timeOf(texts.until, expires_at),
    })),
  };
}

export const inviteLinksView = view('capabilities/admin/invite-links', describeInviteLinks);
