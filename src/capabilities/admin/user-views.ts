import type { describeSession } from '../../core/access/describe-session.ts';
import type { describeToken } from '../../core/access/describe-token.ts';
import { type Claims, linesOfClaims } from '../../core/users/claim-rules.ts';
import type { Listed, Page } from '../../web/page.ts';
import { view } from '../../web/view.ts';
import type { DescribedGroup } from './describe-groups.ts';
import type { describeUser } from './users.routes.ts';
import { chipsOf, groupRightsOf, type Query } from './views.ts';

declare module '../../web/view.ts' {
  interface Pages {
    'capabilities/admin/user': ReturnType<typeof describeUserPage>;
    'capabilities/admin/users': ReturnType<typeof describeUsers>;
    'capabilities/admin/imports': ReturnType<typeof describeImports>;
    'capabilities/admin/user-action': ReturnType<typeof describeAction>;
    'capabilities/admin/add-user': ReturnType<typeof describeNewUser>;
    'capabilities/admin/import-users': ReturnType<typeof describeImport>;
  }
  interface Partials {
    'capabilities/admin/action-list': { readonly actions: ReturnType<typeof actionOf>[] };
    'capabilities/admin/group-boxes': ReturnType<typeof groupBoxesOf>;
  }
}

type User = ReturnType<typeof describeUser>;

interface Invitation {
  readonly state: 'waiting' | 'open' | 'expired';
  readonly expires_at: string | null;
  /** The action `send-reset` mails the invitation again. */
  readonly repeatable: boolean;
}

interface UserAnswer extends User, Omit<Listed, 'next_cursor'> {
  readonly verification: { readonly how: string; readonly by: string | null; readonly at: string | null } | null;
  readonly invitation: Invitation | null;
  readonly claims: Claims;
  readonly sessions: readonly ReturnType<typeof describeSession>[];
  readonly tokens: readonly ReturnType<typeof describeToken>[];
  readonly applications: readonly { readonly client_id: string; readonly name: string; readonly since: string }[];
  readonly next_application: string | null;
  readonly identities: readonly {
    readonly provider: string;
    readonly name: string;
    readonly linked_at: string;
    readonly last_used_at: string | null;
  }[];
  readonly opens: {
    readonly clients: readonly { readonly name: string }[];
    readonly more_clients: number;
    readonly rules: readonly string[];
  };
  readonly events: readonly { readonly time: string; readonly kind: string; readonly decision: string }[];
  readonly actions: readonly Action[];
  readonly dangerous: readonly Action[];
}

type Action = keyof Page['words']['admin']['user']['actions'];

const addressOf = ({ id }: Pick<User, 'id'>) => `/admin/users/${encodeURIComponent(id)}`;

function describeUserPage(user: UserAnswer, page: Page) {
  const { words, site, timeOf, plural, client } = page;
  const { admin } = words;
  const { opens, verification, actions, dangerous } = user;
  const isDangerous = (action: Action) => dangerous.includes(action);
  const further = opens.more_clients > 0 ? [plural(admin.groups.further, opens.more_clients)] : [];
  return {
    ...user,
    message: page.messageIn({ ...doneOf(page), invited: admin.user.invited, reinvited: admin.user.reinvited }),
    verified: site.features.ownAccounts ? page.verifiedOf(verification) : undefined,
    verifiedBy: verification?.by,
    lastAccess: lastAccessOf(user, page),
    groups: user.groups.map((name) => ({ name, address: `/admin/users?group=${encodeURIComponent(name)}` })),
    opens: [...opens.clients.map(({ name }) => name), ...further, ...opens.rules].join(', '),
    claims: linesOfClaims(user.claims).split('\n').filter(Boolean),
    factors: factorsOf(user, page) || admin.user.noFactors,
    actions: actions.filter((action) => !isDangerous(action)).map((action) => actionOf(action, user, page)),
    dangers: actions.filter(isDangerous).map((action) => actionOf(action, user, page)),
    sessions: user.sessions.map((session) => ({ ...session, client: client(session.user_agent) })),
    tokens: user.tokens.map(({ name, scope, host, last_used_at }) => ({
      ...{ name, scope: host ? page.appAt(host) : scope },
      lastUsed: last_used_at ? timeOf(admin.user.lastUsed, last_used_at) : undefined,
    })),
    more: page.moreOf({ query: user.query, next_cursor: user.next_application }),
    audit: `/admin/audit?user_id=${encodeURIComponent(user.id)}`,
  };
}

/** The message of each action once it is done, by the name of the action. */
const doneOf = ({ words }: Page): Readonly<Record<string, string>> =>
  Object.fromEntries(Object.entries(words.admin.user.actions).map(([action, { done }]) => [action, done]));

/** The time of the last login, or else the state of the invitation. */
function lastAccessOf({ last_login_at, invitation }: UserAnswer, { words, timeOf, adminPages }: Page) {
  const { user, users } = words.admin;
  if (last_login_at) return { time: timeOf(users.lastLogin, last_login_at) };
  if (invitation?.expires_at) return { time: timeOf(user.invitation.open, invitation.expires_at) };
  return {
    text: invitation ? user.invitation[invitation.state] : user.never,
    isInMail: invitation?.state === 'waiting' && adminPages.some(([, name]) => name === 'mail'),
  };
}

const factorsOf = ({ factors }: Pick<User, 'factors'>, { words: { security } }: Page): string =>
  factors.map((kind) => (kind === 'app' ? security.app : security.passkeys)).join(', ');

function actionOf(
  action: Action,
  user: Pick<UserAnswer, 'id' | 'username' | 'invitation'>,
  { words, interpolate }: Page,
) {
  const { inviteAgain, actions } = words.admin.user;
  const { title, lead } = action === 'send-reset' && user.invitation?.repeatable ? inviteAgain : actions[action];
  return { title, lead: interpolate(lead, { name: user.username }), address: `${addressOf(user)}/${action}` };
}

interface Users extends Listed {
  readonly users: readonly User[];
  /** Null if there are filters, or very many users. */
  readonly total: number | null;
  readonly moreThan: number | undefined;
  readonly deleted: unknown;
  readonly groups: readonly string[];
  readonly mayAdd: boolean;
  readonly mayImport: boolean;
}

function describeUsers({ users, total, moreThan, ...list }: Users, page: Page) {
  const { words, site, interpolate, plural, number, timeOf } = page;
  const { admin } = words;
  const query = list.query as Query;
  const selects = [
    { name: 'state', label: admin.state, options: { '': admin.all, enabled: admin.enabled, disabled: admin.disabled } },
    {
      ...{ name: 'factor', label: admin.users.factor },
      options: { '': admin.all, yes: admin.users.withFactor, no: admin.users.withoutFactor },
    },
    ...(site.features.ownAccounts
      ? [
          {
            name: 'sort',
            label: admin.users.sort,
            options: { '': admin.users.byName, '-created_at': admin.users.newest },
          },
        ]
      : []),
  ];
  const filters: { name: string; label: string; options?: Query }[] = [
    { name: 'q', label: admin.search },
    { name: 'group', label: admin.group },
    ...selects,
  ];
  const { mail, ownAccounts } = site.features;
  return {
    ...list,
    offersLinks: list.mayAdd && mail && ownAccounts,
    q: query.q ?? '',
    group: query.group ?? '',
    selects: selects.map(({ name, label, options }) => ({
      ...{ name, label },
      options: Object.entries(options).map(([value, text]) => ({ value, text, isChosen: query[name] === value })),
    })),
    counted: total === null ? undefined : plural(admin.groups.members, total),
    moreThan: moreThan && interpolate(admin.users.moreThan, { count: number(moreThan) }),
    chips: chipsOf(
      '/admin/users',
      query,
      filters.map(({ name, label, options }) => ({ name, label, value: options?.[query[name] ?? ''] })),
      page,
    ),
    none: list.next_cursor ? admin.noneYet : admin.none,
    headings: [
      ...[words.account.email, words.account.name, admin.user.groups],
      ...[admin.user.factors, admin.users.lastLoginAt],
    ],
    users: users.map((user) => ({
      ...user,
      address: addressOf(user),
      name: `${user.first_name} ${user.last_name}`.trim(),
      groups: user.groups.join(', '),
      factors: factorsOf(user, page),
      lastLogin: user.last_login_at ? timeOf('{time}', user.last_login_at) : undefined,
    })),
    hasDemo: users.some(({ demo }) => demo),
  };
}

interface ActionAnswer {
  readonly action: Action;
  readonly dangerous: true | undefined;
  readonly user: User;
  readonly invitation: Invitation | null;
  readonly choices: readonly DescribedGroup[];
  readonly chosen: readonly string[];
  /** The groups of the user from a setting or a team's own table. They cannot be changed on the page. */
  readonly fixed: readonly string[];
  /** The names of the fields, which `addForm` adds. */
  readonly fields?: readonly string[];
}

function describeAction(
  { action, dangerous, user, invitation, fixed, fields = [], ...groups }: ActionAnswer,
  page: Page,
) {
  const { title, lead, address } = actionOf(action, { ...user, invitation }, page);
  return {
    ...{ title, lead, address, dangerous, fixed },
    pageTitle: `${title}: ${user.username}`,
    here: addressOf(user),
    boxes: action === 'groups' ? groupBoxesOf(groups.choices, groups.chosen, page, fixed) : undefined,
    takesEmail: fields.includes('email'),
    takesHandle: fields.includes('handle'),
    takesClaims: fields.includes('claims'),
    takesName: fields.includes('first_name'),
    endsTokens: fields.includes('end_tokens'),
  };
}

/**
 * Makes the boxes for the groups of a user.
 * @param fixed groups that come from a setting or a team's own table. They are ticked, and cannot be changed here
 */
export const groupBoxesOf = (
  groups: readonly DescribedGroup[],
  chosen: readonly unknown[],
  page: Page,
  fixed: readonly string[] = [],
) => ({
  words: page.words.admin,
  groups: groups.map((group) => ({
    ...{ name: group.name, held: group.held, rights: groupRightsOf(group, page) },
    isTicked: chosen.includes(group.name),
    isFixed: !group.held || fixed.includes(group.name),
  })),
});

/** The form to add a user, or after that, the link for the new user. */
type NewUser =
  | { readonly choices: readonly DescribedGroup[]; readonly mustInvite: boolean; readonly link?: undefined }
  | { readonly id: string; readonly link: string; readonly email: string };

function describeNewUser(answer: NewUser, page: Page) {
  const { words, site, secretOf, values } = page;
  if (answer.link !== undefined) {
    const { link, email } = answer;
    return { added: { link, address: addressOf(answer), secret: secretOf(link, words.admin.user.add, email) } };
  }
  const { choices, mustInvite } = answer;
  return {
    boxes: choices.length > 0 ? groupBoxesOf(choices, [values.groups].flat(), page) : undefined,
    mustInvite,
    mayInvite: site.features.mail,
  };
}

interface Import {
  readonly columns: readonly string[];
  /** Whether the server mails invitations. */
  readonly mayInvite: boolean;
  readonly invites?: boolean;
  readonly dry_run?: boolean;
  readonly added?: number;
  readonly there_already?: number;
  readonly refused?: readonly { readonly line: number; readonly detail: string }[];
  readonly more_refused?: number;
}

function describeImport(
  { columns, mayInvite, invites, dry_run, added = 0, there_already = 0, refused, ...answer }: Import,
  page: Page,
) {
  const { interpolate, plural } = page;
  const { users: words } = page.words.admin;
  const { more_refused: more = 0 } = answer;
  return {
    ...{ mayInvite, invites },
    lead: interpolate(words.importLead, { columns: columns.join(', ') }),
    result: refused && {
      added: plural(dry_run ? words.toAdd : words.added, added),
      there: there_already > 0 ? plural(words.there, there_already) : undefined,
      refusedTitle: dry_run ? words.refused : words.wasRefused,
      refused: refused.map((row) => interpolate(words.line, { ...row })),
      more: more > 0 ? plural(words.moreRefused, more) : undefined,
    },
    mayImport: dry_run && added > 0,
  };
}

export const userView = view('capabilities/admin/user', describeUserPage);
export const usersView = view('capabilities/admin/users', describeUsers);
export const actionView = view('capabilities/admin/user-action', describeAction);
export const newUserView = view('capabilities/admin/add-user', describeNewUser);
interface Imports extends Listed {
  readonly imports: readonly {
    readonly id: string;
    readonly label: string;
    readonly actor: string | null;
    readonly operator: string | null;
    readonly created_at: string;
    readonly added: number;
    readonly left: number;
    readonly used: number;
    readonly invited: number;
    readonly waiting: number;
  }[];
}

function describeImports({ imports, ...list }: Imports, page: Page) {
  const { words, interpolate, plural, timeOf, confirm } = page;
  const { users: texts, audit } = words.admin;
  return {
    ...list,
    confirms: confirm,
    imports: imports.map(({ id, label, actor, operator, created_at, added, left, used, invited, waiting }) => {
      const by = actor ?? operator;
      return {
        ...{ id, name: label || texts.unlabelled, time: timeOf('{time}', created_at) },
        by: by && interpolate(audit.by, { name: by }),
        added: plural(texts.added, added),
        left: left < added ? plural(texts.left, left) : '',
        used: used > 0 ? plural(texts.used, used) : undefined,
        invited: invited > 0 ? plural(texts.invited, invited) : undefined,
        waiting: waiting > 0 ? plural(texts.waiting, waiting) : undefined,
        removal: used === 0 && confirm === undefined ? plural(texts.undoLead, left) : undefined,
      };
    }),
  };
}

export const importsView = view('capabilities/admin/imports', describeImports);
export const importView = view('capabilities/admin/import-users', describeImport);
