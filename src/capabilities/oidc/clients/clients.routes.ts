import type { SignedIn } from '../../../core/access/access.ts';
import { changeRefusals } from '../../../core/access/change-refusals.ts';
import { type Answer, Refusal } from '../../../core/access/refusal.ts';
import { beyondOwn, holds, holdsAll, requireRightsOf, sees } from '../../../core/access/rights.ts';
import type { Actor } from '../../../core/changes/administration.ts';
import type { Groups } from '../../../core/users/groups.ts';
import type { RequireRights } from '../../../core/users/scopes.ts';
import type { Words } from '../../../ground/languages/words.ts';
import { addAction, type Fields } from '../../../web/action.ts';
import { tag } from '../../../web/admin-pages.ts';
import { detailAnswer, exampleId } from '../../../web/fields.ts';
import type { FlowOptions } from '../../../web/flow-options.ts';
import { addForm } from '../../../web/form.ts';
import { actorOf, signedInOf } from '../../../web/hooks/credentials.ts';
import { listQuery, nextCursor, pageOf, readList, unreadableList } from '../../../web/list.ts';
import { json, listOf, object, orNull, text, time } from '../../../web/openapi/responses.ts';
import type { App, Request } from '../../../web/types.ts';
import { type ClientAdministration, rightsOfClient } from './client-administration.ts';
import { fields, newFields, readSettings, secretFields, secretNameFields, valuesOf } from './client-form.ts';
import { hasKeys } from './client-keys.ts';
import { mostSecrets } from './client-secrets.ts';
import { type Client, type Clients, defaultSettings, withChanges } from './clients.ts';
import { describeClient, pictureText } from './describe-client.ts';
import type { PreviewParts } from './preview-claims.ts';
import {
  changeView,
  clientsView,
  clientView,
  newClientView,
  newSecretView,
  removalView,
  rotationView,
  secretRemovalView,
} from './views.ts';

export interface ClientRouteParts extends PreviewParts {
  readonly clients: Pick<Clients, 'find' | 'findPage'>;
  readonly administerClients: (actor: Actor, requireRights: RequireRights) => ClientAdministration;
  readonly groups: Pick<Groups, 'names'>;
}

const noSuchClient: Answer = { name: 'no-such-client', status: 404, detail: 'There is no client with that id' };

const noSuchSecret: Answer = {
  name: 'no-such-secret',
  status: 404,
  detail: 'The client has no secret with that name',
};

export const page = '/admin/clients';
export const clientParams = { id: { description: 'The `client_id`', examples: [exampleId] } };
const config = { signedIn: true, scope: 'clients:write', machines: true } as const;
export const freshly = (
  title: 'add' | 'change' | 'setClaims' | 'picture' | 'addSecret' | 'removeSecret' | 'rotate' | 'remove',
) => ({
  ...config,
  freshProof: { page: ({ admin }: Words) => admin.clients[title] },
  refusals: [noSuchClient, beyondOwn, changeRefusals['change-refused'], changeRefusals['too-many-kept']],
});

export const claimRow = object('A claim', {
  claim: text('roles'),
  source: text('groups:editors=editor', 'Where its value comes from'),
  in: listOf(text('id_token'), '`id_token`, `userinfo`, `access_token`, `introspection`'),
});

const clientFields = {
  client_id: text(exampleId),
  name: text('Wiki'),
  public: { type: 'boolean', description: newFields.public.description },
  redirect_uris: listOf(text('https://wiki.example.com/callback')),
  post_logout_redirect_uris: listOf(text('https://wiki.example.com/')),
  backchannel_logout_uri: orNull(text('https://wiki.example.com/logout')),
  client_uri: orNull(text('https://wiki.example.com/', fields.client_uri.description)),
  own: { type: 'boolean', description: fields.own.description },
  device: { type: 'boolean', description: fields.device.description },
  second_factor: { type: 'boolean', description: fields.second_factor.description },
  require_pushed_authorization_requests: {
    type: 'boolean',
    description: fields.require_pushed_authorization_requests.description,
  },
  dpop_bound_access_tokens: { type: 'boolean', description: fields.dpop_bound_access_tokens.description },
  groups: listOf(text('staff'), fields.groups.description),
  pkce: text('nonce', fields.pkce.description),
  id_token_signed_response_alg: text('RS256', fields.id_token_signed_response_alg.description),
  machine: {
    ...orNull(
      object('What it may do as itself', {
        scopes: listOf(text('users:read'), fields.machine_scopes.description),
        within: listOf(text('staff'), fields.within.description),
        may: listOf(
          object('A resource', { uri: text('https://files.example.com'), scopes: listOf(text('files:read')) }),
        ),
        granted_by: orNull(text(exampleId, 'The administrator, without whom the grant ends. Null for a command')),
      }),
    ),
    description: 'Null for a client that signs users in',
  },
  trusts: listOf(
    object('A workload', {
      issuer: text('https://token.actions.githubusercontent.com'),
      claims: listOf(object('A claim', { claim: text('repository_id'), value: text('42') })),
      once: { type: 'boolean', description: 'Whether each token counts once' },
      uploaded_keys: { ...orNull({ type: 'integer', examples: [1] }), description: 'Null: the issuer publishes them' },
      granted_by: orNull(text(exampleId, 'The administrator, without whom the trust ends. Null for a command')),
    }),
    'Workloads of other issuers whose tokens prove it, in place of a secret',
  ),
  claims: listOf(claimRow, 'Claims that it gets in place of those of scopes, or besides'),
  jwks: listOf(
    object('A key', { kid: orNull(text('2027')), kty: text('EC'), crv: orNull(text('P-256')) }),
    fields.jwks.description,
  ),
  jwks_uri: orNull(text('https://wiki.example.com/jwks.json', fields.jwks_uri.description)),
  secrets: listOf(
    object('A secret', { name: text('first'), created_at: time, expires_at: orNull(time), last_used_at: orNull(time) }),
    'Its secrets, without their texts. A public client has none',
  ),
  picture: { ...orNull(pictureText), description: 'Users see it beside the name. Null for a client without one' },
  created_at: time,
};
const actionsField = listOf(
  text('change'),
  'What the user may do with the client: `POST /api/admin/clients/ID/ACTION`',
);
const voidField = {
  type: 'boolean',
  description:
    'Whether what a program was granted is void, at least in part, because its administrator could not grant it today',
};
const serverFields = {
  issuer: text('https://auth.example.com'),
  discovery: text('https://auth.example.com/.well-known/openid-configuration'),
};
const secret = {
  client_secret: orNull(
    text('x'.repeat(43), 'It is shown only now. Null for a public client, and one with trusts or keys'),
  ),
};

/** The actions on a client, as the last part of their addresses. */
const actions = ['change', 'claims', 'picture', 'add-secret', 'remove-secret', 'rotate-secret', 'remove'];

/** A client with keys has no use for a new secret. */
const mayHave = (action: string, client: Client) =>
  client.secrets !== undefined && (!hasKeys(client) || action === 'remove-secret');

const actionsFor = (signedIn: SignedIn, client: Client) =>
  holds(signedIn, rightsOfClient(client)) ? actions.filter((action) => isOffered(action, client)) : [];

function isOffered(action: string, client: Client): boolean {
  if (action === 'claims') return client.machine === undefined;
  return !action.endsWith('-secret') || mayHave(action, client);
}

/** Returns the groups as the form shows them. Administrators can choose only groups that they hold themselves. */
const choiceOf = (signedIn: SignedIn, names: readonly string[]) =>
  names.map((name) => ({ name, held: holds(signedIn, { groups: [name], scopes: [] }) }));

export type ClientParts = () => ClientRouteParts;

type ServerOptions = Pick<FlowOptions, 'publicOrigins'>;

export const administrationOf = (parts: ClientParts, request: Request) =>
  parts().administerClients(actorOf(request), requireRightsOf(signedInOf(request)));

/** Returns the addresses of this server that an application needs. */
function describeServer({ publicOrigins }: ServerOptions) {
  const [issuer = ''] = publicOrigins;
  return { issuer, discovery: `${issuer}/.well-known/openid-configuration` };
}

async function requireClient(parts: ClientParts, request: Request): Promise<Client> {
  const client = await parts().clients.find((request.params as { readonly id: string }).id);
  if (client === undefined || !sees(signedInOf(request), rightsOfClient(client))) throw new Refusal(noSuchClient);
  return client;
}

/** Finds a client whose rights the user holds. The change checks the rights again. */
export async function requireOwnRights(parts: ClientParts, request: Request): Promise<Client> {
  const client = await requireClient(parts, request);
  requireRightsOf(signedInOf(request))(rightsOfClient(client));
  return client;
}

/** Adds the pages on which administrators add, change and remove the applications that sign their users in here. */
export function addClients(app: App, parts: ClientParts, options: ServerOptions): void {
  addClientList(app, parts, options);
  addClientPages(app, parts, options);
}

function addClientList(app: App, parts: ClientParts, options: ServerOptions): void {
  addAction(app, [page, '/api/admin/clients'], {
    method: 'GET',
    summary: 'Clients',
    tag,
    description: 'By name.',
    config: { ...config, view: clientsView, refusals: [unreadableList] },
    query: listQuery,
    answer: json(
      'The clients',
      object('Clients', {
        ...serverFields,
        clients: listOf(object('A client', clientFields)),
        next_cursor: nextCursor,
      }),
      { next_cursor: null },
    ),
    browser: 'The page with the clients',
    async handle(request) {
      const { query } = request;
      const { limit, after } = readList(query, { keyLength: 2 });
      const isSeen = (client: Client) => sees(signedInOf(request), rightsOfClient(client));
      const found = await parts().clients.findPage(limit + 1, after, isSeen);
      const { entries, next_cursor } = pageOf(found, limit, ({ name, id }) => [name, id]);
      return { ...describeServer(options), clients: entries.map(describeClient), next_cursor, query };
    },
  });

  addForm(app, [`${page}/add`, '/api/admin/clients/add'], {
    summary: 'Add a client',
    description: 'Its secret is shown once.',
    tag,
    config: freshly('add'),
    view: newClientView,
    fields: newFields,
    answer: json('The client was added', object('The client', { ...clientFields, ...secret })),
    status: 201,
    browser: 'The page with the id and the secret',
    show: async (request) => ({
      groups: choiceOf(signedInOf(request), await parts().groups.names()),
      mayGrant: holdsAll(signedInOf(request)),
    }),
    async submit(request, reply, input) {
      const settings = withChanges(defaultSettings, readSettings(input, request));
      const added = await administrationOf(parts, request).addClient({
        ...settings,
        isPublic: input.public === 'true',
      });
      const answer = { ...describeClient(added.client), client_secret: added.secret ?? null };
      if (request.format === 'json') return reply.code(201).send(answer);
      reply.code(201);
      return { ...answer, ...describeServer(options) };
    },
  });
}

function addClientPages(app: App, parts: ClientParts, options: ServerOptions): void {
  addAction(app, [`${page}/:id`, '/api/admin/clients/:id'], {
    method: 'GET',
    summary: 'A client',
    tag,
    params: clientParams,
    config: { ...config, view: clientView, refusals: [noSuchClient] },
    answer: json(
      'The client',
      object('The client', { ...clientFields, ...serverFields, actions: actionsField, void_grant: voidField }),
    ),
    browser: 'The page of the client',
    async handle(request) {
      const client = await requireClient(parts, request);
      return {
        ...describeClient(client),
        ...describeServer(options),
        actions: actionsFor(signedInOf(request), client),
        void_grant: await administrationOf(parts, request).hasVoidGrant(client),
      };
    },
  });

  addForm(app, [`${page}/:id/change`, '/api/admin/clients/:id/change'], {
    summary: 'Change a client',
    description: 'In JSON, what is not sent stays as it is.',
    tag,
    params: clientParams,
    config: freshly('change'),
    view: changeView,
    fields,
    answer: detailAnswer('Client changed'),
    browser: 'To the page of the client',
    async show(request, typed) {
      const client = await requireOwnRights(parts, request);
      const values = request.method === 'POST' ? typed : valuesOf(client);
      // A group that was removed stays in the form until the administrator unticks it.
      const names = [...new Set([...(await parts().groups.names()), ...client.groups])];
      const signedIn = signedInOf(request);
      return {
        ...describeClient(client),
        ...{ values, groups: choiceOf(signedIn, names), mayGrant: holdsAll(signedIn) },
      };
    },
    async submit(request, reply, input) {
      const { id } = await requireOwnRights(parts, request);
      await administrationOf(parts, request).changeClient(id, readSettings(input, request));
      return reply.proceed(`${page}/${id}?state=changed`, { detail: 'Client changed' });
    },
  });

  const secretAnswer = object('The secret', {
    client_id: clientFields.client_id,
    client_secret: text('x'.repeat(43), 'It is shown only now'),
  });

  addForm(app, [`${page}/:id/add-secret`, '/api/admin/clients/:id/add-secret'], {
    summary: 'Add a secret to a client',
    description: `The others go on working. A client has at most ${mostSecrets}. The new one is shown once.`,
    tag,
    params: clientParams,
    config: freshly('addSecret'),
    view: newSecretView,
    fields: secretFields,
    answer: json('The new secret', secretAnswer),
    status: 201,
    browser: 'The page with the secret',
    show: async (request) => describeClient(await requireOwnRights(parts, request)),
    async submit(request, reply, { name, expires_in_days: days = '' }) {
      const client = await requireOwnRights(parts, request);
      // A browser sends an empty field.
      const added = { name, days: days === '' ? undefined : Number(days) };
      const answer = {
        client_id: client.id,
        client_secret: await administrationOf(parts, request).addSecret(client.id, added),
      };
      reply.code(201);
      return request.format === 'json' ? reply.send(answer) : { ...answer, ...describeClient(client) };
    },
  });

  addForm(app, [`${page}/:id/remove-secret`, '/api/admin/clients/:id/remove-secret'], {
    summary: 'Remove a secret of a client',
    description: 'It stops working at once. The tokens that the client has got with it stay.',
    tag,
    params: clientParams,
    config: { ...freshly('removeSecret'), refusals: [...freshly('removeSecret').refusals, noSuchSecret] },
    view: secretRemovalView,
    fields: secretNameFields,
    answer: detailAnswer('Secret removed'),
    browser: 'To the page of the client',
    async show(request, { name }) {
      const client = describeClient(await requireOwnRights(parts, request));
      // The name comes from a link, so that it has no fault that the user could correct.
      if (!client.public && !client.secrets.some((one) => one.name === name)) throw new Refusal(noSuchSecret);
      return client;
    },
    async submit(request, reply, { name }) {
      const { id } = await requireOwnRights(parts, request);
      await administrationOf(parts, request).removeSecret(id, name);
      return reply.proceed(`${page}/${id}?state=secret-removed`, { detail: 'Secret removed' });
    },
  });

  addForm(app, [`${page}/:id/rotate-secret`, '/api/admin/clients/:id/rotate-secret'], {
    summary: 'Replace the secrets of a client by a new one',
    description: 'The old ones stop working at once. The new one is shown once.',
    tag,
    params: clientParams,
    config: freshly('rotate'),
    view: rotationView,
    fields: {} as Fields,
    answer: json('The new secret', secretAnswer),
    browser: 'The page with the secret',
    show: async (request) => describeClient(await requireOwnRights(parts, request)),
    async submit(request, reply) {
      const client = await requireOwnRights(parts, request);
      const answer = {
        client_id: client.id,
        client_secret: await administrationOf(parts, request).rotateSecret(client.id),
      };
      return request.format === 'json' ? reply.send(answer) : { ...answer, ...describeClient(client) };
    },
  });

  addForm(app, [`${page}/:id/remove`, '/api/admin/clients/:id/remove'], {
    summary: 'Remove a client',
    description: 'Everything that it holds ends.',
    tag,
    params: clientParams,
    config: freshly('remove'),
    view: removalView,
    fields: {} as Fields,
    answer: detailAnswer('Client removed'),
    browser: 'To the page with the clients',
    show: async (request) => describeClient(await requireOwnRights(parts, request)),
    async submit(request, reply) {
      const { id } = await requireOwnRights(parts, request);
      await administrationOf(parts, request).removeClient(id);
      return reply.proceed(`${page}?state=removed`, { detail: 'Client removed' });
    },
  });
}
