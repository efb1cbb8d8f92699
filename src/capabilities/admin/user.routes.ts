import type { SignedIn } from '../../core/access/access.ts';
import { changeRefusals } from '../../core/access/change-refusals.ts';
import { describeSession } from '../../core/access/describe-session.ts';
import { describeToken } from '../../core/access/describe-token.ts';
import type { PersonalTokens } from '../../core/access/personal-tokens.ts';
import { type Answer, InvalidFields, Refusal } from '../../core/access/refusal.ts';
import { beyondOwn, holds, holdsAll, requireRightsOf, sees } from '../../core/access/rights.ts';
import type { Events } from '../../core/audit/event.ts';
import { describeDecision } from '../../core/audit/explanation.ts';
import type { AuditStore } from '../../core/audit/sql-store.ts';
import type { Actor, Administration } from '../../core/changes/administration.ts';
import { type JoinedPorts, type LinkedIdentity, placeOf } from '../../core/ports.ts';
import type { Sessions } from '../../core/sessions/sessions.ts';
import type { Account } from '../../core/users/account.ts';
import { rightsOfAccount, stampOf } from '../../core/users/account.ts';
import { linesOfClaims } from '../../core/users/claim-rules.ts';
import type { StoredClaims } from '../../core/users/claims.ts';
import type { Groups } from '../../core/users/groups.ts';
import { type RequireRights, readNames } from '../../core/users/scopes.ts';
import { eventsOf, type User } from '../../core/users/user.ts';
import type { Words } from '../../ground/languages/words.ts';
import { addAction, type Fields } from '../../web/action.ts';
import { tag } from '../../web/admin-pages.ts';
import { detailAnswer, exampleId, tokenSchema } from '../../web/fields.ts';
import type { FlowOptions } from '../../web/flow-options.ts';
import { addForm, showPageWithFaults } from '../../web/form.ts';
import { actorOf, signedInOf } from '../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../web/openapi/responses.ts';
import { tellOf } from '../../web/tell-of.ts';
import type { App, Request } from '../../web/types.ts';
import { claimsSchema } from './claims-field.ts';
import {
  createDescribeGroup,
  furtherClients,
  type GuardParts,
  listGuarded,
  nameClients,
  seesGroup,
} from './describe-groups.ts';
import {
  emailFields,
  groupsFields,
  handleFields,
  nameFields,
  noSuchUser,
  readAddress,
  readName,
  refuseHandle,
  refuseTaken,
  type UserAction,
  userActionList,
} from './user-actions.ts';
import { actionView, newUserView, userView } from './user-views.ts';
import { describeUser, type UserListParts, userFields } from './users.routes.ts';

export interface UserParts extends UserListParts {
  readonly ports: GuardParts['ports'] & Pick<JoinedPorts, 'findInvitation' | 'listApplications' | 'listIdentities'>;
  readonly administer: (actor: Actor, requireRights: RequireRights) => Administration;
  readonly groups: Pick<Groups, 'names' | 'findAll' | 'namesOf'>;
  readonly claims: Pick<StoredClaims, 'findOwn'>;
  readonly sessions: Pick<Sessions, 'listOf'>;
  readonly personalTokens: Pick<PersonalTokens, 'list'>;
  readonly auditTrail: Pick<AuditStore, 'findPage'>;
}

const describeIdentity = ({ provider, name, linkedAt, lastUsedAt }: LinkedIdentity) => ({
  provider,
  name,
  linked_at: linkedAt.toISOString(),
  last_used_at: lastUsedAt?.toISOString() ?? null,
});

const params = { id: { description: 'The id of the user', examples: ['9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c'] } };
const lastEvents = 10;

const dangerous = userActionList.filter(([, action]) => action.dangerous).map(([name]) => name);

const userSchema = object('A user', {
  ...userFields,
  verification: {
    ...orNull(
      object('What says that the address is the one of the user', {
        how: text('administrator', '`mail`, `upstream`, `administrator` or `command`'),
        by: orNull(
          text('ada@example.com', 'The administrator, the id of the provider, or the account of the operator'),
        ),
        at: orNull(time),
      }),
    ),
    description: 'Null unless the address is verified',
  },
  invitation: {
    ...orNull(
      object('The link by which an invited user begins', {
        state: text('open', '`waiting` to be mailed, `open` or `expired`'),
        expires_at: orNull(time),
        repeatable: { type: 'boolean', description: 'Whether `send-reset` mails the invitation again' },
      }),
    ),
    description: 'Null if the user was not invited, or has begun',
  },
  claims: claimsSchema,
  sessions: listOf(
    object('A session', {
      id: text(exampleId),
      browser: text('Firefox on Windows'),
      address: orNull(text('203.0.113.7')),
      started_at: time,
      last_seen_at: time,
    }),
  ),
  tokens: listOf(tokenSchema),
  applications: listOf(
    object('An application that the user let in', { client_id: text(exampleId), name: text('Wiki'), since: time }),
  ),
  next_application: { ...nextCursor, description: 'The `cursor` of the next applications' },
  identities: listOf(
    object('A linked account of another provider', {
      provider: text('google'),
      name: text('Google'),
      linked_at: time,
      last_used_at: orNull(time),
    }),
  ),
  opens: object('What the user may open', {
    clients: listOf(object('A client', { client_id: text(exampleId), name: text('Wiki') })),
    more_clients: furtherClients,
    rules: listOf(text('https://app.example.com/admin'), 'Behind a proxy (`FORWARD_AUTH_RULES`)'),
  }),
  events: listOf(
    object('An event', {
      time,
      kind: text('login-succeeded'),
      decision: text('The user logged in, and the server started a new session.'),
    }),
    `The last ${lastEvents} of the audit, for those with \`audit:read\``,
  ),
  actions: listOf(text('disable'), 'What can be done with the user: `POST /api/admin/users/ID/ACTION`'),
});

const newUserFields = {
  ...emailFields,
  ...nameFields,
  ...handleFields,
  groups: { ...groupsFields.groups, description: 'Groups that the user is in' },
  invite: {
    boolean: true,
    maxLength: 5,
    description: 'Whether to mail the link. Otherwise it is in the answer, for members of `admins` alone',
    examples: ['true'],
  },
} as const satisfies Fields;

/**
 * An administrator with the link of a new user could sign in as that user. Applications would then take the administrator for the owner of
 * the address.
 */
const mayNotHandOverLink: Answer = {
  name: 'link-not-shown',
  status: 403,
  error: 'insufficient_scope',
  detail: 'Only members of admins may hand over a link. Have it mailed (invite), for which MAIL_URL must be set',
  event: { kind: 'permission-refused', reason: 'link-not-shown' },
};

/**
 * Applications link accounts by verified addresses. An administrator who could verify any address could enter the accounts of other users
 * in those applications.
 */
export const onlyAdmins: Answer = {
  name: 'only-admins',
  status: 403,
  error: 'insufficient_scope',
  detail: 'Only members of admins may do this',
  event: { kind: 'permission-refused', reason: 'only-admins' },
};

const refusals = [beyondOwn, ...Object.values(changeRefusals)];

export interface UserOptions extends Pick<FlowOptions, 'features'> {
  readonly events: Events;
}

/** Adds the page of a user, the actions of administrators there, and the page that adds a user. */
export function addUser(app: App, parts: () => UserParts, options: UserOptions): void {
  const { features, events } = options;
  const describeGroups = createDescribeGroups(parts);
  const administrationOf = (request: Request) =>
    parts().administer(actorOf(request), requireRightsOf(signedInOf(request)));

  async function requireUser(request: Request) {
    const { id } = request.params as { readonly id: string };
    // Not every database compares U+0000.
    const user = id.includes('\0') ? undefined : await parts().findUsers.find(id);
    const account = user && (await parts().users.findById(id));
    if (user === undefined || account === undefined) throw noSuchUser();
    if (!sees(signedInOf(request), rightsOfAccount(account))) throw noSuchUser();
    return { user, account };
  }

  async function describeVerification(user: Pick<User, 'id' | 'username'>, signedIn: SignedIn) {
    const { users } = parts();
    const { how, by, at } = (await users.findDetails(user)).verification ?? {};
    if (how === undefined) return null;
    const administrator = how === 'administrator' && by !== undefined ? await users.findById(by) : undefined;
    const isSeen = administrator === undefined || sees(signedIn, rightsOfAccount(administrator));
    const named = isSeen ? (administrator?.user.username ?? by) : undefined;
    return { how, by: named ?? null, at: at?.toISOString() ?? null };
  }

  async function describeInvitation(account: Account) {
    const invitation = await parts().ports.findInvitation?.(account);
    if (invitation === undefined) return null;
    const { state, expiresAt, mayRepeat } = invitation;
    return { state, expires_at: expiresAt?.toISOString() ?? null, repeatable: mayRepeat };
  }

  async function describeOpened({ groups }: User, signedIn: SignedIn) {
    const { clients, paths } = await listGuarded(signedIn, parts());
    const isOpen = (guarded: { readonly groups: readonly string[] }) =>
      guarded.groups.length === 0 || guarded.groups.some((group) => groups.includes(group));
    return {
      ...nameClients(clients.filter(isOpen)),
      rules: paths.filter(isOpen).map(({ origin, path }) => origin + path),
    };
  }

  const claimsOf = async (user: Pick<User, 'id'>) => ({ claims: linesOfClaims(await parts().claims.findOwn(user)) });

  async function describe(request: Request) {
    const { user, account } = await requireUser(request);
    const signedIn = signedInOf(request);
    const { scopes } = signedIn;
    const mayAct = holds(signedIn, rightsOfAccount(account));
    const isAdmin = holdsAll(signedIn);
    const { sessions, personalTokens, ports, auditTrail, claims } = parts();
    const { limit, after } = readList(request.query, { keyLength: 2 });
    const applications = pageOf(await ports.listApplications(account.user, limit + 1, after), limit, placeOf);
    const trail = scopes.includes('audit:read')
      ? await auditTrail.findPage(eventsOf(account.user, user.createdAt), lastEvents, undefined)
      : undefined;
    return {
      ...describeUser(user),
      verification: await describeVerification(user, signedIn),
      invitation: await describeInvitation(account),
      claims: await claims.findOwn(user),
      sessions: (await sessions.listOf(user.id, stampOf(account))).map(describeSession),
      tokens: (await personalTokens.list(account.user)).map(describeToken),
      applications: applications.entries.map(({ clientId, name, since }) => ({
        client_id: clientId,
        name,
        since: since.toISOString(),
      })),
      next_application: applications.next_cursor,
      identities: (await ports.listIdentities(account.user)).map(describeIdentity),
      opens: await describeOpened(account.user, signedIn),
      events: (trail?.events ?? []).flatMap((event) =>
        'unreadable' in event
          ? []
          : [{ time: event.at, kind: event.kind, decision: describeDecision(event, events, tellOf(request)) }],
      ),
      actions: userActionList
        .filter(([, { byAdmins, scope }]) => mayAct && (isAdmin || !byAdmins) && scopes.includes(scope))
        .filter(([, { isOffered }]) => isOffered(user, features))
        .map(([name]) => name),
      dangerous,
      query: request.query,
    };
  }

  addAction(app, ['/admin/users/:id', '/api/admin/users/:id'], {
    method: 'GET',
    summary: 'A user',
    tag,
    params,
    config: {
      signedIn: true,
      scope: 'users:read',
      machines: true,
      view: userView,
      refusals: [changeRefusals['no-such-user'], unreadableList],
    },
    query: {
      limit: { ...listQuery.limit, description: 'The most applications, from 1 to 200. Default: 50' },
      cursor: { description: 'The `next_application` of the page before' },
    },
    answer: json('The user', userSchema, { next_application: null }),
    browser: 'The page of the user',
    handle: describe,
  });

  /** @throws {Refusal} `only-admins` */
  function requireMayAct(request: Request, { byAdmins }: UserAction): void {
    if (byAdmins && !holdsAll(signedInOf(request))) throw new Refusal(onlyAdmins);
  }

  for (const [name, action] of userActionList.filter(([name]) => features.secondFactor || name !== 'remove-factors'))
    addForm(app, [`/admin/users/:id/${name}`, `/api/admin/users/:id/${name}`], {
      summary: action.summary,
      tag,
      params,
      config: {
        signedIn: true,
        scope: action.scope,
        machines: true,
        takesTurn: action.takesTurn,
        freshProof: action.fresh && { page: ({ admin }) => admin.user.actions[name].title },
        refusals: action.byAdmins ? [...refusals, onlyAdmins] : refusals,
      },
      view: actionView,
      fields: action.fields ?? ({} as Fields),
      answer: detailAnswer(action.detail),
      browser: 'To the page of the user',
      async show(request, typed) {
        const { user, account } = await requireUser(request);
        requireMayAct(request, action);
        const choices = name === 'groups' ? await describeGroups(request) : [];
        const stored = name === 'groups' ? await parts().groups.namesOf(user) : [];
        // Groups from a setting, or from a column of a team's own table, cannot be changed here.
        const fixed = user.groups.filter((group) => !stored.includes(group));
        const shown = describeUser(user);
        const { first_name, last_name } = shown;
        return {
          action: name,
          dangerous: action.dangerous,
          user: shown,
          invitation: name === 'send-reset' ? await describeInvitation(account) : null,
          values: { first_name, last_name, ...(name === 'claims' && (await claimsOf(user))), ...typed },
          choices,
          chosen: user.groups,
          fixed,
        };
      },
      async submit(request, reply, input) {
        const { account } = await requireUser(request);
        const sent = input as Readonly<Record<string, string | undefined>>;
        // A form omits boxes that are not ticked, but sends each text field. A program must send every field.
        const left = Object.keys(action.fields ?? {}).find(
          (field) => sent[field] === undefined && field !== 'end_tokens',
        );
        if (left !== undefined && request.format === 'json') throw new InvalidFields({ field: left, code: 'missing' });
        readNames(sent.groups);
        requireMayAct(request, action);
        const { id: userId } = account.user;
        const made = await action.run(administrationOf(request), { userId }, sent);
        const state = typeof made === 'string' ? made : name;
        const to =
          name === 'delete' ? '/admin/users?deleted=1' : `/admin/users/${encodeURIComponent(userId)}?state=${state}`;
        return reply.proceed(to, { detail: action.detail });
      },
    });

  addNewUser(app, { mail: features.mail, describeGroups, administrationOf });
}

/** Describes all groups, for pages on which an administrator chooses groups. */
const createDescribeGroups = (parts: () => UserParts) => async (request: Request) => {
  const signedIn = signedInOf(request);
  const describe = await createDescribeGroup(signedIn, parts());
  const groups = await parts().groups.findAll();
  return groups.filter((group) => seesGroup(signedIn, group)).map(describe);
};

function addNewUser(
  app: App,
  {
    mail,
    describeGroups,
    administrationOf,
  }: {
    readonly mail: boolean;
    readonly describeGroups: ReturnType<typeof createDescribeGroups>;
    readonly administrationOf: (request: Request) => Administration;
  },
): void {
  const added = [...refusals, mayNotHandOverLink];
  const config = {
    signedIn: true,
    scope: 'users:write',
    machines: true,
    freshProof: { page: ({ admin }: Words) => admin.user.add },
    view: newUserView,
    refusals: added,
  };

  /** @throws {Refusal} `link-not-shown` */
  function requireMayAdd(request: Request, byMail: boolean): void {
    if (!byMail && !holdsAll(signedInOf(request))) throw new Refusal(mayNotHandOverLink);
  }

  async function show(request: Request) {
    requireMayAdd(request, mail);
    const choices = await describeGroups(request);
    return {
      fields: Object.keys(newUserFields),
      groups: choices.map(({ name }) => name),
      choices,
      mustInvite: !holdsAll(signedInOf(request)),
      values: {},
      errors: {},
    };
  }

  addAction(app, ['/admin/users/add', '/api/admin/users/add'], {
    method: 'GET',
    summary: 'Add a user: the form',
    tag,
    config,
    answer: json(
      'The fields to send',
      object('The fields', { fields: listOf(text('email')), groups: listOf(text('staff')) }),
    ),
    browser: 'The page with the form',
    handle: show,
  });

  addAction(app, ['/admin/users', '/api/admin/users'], {
    method: 'POST',
    summary: 'Add a user',
    description:
      'The user chooses a password by a link, which works for 7 days. It is mailed, or in the answer to be handed over.',
    tag,
    config: { ...config, openedAt: '/admin/users/add' },
    fields: newUserFields,
    answer: json(
      'The user was added',
      object('The user', { id: userFields.id, link: text('https://auth.example.com/auth/sign-up/finish?token=…') }, [
        'link',
      ]),
    ),
    status: 201,
    browser: 'To the page of the user, or the page with the link',
    refuse: showPageWithFaults(async (request) => ({ ...(await show(request)), values: request.body ?? {} })),
    async handle(request, reply, { groups, invite, handle, ...sent }) {
      const username = readAddress(sent);
      const { firstName, lastName } = readName(sent);
      const names = readNames(groups);
      const byMail = mail && invite === 'true';
      requireMayAdd(request, byMail);
      const added = await administrationOf(request)
        .invite({ username, firstName, lastName, groups: names, handle }, byMail)
        .catch(refuseHandle)
        .catch(refuseTaken);
      if (added.link === undefined) return reply.proceed(`/admin/users/${added.id}?state=invited`, { id: added.id });
      if (request.format === 'json') return reply.code(201).send(added);
      reply.code(201);
      return { id: added.id, link: added.link, email: username };
    },
  });
}
