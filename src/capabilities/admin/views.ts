import { type Claims, linesOfClaims } from '../../core/users/claim-rules.ts';
import { type Head, type Listed, type Page, wordsFor } from '../../web/page.ts';
import { view } from '../../web/view.ts';
import type { listEvents } from './audit.ts';
import type { DescribedGroup } from './describe-groups.ts';
import type { describeMail } from './mail.routes.ts';
import type { createOverview, Range } from './overview.ts';
import type { SettingParts } from './settings.routes.ts';
import type { describeWait } from './throttle.routes.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/admin/audit': ReturnType<typeof describeAudit>;
    'capabilities/admin/groups': ReturnType<typeof describeGroups>;
    'capabilities/admin/mail': ReturnType<typeof describeMails>;
    'capabilities/admin/overview': ReturnType<typeof describeOverview>;
    'capabilities/admin/settings': ReturnType<typeof describeSettings>;
    'capabilities/admin/throttle': ReturnType<typeof describeThrottle>;
  }
  interface Partials {
    'capabilities/admin/frame': Page & Pick<Head, 'title'> & { readonly body: string };
    'capabilities/admin/chips': ReturnType<typeof chipsOf>;
    'capabilities/admin/group-rights': ReturnType<typeof groupRightsOf>;
  }
}

export type Query = Readonly<Record<string, string>>;

interface Filter {
  readonly name: string;
  readonly label: string;
  /** The text that is shown for the value in the query. Default: the value itself. */
  readonly value?: string | null | undefined;
}

/** The filters of a list that are set, each with the address of the list without that filter. */
export function chipsOf(list: string, query: Query, filters: readonly Filter[], { words, interpolate }: Page) {
  const chips = filters.flatMap(({ name, label, value: text }) => {
    const { [name]: sent, cursor: _, ...rest } = query;
    const value = text ?? sent;
    if (!sent || value === undefined) return [];
    const kept = new URLSearchParams(Object.entries(rest).filter(([, one]) => one !== ''));
    const remove = interpolate(words.admin.removeFilter, { filter: `${label}: ${value}` });
    return [{ label, value, remove, address: `${list}?${kept}` }];
  });
  return { label: words.admin.filters, chips };
}

/** The scopes that a group grants, and the applications that it opens. */
export function groupRightsOf(
  { scopes, rules, clients, more_clients }: DescribedGroup,
  { words, interpolate, plural }: Page,
) {
  const { nothing, further, opens } = words.admin.groups;
  const more = more_clients > 0 ? [plural(further, more_clients)] : [];
  const names = [...rules, ...clients.map(({ name }) => name), ...more].join(', ');
  return { scopes: scopes.join(', ') || nothing, opens: names && interpolate(opens, { names }) };
}

interface Audit extends Awaited<ReturnType<typeof listEvents>> {
  readonly query: unknown;
  /** The kinds of events of this server. */
  readonly kinds: readonly string[];
}

type AuditField = readonly [name: string, label: string, sample?: string];

function describeAudit({ events, kinds, ...list }: Audit, page: Page) {
  const { words, fieldOf, faulty } = page;
  const { audit } = words.admin;
  const query = list.query as Query;
  const { format: _, limit: __, cursor: ___, ...chosen } = query;
  const exportOf = (format: string) => `/admin/audit/export?${new URLSearchParams({ ...chosen, format })}`;
  const topics = Object.values(audit.topics).map((topic) => ({
    title: topic.title,
    kinds: Object.entries<string>(topic.kinds)
      .filter(([kind]) => kinds.includes(kind))
      .map(([kind, text]) => ({ kind, text, isChosen: kind === query.kind })),
  }));
  const titles = new Map(topics.flatMap((topic) => topic.kinds.map(({ kind, text }) => [kind, text])));
  const fields: AuditField[] = [
    ['user', audit.user],
    ['address', audit.address],
    ['request_id', audit.requestId],
    ['from', audit.from, '24h'],
    ['to', audit.to, '2026-11-24'],
  ];
  const filters = [
    { name: 'kind', label: audit.kind, value: titles.get(query.kind ?? '') },
    {
      ...{ name: 'user_id', label: audit.user },
      value: events.filter(({ user_id }) => user_id === query.user_id).map(nameOf)[0],
    },
    ...fields.map(([name, label]) => ({ name, label })),
  ];
  return {
    ...list,
    kindError: page.errorOf('kind'),
    topics: topics.filter((topic) => topic.kinds.length > 0),
    fields: fields.map(([name, label, sample]) =>
      fieldOf({ name, label, sample, value: query[name], autocomplete: 'off', optional: true }),
    ),
    user_id: query.user_id,
    chips: chipsOf('/admin/audit', query, filters, page),
    isRead: faulty === undefined,
    none: list.next_cursor ? audit.noneYet : audit.none,
    headings: [audit.time, audit.event, audit.user, audit.address],
    events: events.map((event) => describeEvent(event, titles.get(event.kind ?? ''), page)),
    exports: { csv: exportOf('csv'), jsonl: exportOf('jsonl') },
  };
}

/** The name of the user, or of the program that acted as itself. */
const nameOf = ({ username, program }: Audit['events'][number]) => username ?? program;

function describeEvent(event: Audit['events'][number], title: string | undefined, { words, interpolate }: Page) {
  const { time, kind, user_id, address, explanation, why, what } = event;
  const username = nameOf(event);
  const name = event.actor ?? event.actor_id ?? event.operator;
  const iso = new Date(time).toISOString();
  return {
    ...{ username, address, explanation, iso, shown: iso.slice(0, 19).replace('T', ' ') },
    title: title ?? kind ?? '',
    details: [name && interpolate(words.admin.audit.by, { name }), why, what].filter(Boolean).join(' · '),
    user: user_id && { name: username ?? user_id, address: `/admin/audit?user_id=${encodeURIComponent(user_id)}` },
  };
}

interface Groups extends Listed {
  readonly groups: readonly (DescribedGroup & {
    readonly claims: Claims;
    readonly unknown_scopes: readonly string[];
    readonly members: number | null;
  })[];
  readonly scopes: readonly string[];
  readonly ownScopes: readonly string[];
  /** The scopes that the administrator holds. */
  readonly heldScopes: readonly string[];
  readonly mostCounted: number;
  readonly mayChange: boolean;
}

function describeGroups({ groups, scopes, ownScopes, heldScopes, mostCounted, ...answer }: Groups, page: Page) {
  const { words, site, interpolate, plural, number, confirm } = page;
  const { admin } = words;
  const { groups: texts } = admin;
  const { secondFactor } = site.features;
  const mayChange = answer.mayChange && confirm === undefined;
  const ticked: readonly unknown[] = [page.values.scopes].flat();
  return {
    ...{ query: answer.query, next_cursor: answer.next_cursor, mayChange },
    confirms: answer.mayChange ? confirm : undefined,
    choices: scopes.map((scope) => ({ scope, isTicked: ticked.includes(scope), isFixed: !heldScopes.includes(scope) })),
    groups: groups.map((group) => {
      const { name, members, second_factor } = group;
      const builtIn = name === 'admins';
      const choices = scopes.map((scope) => ({
        scope,
        isTicked: group.scopes.includes(scope),
        isFixed: (builtIn && ownScopes.includes(scope)) || !heldScopes.includes(scope),
      }));
      const mayGrant = choices.some(({ isFixed }) => !isFixed);
      return {
        ...{ name, second_factor, choices, mayGrant, mayRemove: !builtIn, unknownScopes: group.unknown_scopes },
        description: builtIn ? texts.builtIn : group.description,
        claims: linesOfClaims(group.claims).split('\n').filter(Boolean),
        claimsField: claimsFieldOf(group, page),
        rights: groupRightsOf(group, page),
        factor: second_factor && secondFactor ? texts.factor : undefined,
        members:
          members === null
            ? interpolate(admin.users.moreThan, { count: number(mostCounted) })
            : plural(texts.members, members),
        mayChange: mayChange && group.held,
        demand: secondFactor
          ? { value: String(!second_factor), text: second_factor ? texts.demandNone : texts.demandFactor }
          : undefined,
        removal:
          members === null
            ? interpolate(texts.removeLead.other, { count: `> ${number(mostCounted)}` })
            : plural(texts.removeLead, members),
      };
    }),
  };
}

/** The field with the claims of a group. After a fault, it has what was typed, and stays open. */
function claimsFieldOf({ name, claims }: Groups['groups'][number], { values, errorOf }: Page) {
  const isTyped = values.claimed === name;
  const id = `claims-${name}`;
  const error = isTyped ? errorOf('claims') : undefined;
  const value = isTyped ? (values.claims ?? '') : linesOfClaims(claims);
  return {
    id,
    value,
    error,
    isOpen: error !== undefined,
    notes: [`${id}-hint`, error && `${id}-error`].filter(Boolean).join(' '),
  };
}

interface Mails extends Listed {
  readonly sends: boolean;
  readonly mails: readonly ReturnType<typeof describeMail>[];
}

const describeMails = ({ mails, ...list }: Mails, { words, site, interpolate, plural }: Page) => ({
  ...list,
  mails: mails.map(({ state, purpose, attempts, ...mail }) => {
    const subject = words.mails[purpose]?.subject;
    return {
      ...{ ...mail, purpose, isGivenUp: state === 'given-up' },
      subject: subject && interpolate(subject, { app: site.name }),
      attempts: attempts > 0 ? plural(words.admin.mail.attempts, attempts) : undefined,
    };
  }),
  hasSeveral: mails.length > 1,
});

type ReadOverview = Awaited<ReturnType<ReturnType<typeof createOverview>['read']>>;

interface Overview extends Pick<ReadOverview, 'series' | 'stores'> {
  readonly range: Range;
  readonly findings: readonly (Omit<ReadOverview['findings'][number], 'values'> & { readonly isEnglish: boolean })[];
  readonly command: string;
}

function describeOverview({ range, series, stores, findings, command }: Overview, page: Page) {
  const { words, interpolate, number, hour, shortDay } = page;
  const { overview } = words.admin;
  const labelOf = (from: string | number | Date) => (range === '24h' ? hour(new Date(from)) : shortDay(new Date(from)));
  return {
    ranges: Object.entries(overview.ranges).map(([name, text]) => ({ name, text, isChosen: name === range })),
    series: series.map(({ name, totals, points }) => {
      const most = Math.max(1, ...points.map(({ count }) => count));
      const bars = points.map(({ from, count }, index) => {
        const height = count === 0 ? 0.5 : Math.max(2, Math.round((count / most) * 600) / 10);
        const place = { x: index * 10 + 1, y: 60 - height, height };
        return { ...place, label: labelOf(from), count: number(count), isNone: count === 0 };
      });
      return {
        title: overview.series[name],
        total: number(totals[range]),
        ...{ bars, width: points.length * 10, first: bars[0]?.label ?? '', last: bars.at(-1)?.label ?? '' },
        totals: Object.values(totals).map(number),
      };
    }),
    stores: stores.map(({ name, available, milliseconds }) => ({
      name,
      works: available ? interpolate(overview.milliseconds, { count: number(milliseconds) }) : undefined,
    })),
    findings: findings.map(({ state, ...finding }) => ({
      ...{ ...finding, isOk: state === 'ok' },
      state: overview.states[state],
    })),
    doctor: interpolate(overview.doctor, { command }),
  };
}

const describeSettings = ({ settings }: { readonly settings: SettingParts['shownSettings'] }, { words }: Page) => ({
  settings: settings.map(({ setting, value, from }) => ({
    setting,
    value: [value ?? []].flat().join(', ') || '–',
    from: wordsFor(words.admin.settings.sources, from),
  })),
});

interface Throttle extends Listed {
  readonly waits: readonly (ReturnType<typeof describeWait> & { readonly mayLift: boolean })[];
}

function describeThrottle({ waits, ...list }: Throttle, { words, plural, timeOf }: Page) {
  const { throttle } = words.admin;
  return {
    ...list,
    none: list.next_cursor ? throttle.noneYet : throttle.none,
    waits: waits.map(({ user_id, name_digest, ...wait }) => {
      const address = wait.address === 'unknown' ? throttle.anyAddress : wait.address;
      const keys = Object.entries({ user_id, name_digest, address: wait.address });
      const [field = '', value] = keys.find(([, key]) => key) ?? [];
      return {
        subject: [wait.username ?? (name_digest && throttle.unknownName), address].filter(Boolean).join(' · '),
        kind: wordsFor(throttle.kinds, wait.kind),
        failures: plural(throttle.failures, wait.failures),
        until: wait.waits_until ? timeOf(throttle.until, wait.waits_until) : undefined,
        lift: wait.mayLift ? { field, value: value ?? '' } : undefined,
      };
    }),
  };
}

export const auditView = view('capabilities/admin/audit', describeAudit);
export const groupsView = view('capabilities/admin/groups', describeGroups);
export const mailView = view('capabilities/admin/mail', describeMails);
export const overviewView = view('capabilities/admin/overview', describeOverview);
export const settingsView = view('capabilities/admin/settings', describeSettings);
export const throttleView = view('capabilities/admin/throttle', describeThrottle);
