import { type Listed, type Page, wordsFor } from '../../../web/page.ts';
import { view } from '../../../web/view.ts';
import { machineScopes } from '../machines/machine.ts';
import { type describeClient, isUnusable } from './describe-client.ts';

declare module '../../../web/view.ts' {
  interface Pages {
    'capabilities/oidc/clients/add-client': ReturnType<typeof describeNewClient>;
    'capabilities/oidc/clients/add-secret': ReturnType<typeof describeNewSecret>;
    'capabilities/oidc/clients/applications': ReturnType<typeof describeApplications>;
    'capabilities/oidc/clients/change-client': ReturnType<typeof describeChange>;
    'capabilities/oidc/clients/client': ReturnType<typeof describeClientPage>;
    'capabilities/oidc/clients/clients': ReturnType<typeof describeClients>;
    'capabilities/oidc/clients/remove-client': ReturnType<typeof describeRemoval>;
    'capabilities/oidc/clients/remove-secret': ReturnType<typeof describeSecretRemoval>;
    'capabilities/oidc/clients/rotate-secret': ReturnType<typeof describeRotation>;
  }
  interface Partials {
    'capabilities/oidc/clients/client-fields': ReturnType<typeof fieldsOf> & Page;
    'capabilities/oidc/clients/server': Server & Pick<Page, 'words'>;
  }
}

/** The addresses of this server that an application needs. */
interface Server {
  readonly issuer: string;
  readonly discovery: string;
}

type Client = ReturnType<typeof describeClient>;
type Options = keyof Page['words']['admin']['clients']['options'];

const options = [
  'own',
  'device',
  'second_factor',
  'require_pushed_authorization_requests',
  'dpop_bound_access_tokens',
] as const satisfies Options[];
const titleOf = (title: string, { name }: { readonly name: string }) => `${title}: ${name}`;
const addressOf = ({ client_id }: Pick<Client, 'client_id'>) => `/admin/clients/${client_id}`;

interface Clients extends Server, Listed {
  readonly clients: readonly Client[];
}

const describeClients = ({ clients, ...list }: Clients, { words, interpolate }: Page) => ({
  ...list,
  clients: clients.map((client) => ({
    ...{ client_id: client.client_id, name: client.name },
    users:
      describeUse(client, words.admin.clients) ??
      (client.groups.length === 0
        ? words.admin.clients.everyone
        : interpolate(words.admin.clients.onlyGroups, { groups: client.groups.join(', ') })),
  })),
});

/** Undefined for an application, which users may use. */
function describeUse(client: Client, words: Page['words']['admin']['clients']): string | undefined {
  if (client.machine !== null) return words.machine;
  return isUnusable(client) ? words.unusable : undefined;
}

interface ClientAnswer extends Client, Server {
  /** What the user may do with the client. */
  readonly actions: readonly string[];
  readonly void_grant: boolean;
}

function describeClientPage(client: ClientAnswer, page: Page) {
  const { adminPages, timeOf } = page;
  const { admin, tokens } = page.words;
  const { clients: words } = admin;
  const titles = {
    change: words.change,
    claims: words.setClaims,
    picture: words.picture,
    'add-secret': words.addSecret,
    'rotate-secret': words.rotate,
    remove: words.remove,
  };
  const { warnings } = words.pkce;
  const keys = [
    ...client.jwks.map(({ kid, kty, crv }) => `${kid ?? '–'} (${crv ?? kty})`),
    ...(client.jwks_uri === null ? [] : [client.jwks_uri]),
  ];
  const hasKeys = keys.length > 0;
  const mayListUsers = adminPages.some(([, name]) => name === 'users');
  return {
    ...client,
    here: addressOf(client),
    shownPicture: client.picture === null ? undefined : page.pictureOf(client.name, client.picture),
    warning: client.void_grant
      ? words.voidGrant
      : client.public || client.pkce === 'nonce'
        ? undefined
        : wordsFor(warnings, client.pkce),
    pkce: wordsFor(words.pkce, client.public ? 'required' : client.pkce),
    groups: client.groups.map((name) => ({
      name,
      address: mayListUsers ? `/admin/users?group=${encodeURIComponent(name)}` : undefined,
    })),
    kind: describeUse(client, words) ?? (client.public ? words.isPublic : hasKeys ? words.hasKeys : words.hasSecret),
    isApplication: describeUse(client, words) === undefined,
    keys,
    rights: client.machine && describeMachine(client.machine, words),
    table: client.claims.map(({ claim, source, in: at }) => ({
      ...{ claim, source },
      places: at.map((place) => words.claims.places[place]).join(', '),
    })),
    trusts: client.trusts.map(({ issuer, claims }) => [
      issuer,
      ...claims.map(({ claim, value }) => `${claim}=${value}`),
    ]),
    options: options.filter((name) => client[name]).map((name) => words.options[name]),
    // Each secret has its own link that removes it.
    actions: client.actions
      .filter((action) => action !== 'remove-secret')
      .map((action) => ({ action, title: wordsFor(titles, action) })),
    secrets: client.secrets.map(({ name, created_at, expires_at, last_used_at }) => ({
      name,
      times: [
        timeOf(words.secretSince, created_at),
        ...(expires_at === null ? [] : [timeOf(tokens.expires, expires_at)]),
        ...(last_used_at === null ? [] : [timeOf(words.lastUsed, last_used_at)]),
      ],
      isUnused: last_used_at === null,
      removal: client.actions.includes('remove-secret')
        ? `${addressOf(client)}/remove-secret?name=${encodeURIComponent(name)}`
        : undefined,
    })),
  };
}

/** Describes what a program may do, line by line. */
const describeMachine = (
  { scopes, within, may }: NonNullable<Client['machine']>,
  words: Page['words']['admin']['clients'],
) => [
  ...scopes.map((scope) => wordsFor(words.machineScopes, scope)),
  ...(within.length > 0 ? [`${words.within}: ${within.join(', ')}`] : []),
  ...may.map(({ uri, scopes: at }) => `${uri}: ${at.join(', ')}`),
];

interface Choices {
  readonly groups: readonly Choice[];
  /** The form shows the grant of a program only to those who may give it. */
  readonly mayGrant: boolean;
}

interface Choice {
  readonly name: string;
  readonly held: boolean;
}

function fieldsOf({ groups, mayGrant }: Choices, page: Page) {
  const { words, values, errorOf } = page;
  const { clients } = words.admin;
  const ticked = (values.groups ?? '').split(' ');
  const choicesOf = (field: string, texts: object, names: readonly string[]) =>
    names.map((name) => ({ name, text: wordsFor(texts, name), isChosen: values[field] === name }));
  const { pkce, idTokenAlg } = clients;
  return {
    choices: groups.map(({ name, held }) => ({ name, held, isTicked: ticked.includes(name) })),
    groupsError: errorOf('groups'),
    selects: [
      { field: 'pkce', texts: pkce, choices: choicesOf('pkce', pkce, ['nonce', 'required', 'optional']) },
      {
        ...{ field: 'id_token_signed_response_alg', texts: idTokenAlg },
        choices: choicesOf('id_token_signed_response_alg', idTokenAlg, ['RS256', 'ES256']),
      },
    ].map(({ field, texts, choices }) => ({
      ...{ field, choices, label: texts.label, hint: texts.hint, error: errorOf(field) },
    })),
    options: options.map((name) => ({ name, text: clients.options[name], isTicked: values[name] === 'true' })),
    machine: mayGrant
      ? {
          isTicked: values.machine === 'true',
          // The boxes that a program cannot have show no fault themselves.
          error: ['machine_scopes', 'public', ...options].map(errorOf).find((error) => error !== undefined),
          scopes: machineScopes.map((name) => ({
            name,
            text: wordsFor(clients.machineScopes, name),
            isTicked: (values.machine_scopes ?? '').split(' ').includes(name),
          })),
        }
      : undefined,
  };
}

/** The form, or the client that was added by it. */
type NewClient =
  | (Choices & { readonly client_id?: undefined })
  | (Client & Server & { readonly client_secret: string | null });

function describeNewClient(answer: NewClient, page: Page) {
  const { words, interpolate, values } = page;
  if (answer.client_id === undefined)
    return { form: { ...page, ...fieldsOf(answer, page) }, isPublic: values.public === 'true' };
  const { name, client_id, issuer, discovery, client_secret } = answer;
  return {
    added: {
      message: interpolate(words.admin.clients.added, { name }),
      ...{ client_id, issuer, discovery, words, ...secretOf(client_id, client_secret, page) },
    },
  };
}

const secretOf = (id: string, client_secret: string | null | undefined, { secretOf, words }: Page) =>
  client_secret ? { client_secret, secret: secretOf(client_secret, words.admin.clients.id, id) } : {};

type Change = Omit<Client, 'groups'> & Choices;

const describeChange = (client: Change, page: Page) => ({
  name: client.name,
  title: titleOf(page.words.admin.clients.change, client),
  here: addressOf(client),
  form: { ...page, ...fieldsOf(client, page) },
});

const describeRemoval = (client: Client, { words, interpolate }: Page) => ({
  title: titleOf(words.admin.clients.remove, client),
  here: addressOf(client),
  lead: interpolate(words.admin.clients.removeLead, { name: client.name }),
});

const describeRotation = (client: Pick<Client, 'client_id' | 'name'> & { client_secret?: string }, page: Page) => ({
  title: titleOf(page.words.admin.clients.rotate, client),
  here: addressOf(client),
  lead: page.interpolate(page.words.admin.clients.rotateLead, { name: client.name }),
  ...secretOf(client.client_id, client.client_secret, page),
});

const describeNewSecret = (client: Pick<Client, 'client_id' | 'name'> & { client_secret?: string }, page: Page) => ({
  title: titleOf(page.words.admin.clients.addSecret, client),
  here: addressOf(client),
  ...secretOf(client.client_id, client.client_secret, page),
});

const describeSecretRemoval = (client: Client, { words: { admin }, values, interpolate }: Page) => ({
  title: titleOf(admin.clients.removeSecret, client),
  here: addressOf(client),
  name: values.name ?? '',
  lead: interpolate(admin.clients.removeSecretLead, { name: values.name ?? '' }),
});

interface Applications extends Listed {
  readonly applications: readonly {
    readonly client_id: string;
    readonly name: string;
    readonly picture: string | null;
    readonly scope: string;
    readonly since: string;
  }[];
}

const describeApplications = ({ applications, ...list }: Applications, page: Page) => ({
  ...list,
  applications: applications.map(({ scope, picture, ...application }) => ({
    ...application,
    picture: page.pictureOf(application.name, picture),
    scopes:
      scope
        .split(' ')
        .filter(Boolean)
        .map((name) => wordsFor(page.words.applications.scopes, name))
        .join(', ') || page.words.applications.notAsked,
  })),
});

export const newClientView = view('capabilities/oidc/clients/add-client', describeNewClient);
export const applicationsView = view('capabilities/oidc/clients/applications', describeApplications);
export const changeView = view('capabilities/oidc/clients/change-client', describeChange);
export const clientView = view('capabilities/oidc/clients/client', describeClientPage);
export const clientsView = view('capabilities/oidc/clients/clients', describeClients);
export const newSecretView = view('capabilities/oidc/clients/add-secret', describeNewSecret);
export const removalView = view('capabilities/oidc/clients/remove-client', describeRemoval);
export const rotationView = view('capabilities/oidc/clients/rotate-secret', describeRotation);
export const secretRemovalView = view('capabilities/oidc/clients/remove-secret', describeSecretRemoval);
