import { changeRefusals } from '../access/change-refusals.ts';
import { describeSession } from '../access/describe-session.ts';
import { describeToken } from '../access/describe-token.ts';
import { insufficientUserAuthentication, type RequireFresh } from '../access/fresh-proof.ts';
import type { PersonalTokens } from '../access/personal-tokens.ts';
import { InvalidFields } from '../access/refusal.ts';
import { beyondOwn, mayChange, requireMayChange } from '../access/scope.ts';
import type { Events } from '../audit/event.ts';
import { describeDecision } from '../audit/explanation.ts';
import type { AuditStore } from '../audit/sql-store.ts';
import type { Actor, Administration } from '../changes/administration.ts';
import type { Sessions } from '../sessions/sessions.ts';
import { type Account, stampOf } from '../users/account.ts';
import { ChangeRefused } from '../users/change-refused.ts';
import type { Groups } from '../users/groups.ts';
import { readNames } from '../users/scopes.ts';
import { emailAddress, maxNameLength, maxUsernameLength, personName, type User } from '../users/user.ts';
import { addAction, type Fields } from '../web/action.ts';
import { detailAnswer, exampleId, tokenSchema } from '../web/fields.ts';
import type { FlowOptions } from '../web/flow-options.ts';
import { addForm } from '../web/form.ts';
import { actorOf, signedInOf } from '../web/hooks/credentials.ts';
import { json, listOf, object, orNull, text, time } from '../web/openapi/responses.ts';
import type { App, Request } from '../web/types.ts';
import { tag } from './list.ts';
import { noSuchUser, userActionList } from './user-actions.ts';
import { describeUser, type UserListParts, userFields } from './users.routes.ts';

export interface UserParts extends UserListParts {
  readonly administer: (actor: Actor) => Administration;
  readonly requireFresh: RequireFresh;
  readonly groups: Groups;
  readonly sessions: Pick<Sessions, 'listOf'>;
  readonly personalTokens: Pick<PersonalTokens, 'list'>;
  readonly auditTrail: Pick<AuditStore, 'findPage'>;
  /** Applications that the user let in. */
  readonly applications: {
    list(user: User): Promise<readonly { readonly clientId: string; readonly name: string; readonly since: Date }[]>;
  };
}

const params = { id: { description: 'The id of the user', examples: ['9b2f1f3e-6a3c-4a52-8c57-1b0c4a526a3c'] } };
const lastEvents = 10;

const userSchema = object('A user', {
  ...userFields,
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

const groupsField = {
  groups: {
    list: true,
    maxLength: 6400,
    description: 'The names of all groups that the user is in',
    examples: ['staff'],
  },
} as const satisfies Fields;

const newUserFields = {
  email: { required: true, maxLength: maxUsernameLength, description: 'The address', examples: ['eve@example.com'] },
  first_name: { maxLength: maxNameLength, description: 'First name', examples: ['Eve'] },
  last_name: { maxLength: maxNameLength, description: 'Last name', examples: ['Evans'] },
  groups: { ...groupsField.groups, description: 'Groups that the user is in' },
  invite: {
    boolean: true,
    maxLength: 5,
    description: 'Whether to mail the link. Otherwise it is in the answer',
    examples: ['true'],
  },
} as const satisfies Fields;

const refusals = [insufficientUserAuthentication, beyondOwn, ...Object.values(changeRefusals)];

export interface UserOptions extends Pick<FlowOptions, 'features'> {
  readonly events: Events;
  /** Groups that rules of forward authentication ask for. */
  readonly guardedGroups: readonly string[];
}

/** Adds the page of a user, what administrators do there, and the page that adds a user. */
export function addUser(app: App, parts: () => UserParts, { features, events, guardedGroups }: UserOptions): void {
  async function requireUser(request: Request) {
    const { id } = request.params as { readonly id: string };
    // Not every database compares U+0000.
    const user = id.includes('\0') ? undefined : await parts().findUsers.find(id);
    const account = user && (await parts().users.findById(id));
    if (user === undefined || account === undefined) throw noSuchUser();
    return { user, account };
  }

  async function describe(request: Request) {
    const { user, account } = await requireUser(request);
    const { scopes } = signedInOf(request);
    const mayAct = mayChange(signedInOf(request), account.scopes);
    const { users, sessions, personalTokens, applications, auditTrail } = parts();
    const trail = scopes.includes('audit:read')
      ? await auditTrail.findPage({ userId: user.id, since: await users.findSince(user.id) }, lastEvents, undefined)
      : undefined;
    return {
      ...describeUser(user),
      sessions: (await sessions.listOf(user.id, stampOf(account))).map(describeSession),
      tokens: (await personalTokens.list(account.user)).map(describeToken),
      applications: (await applications.list(account.user)).map(({ clientId, name, since }) => ({
        client_id: clientId,
        name,
        since: since.toISOString(),
      })),
      events: (trail?.events ?? []).flatMap((event) =>
        'unreadable' in event ? [] : [{ time: event.at, kind: event.kind, decision: describeDecision(event, events) }],
      ),
      actions: userActionList

        .filter(([, { scope, isOffered }]) => mayAct && scopes.includes(scope) && isOffered(user, features))
        .map(([name]) => name),
    };
  }

  addAction(app, ['/admin/users/:id', '/api/admin/users/:id'], {
    method: 'GET',
    summary: 'A user',
    tag,
    params,
    config: { signedIn: true, scope: 'users:read', view: 'admin/user', refusals: [changeRefusals['no-such-user']] },
    answer: json('The user', userSchema),
    browser: 'The page of the user',
    handle: describe,
  });

  /**
   * No one changes a user who may do more than they, or lets one do more. A group that opens an application by a rule is as good as a scope:
   * members of `admins` alone change who is in it.
   */
  async function requireChange(request: Request, { scopes, user }: ChangedAccount, groups?: readonly string[]) {
    const isMoved = (group: string) => groups?.includes(group) !== user.groups.includes(group);
    const granted =
      groups === undefined ? [] : [...(await parts().groups.scopesOf(groups)), ...guardedGroups.filter(isMoved)];
    requireMayChange(signedInOf(request), scopes, granted);
  }

  for (const [name, action] of userActionList.filter(([name]) => features.secondFactor || name !== 'remove-factors'))
    addForm(app, [`/admin/users/:id/${name}`, `/api/admin/users/:id/${name}`], {
      summary: action.summary,
      tag,
      params,
      config: { signedIn: true, scope: action.scope, refusals },
      view: 'admin/user-action',
      fields: name === 'groups' ? groupsField : ({} as Fields),
      answer: detailAnswer(action.detail),
      browser: 'To the page of the user',
      async show(request) {
        const { user } = await requireUser(request);
        if (action.fresh) await parts().requireFresh(signedInOf(request), undefined, request);
        const groups = name === 'groups' ? await parts().groups.names() : [];
        const stored = name === 'groups' ? await parts().groups.namesOf(user) : [];
        // A setting, or a column of a team's own table.
        const fixed = user.groups.filter((group) => !stored.includes(group));
        return { name, user: describeUser(user), groups, fixed };
      },
      async submit(request, reply, input) {
        const { account } = await requireUser(request);
        const { groups } = input as { readonly groups?: string };
        if (name === 'groups' && groups === undefined && request.format === 'json')
          throw new InvalidFields({ field: 'groups', code: 'missing' });
        const names = readNames(groups);
        await requireChange(request, account, name === 'groups' ? names : undefined);
        if (action.fresh) await parts().requireFresh(signedInOf(request), undefined, request);
        const { id: userId } = account.user;
        await action.run(parts().administer(actorOf(request)), { userId }, names);
        const to = name === 'delete' ? '/admin/users' : `/admin/users/${encodeURIComponent(userId)}?state=${name}`;
        return reply.proceed(to, { detail: action.detail });
      },
    });

  addNewUser(app, parts, features, requireChange);
}

interface ChangedAccount extends Pick<Account, 'scopes'> {
  readonly user: Pick<Account['user'], 'groups'>;
}

type RequireChange = (request: Request, account: ChangedAccount, groups: readonly string[]) => Promise<void>;

function addNewUser(
  app: App,
  parts: () => UserParts,
  { mail }: FlowOptions['features'],
  requireChange: RequireChange,
): void {
  const config = { signedIn: true, scope: 'users:write', view: 'admin/add-user' } as const;
  const show = async () => ({
    fields: Object.keys(newUserFields),
    groups: await parts().groups.names(),
    values: {},
    errors: {},
  });

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
    config: { ...config, openedAt: '/admin/users/add', refusals },
    fields: newUserFields,
    answer: json(
      'The user was added',
      object('The user', { id: userFields.id, link: text('https://auth.example.com/auth/sign-up/finish?token=…') }, [
        'link',
      ]),
    ),
    status: 201,
    browser: 'To the page of the user, or the page with the link',
    async refuse({ faults }, request, reply) {
      if (request.format === 'json') throw new InvalidFields(...faults);
      const errors = Object.fromEntries(faults.map((fault) => [fault.field, fault]));
      return reply.code(422).send({ ...(await show()), values: request.body ?? {}, errors, faulty: faults[0]?.field });
    },
    async handle(request, reply, { email, first_name = '', last_name = '', groups, invite }) {
      const [username, firstName, lastName] = [emailAddress(email), personName(first_name), personName(last_name)];
      if (username === undefined) throw new InvalidFields({ field: 'email', code: 'not-an-address' });
      if (firstName === undefined) throw new InvalidFields({ field: 'first_name', code: 'malformed' });
      if (lastName === undefined) throw new InvalidFields({ field: 'last_name', code: 'malformed' });
      const names = readNames(groups);
      await requireChange(request, { scopes: [], user: { groups: [] } }, names);
      if (names.length > 0) await parts().requireFresh(signedInOf(request), undefined, request);
      const administration = parts().administer(actorOf(request));
      const byMail = mail && invite === 'true';
      const added = await administration
        .invite({ username, firstName, lastName, groups: names }, byMail)
        .catch(refuseTaken);
      if (added.link === undefined) return reply.proceed(`/admin/users/${added.id}?state=invited`, { id: added.id });
      if (request.format === 'json') return added;
      reply.code(201);
      return { ...(await show()), ...added };
    },
  });
}

function refuseTaken(error: unknown): never {
  throw error instanceof ChangeRefused && error.code === 'user-exists'
    ? new InvalidFields({ field: 'email', code: 'taken' })
    : error;
}
