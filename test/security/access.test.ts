import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, describe, test } from 'node:test';
import { wiki } from '../capabilities/oidc/application.ts';
import { ann, password, type TestJanua } from '../janua.ts';
import { asJson, form, sessionCookie } from '../web/faces.ts';
import { type Route, startWithRoutes } from './routes.ts';

let janua: TestJanua;
let added: Route[];
before(async () => {
  const settings = {
    SIGN_UP: 'on',
    HANDLES: 'users',
    UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
  } as const;
  ({ janua, routes: added } = await startWithRoutes({ settings, time: Date.now() }));
  await janua.services.clientAdministration.addClient(wiki);
});
after(() => janua[Symbol.asyncDispose]());

/** The access to each route. A new route has to be entered here, and in the threat model if it takes a credential of its own kind. */
const routes: Record<
  string,
  | 'anyone'
  | 'anyone, a file'
  | 'signed in'
  | 'signed in, by a link'
  | 'takes a password'
  | 'takes a passkey'
  | 'takes a waiting login'
  | 'takes the word of a provider'
  | 'takes the token of a link'
  | 'asks for a mail'
  | 'ends sessions'
  | 'keeps a choice'
  | 'takes a client'
  | 'a preflight'
> = {
  'GET /': 'anyone',
  'GET /auth/login': 'anyone',
  'GET /auth/home': 'signed in',
  'GET /auth/verify': 'signed in',
  'GET /auth/refused': 'anyone',
  'GET /auth/forward': 'signed in, by a link',
  'GET /admin/me': 'signed in',
  'GET /api/me': 'signed in',
  'POST /auth/token': 'takes a password',
  'POST /api/login': 'takes a password',
  'POST /auth/passkey/options': 'anyone',
  'POST /api/passkey/options': 'anyone',
  'POST /auth/passkey': 'takes a passkey',
  'POST /api/passkey': 'takes a passkey',
  'GET /auth/second-factor': 'takes a waiting login',
  'GET /api/second-factor': 'takes a waiting login',
  'POST /auth/second-factor': 'takes a waiting login',
  'POST /api/second-factor': 'takes a waiting login',
  'POST /auth/second-factor/options': 'takes a waiting login',
  'POST /api/second-factor/options': 'takes a waiting login',
  'POST /auth/upstream/:id': 'anyone',
  'POST /api/upstream/:id': 'anyone',
  'GET /auth/upstream/:id/callback': 'takes the word of a provider',
  'POST /auth/logout': 'ends sessions',
  'POST /api/logout': 'ends sessions',
  'GET /auth/confirm': 'signed in',
  'GET /api/confirm': 'signed in',
  'POST /auth/confirm': 'signed in',
  'POST /api/confirm': 'signed in',
  'POST /auth/confirm/upstream/:id': 'signed in',
  'POST /api/confirm/upstream/:id': 'signed in',
  'POST /auth/confirm/options': 'signed in',
  'POST /api/confirm/options': 'signed in',
  'GET /account': 'signed in',
  'GET /api/account': 'signed in',
  'GET /account/sessions': 'signed in',
  'GET /api/account/sessions': 'signed in',
  'GET /account/tokens': 'signed in',
  'GET /api/account/tokens': 'signed in',
  'POST /account/tokens': 'signed in',
  'POST /api/account/tokens': 'signed in',
  'POST /account/tokens/end': 'signed in',
  'POST /api/account/tokens/end': 'signed in',
  'GET /account/sign-in-methods': 'signed in',
  'GET /api/account/sign-in-methods': 'signed in',
  'POST /account/sign-in-methods/begin': 'signed in',
  'POST /api/account/sign-in-methods/begin': 'signed in',
  'POST /account/sign-in-methods/link': 'signed in',
  'POST /api/account/sign-in-methods/link': 'signed in',
  'POST /account/sign-in-methods/unlink': 'signed in',
  'POST /api/account/sign-in-methods/unlink': 'signed in',
  'POST /account/sessions/end': 'signed in',
  'POST /api/account/sessions/end': 'signed in',
  'POST /account/sessions/end-others': 'signed in',
  'POST /api/account/sessions/end-others': 'signed in',
  'GET /account/applications': 'signed in',
  'GET /api/account/applications': 'signed in',
  'POST /account/applications/revoke': 'signed in',
  'POST /api/account/applications/revoke': 'signed in',
  'GET /account/security': 'signed in',
  'GET /api/account/security': 'signed in',
  'GET /account/security/totp': 'signed in',
  'GET /api/account/security/totp': 'signed in',
  'POST /account/security/totp': 'signed in',
  'POST /api/account/security/totp': 'signed in',
  'POST /account/security/totp/begin': 'signed in',
  'POST /api/account/security/totp/begin': 'signed in',
  'POST /account/security/totp/remove': 'signed in',
  'POST /api/account/security/totp/remove': 'signed in',
  'POST /account/security/recovery-codes': 'signed in',
  'POST /api/account/security/recovery-codes': 'signed in',
  'POST /account/security/passkeys': 'signed in',
  'POST /api/account/security/passkeys': 'signed in',
  'POST /account/security/passkeys/options': 'signed in',
  'POST /api/account/security/passkeys/options': 'signed in',
  'POST /account/security/passkeys/decline': 'signed in',
  'POST /api/account/security/passkeys/decline': 'signed in',
  'POST /account/security/passkeys/rename': 'signed in',
  'POST /api/account/security/passkeys/rename': 'signed in',
  'POST /account/security/passkeys/remove': 'signed in',
  'POST /api/account/security/passkeys/remove': 'signed in',
  'POST /account/security/trusted-browsers/end': 'signed in',
  'POST /api/account/security/trusted-browsers/end': 'signed in',
  'GET /account/export': 'signed in',
  'GET /api/account/export': 'signed in',
  'GET /account/profile': 'signed in',
  'GET /api/account/profile': 'signed in',
  'POST /account/profile': 'signed in',
  'POST /api/account/profile': 'signed in',
  'GET /account/password': 'signed in',
  'GET /api/account/password': 'signed in',
  'POST /account/password': 'signed in',
  'POST /api/account/password': 'signed in',
  'GET /account/confirm-email': 'signed in',
  'GET /api/account/confirm-email': 'signed in',
  'POST /account/confirm-email': 'signed in',
  'POST /api/account/confirm-email': 'signed in',
  'GET /account/email': 'signed in',
  'GET /api/account/email': 'signed in',
  'POST /account/email': 'signed in',
  'POST /api/account/email': 'signed in',
  'GET /account/handle': 'signed in',
  'GET /api/account/handle': 'signed in',
  'POST /account/handle': 'signed in',
  'POST /api/account/handle': 'signed in',
  'GET /account/delete': 'signed in',
  'GET /api/account/delete': 'signed in',
  'POST /account/delete': 'signed in',
  'POST /api/account/delete': 'signed in',
  'GET /auth/sign-up': 'anyone',
  'GET /api/sign-up': 'anyone',
  'POST /auth/sign-up': 'asks for a mail',
  'POST /api/sign-up': 'asks for a mail',
  'GET /auth/join': 'takes the token of a link',
  'GET /api/join': 'takes the token of a link',
  'POST /auth/join': 'takes the token of a link',
  'POST /api/join': 'takes the token of a link',
  'GET /auth/sign-up/finish': 'takes the token of a link',
  'GET /auth/first-administrator': 'takes the token of a link',
  'GET /api/sign-up/finish': 'takes the token of a link',
  'GET /api/first-administrator': 'takes the token of a link',
  'POST /auth/sign-up/finish': 'takes the token of a link',
  'POST /auth/first-administrator': 'takes the token of a link',
  'POST /api/sign-up/finish': 'takes the token of a link',
  'POST /api/first-administrator': 'takes the token of a link',
  'GET /auth/forgot-password': 'anyone',
  'GET /api/forgot-password': 'anyone',
  'POST /auth/forgot-password': 'asks for a mail',
  'POST /api/forgot-password': 'asks for a mail',
  'GET /auth/reset-password': 'takes the token of a link',
  'GET /api/reset-password': 'takes the token of a link',
  'POST /auth/reset-password': 'takes the token of a link',
  'POST /api/reset-password': 'takes the token of a link',
  'GET /auth/confirm-email': 'takes the token of a link',
  'GET /api/confirm-email': 'takes the token of a link',
  'POST /auth/confirm-email': 'takes the token of a link',
  'POST /api/confirm-email': 'takes the token of a link',
  'GET /auth/enrol-factor': 'takes the token of a link',
  'GET /api/enrol-factor': 'takes the token of a link',
  'POST /auth/enrol-factor': 'takes the token of a link',
  'POST /api/enrol-factor': 'takes the token of a link',
  'POST /auth/enrol-factor/begin': 'takes the token of a link',
  'POST /api/enrol-factor/begin': 'takes the token of a link',
  'POST /auth/language': 'keeps a choice',
  'POST /api/language': 'keeps a choice',
  'GET /oidc/auth': 'takes a client',
  'GET /oidc/auth/:uid': 'takes a client',
  'POST /oidc/auth': 'takes a client',
  'POST /oidc/token': 'takes a client',
  'POST /oidc/introspection': 'takes a client',
  'POST /oidc/revocation': 'takes a client',
  'POST /oidc/par': 'takes a client',
  'POST /oidc/device-authorization': 'takes a client',
  'GET /oidc/userinfo': 'takes a client',
  'POST /oidc/userinfo': 'takes a client',
  'GET /oidc/interaction/:uid': 'signed in',
  'POST /oidc/interaction/:uid': 'signed in',
  'GET /oidc/device': 'signed in',
  'GET /api/oidc/device': 'signed in',
  'POST /oidc/device': 'signed in',
  'POST /api/oidc/device': 'signed in',
  'GET /oidc/logout': 'anyone',
  'POST /oidc/logout': 'anyone',
  'POST /oidc/logout/confirm': 'ends sessions',
  'GET /oidc/jwks': 'anyone',
  'GET /.well-known/passkey-endpoints': 'anyone',
  'GET /.well-known/openid-configuration': 'anyone',
  'GET /.well-known/oauth-authorization-server': 'anyone',
  'OPTIONS /oidc/token': 'a preflight',
  'OPTIONS /oidc/introspection': 'a preflight',
  'OPTIONS /oidc/revocation': 'a preflight',
  'OPTIONS /oidc/par': 'a preflight',
  'OPTIONS /oidc/device-authorization': 'a preflight',
  'OPTIONS /oidc/userinfo': 'a preflight',
  'OPTIONS /oidc/jwks': 'a preflight',
  'OPTIONS /.well-known/openid-configuration': 'a preflight',
  'OPTIONS /.well-known/oauth-authorization-server': 'a preflight',
  'GET /demo/mail': 'anyone',
  'GET /api/demo/mail': 'anyone',
  'GET /docs': 'anyone',
  'GET /openapi.json': 'anyone',
  'GET /health/live': 'anyone',
  'GET /health/ready': 'anyone',
  'GET /docs/': 'anyone, a file',
  'GET /favicon.ico': 'anyone, a file',
  'GET /docs/swagger-ui.css': 'anyone, a file',
  'GET /docs/swagger-ui.js': 'anyone, a file',
  'GET /docs/docs.js': 'anyone, a file',
  'GET /assets/pico.css': 'anyone, a file',
  'GET /assets/janua.css': 'anyone, a file',
  'GET /assets/theme.css': 'anyone, a file',
  'GET /assets/logo.svg': 'anyone, a file',
  'GET /assets/pages.js': 'anyone, a file',
  'GET /assets/passkeys.js': 'anyone, a file',
  'GET /assets/submit.js': 'anyone, a file',
  'GET /oidc/pictures/:hash': 'anyone, a file',
};

/** A form and what it sends to. */
function formOf(parent: string) {
  return (name: string) => [`GET ${parent}/${name}`, `POST ${parent}/${name}`];
}

/** The routes of administrators. `authorization.test.ts` tries each of them with every scope. */
const administration = /^\w+ (?:\/api)?\/admin(?!\/me$)(?:\/|$)/;

/** Lists every route of the router, even undocumented ones. The router prints them as a tree. HEAD comes with GET. */
function listRoutes(): string[] {
  const ancestors: string[] = [];
  return janua.app
    .printRoutes({ commonPrefix: false })
    .split('\n')
    .flatMap((line) => {
      const [, indent = '', part, methods = ''] = /^([\s│]*)[├└]── (\S*)(?: \(([^)]*)\))?/.exec(line) ?? [];
      if (part === undefined) return [];
      ancestors.splice(indent.length / 4, Infinity, part);
      const names = methods.split(', ').filter((name) => name !== '' && name !== 'HEAD');
      return names.map((name) => `${name} ${ancestors.join('')}`);
    });
}

test('the access to every route is defined, and the documents list every route with a credential', async () => {
  const known = listRoutes().filter((route) => !administration.test(route));
  assert.deepEqual(known.sort(), Object.keys(routes).sort());
  const document = (await janua.get('/openapi.json')).json();
  const documented = Object.entries<object>(document.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path.replaceAll(/\{(\w+)\}/g, ':$1')}`),
  );
  const shown = Object.entries(routes)
    .filter(([, who]) => who !== 'anyone, a file' && who !== 'a preflight')
    .map(([route]) => route);
  assert.deepEqual(documented.filter((route) => !administration.test(route)).sort(), shown.sort());
  const [reference, model] = await Promise.all(
    ['reference/routes.md', 'security/threat-model.md'].map((path) =>
      readFile(new URL(`../../docs/${path}`, import.meta.url), 'utf8'),
    ),
  );
  const ways = /^## Ways in\n(.*?)^## /ms.exec(model ?? '')?.[1] ?? '';
  for (const [route, who] of Object.entries(routes)) {
    const [, path = ''] = route.split(' ');
    const written = `\`${route.replaceAll(/:(\w+)/g, '{$1}')}\``;
    const row = reference?.split('\n').find((line) => line.includes(written)) ?? '';
    if (who.startsWith('signed in')) assert.match(row, /\| signed in \|/, route);
    else if (!who.startsWith('a')) assert.ok(ways.includes(`\`${path}\``), route);
  }
});

/** The pages of administrators by their scope. Each has a twin under `/api`, except a file. */
const pagesByScope: Record<string, readonly string[]> = {
  'audit:read': ['GET /admin', 'GET /admin/audit', 'GET /admin/audit/export'],
  'users:read': ['GET /admin/users', 'GET /admin/users/:id', 'GET /admin/groups', 'GET /admin/users/export'],
  'users:write': [
    'POST /admin/users',
    'GET /admin/users/add',
    'GET /admin/users/import',
    'POST /admin/users/import',
    'GET /admin/users/imports',
    'POST /admin/users/imports/undo',
    'GET /admin/users/invite-links',
    'POST /admin/users/invite-links',
    'POST /admin/users/invite-links/revoke',
    ...[
      'name',
      'handle',
      'offer-email',
      'set-email',
      'disable',
      'enable',
      'send-reset',
      'groups',
      'claims',
      'verify',
    ].flatMap(formOf('/admin/users/:id')),
    ...['remove-factors', 'delete'].flatMap(formOf('/admin/users/:id')),
    ...['groups', 'groups/scopes', 'groups/claims', 'groups/second-factor', 'groups/remove'].map(
      (name) => `POST /admin/${name}`,
    ),
  ],
  'sessions:write': [
    ...['end-sessions', 'lift'].flatMap(formOf('/admin/users/:id')),
    'GET /admin/throttle',
    'POST /admin/throttle/lift',
  ],
  'clients:write': [
    'GET /admin/clients',
    'GET /admin/clients/:id',
    ...[
      'add',
      ':id/change',
      ':id/claims',
      ':id/picture',
      ':id/add-secret',
      ':id/remove-secret',
      ':id/rotate-secret',
      ':id/remove',
    ].flatMap(formOf('/admin/clients')),
    'GET /admin/resources',
    'POST /admin/resources',
    'POST /admin/resources/remove',
    ...formOf('/admin/resources')('exchange'),
    ...formOf('/admin/resources')('secret'),
  ],
  'settings:read': ['GET /admin/mail', 'POST /admin/mail/retry', 'GET /admin/upstreams', 'GET /admin/settings'],
};

/** The routes that programs may use that act as themselves (`client_credentials`). The others know no such token. */
const routesOfMachines = [
  'GET /admin/users',
  'GET /admin/users/:id',
  'POST /admin/users',
  'GET /admin/users/add',
  ...[
    'name',
    'handle',
    'offer-email',
    'set-email',
    'disable',
    'enable',
    'send-reset',
    'groups',
    'claims',
    'verify',
  ].flatMap(formOf('/admin/users/:id')),
  ...['remove-factors', 'delete', 'end-sessions', 'lift'].flatMap(formOf('/admin/users/:id')),
  'GET /admin/groups',
  'GET /admin/clients',
  'GET /admin/clients/:id',
  ...[
    'add',
    ':id/change',
    ':id/claims',
    ':id/picture',
    ':id/add-secret',
    ':id/remove-secret',
    ':id/rotate-secret',
    ':id/remove',
  ].flatMap(formOf('/admin/clients')),
];

test('programs that act as themselves may use these routes, and no others', () => {
  const taking = added.filter(({ name, config }) => config?.machines && !name.includes(' /api/'));
  assert.deepEqual(taking.map(({ name }) => name).sort(), routesOfMachines.toSorted());
});

test('every route of administrators has the scope that is expected, and there are no others', () => {
  const expected = Object.entries(pagesByScope).flatMap(([scope, pages]) => pages.map((page) => [page, scope]));
  const scopeOf = new Map(added.map(({ name, config }) => [name, config?.scope]));
  const served = listRoutes().filter((route) => administration.test(route));
  const pages = served.filter((route) => !route.includes(' /api/'));
  assert.deepEqual(pages.map((route) => [route, scopeOf.get(route)]).sort(), expected.sort());
  // Each page has a twin for programs, with the same scope. A file needs none.
  const twins = served.filter((route) => route.includes(' /api/'));
  assert.deepEqual(
    twins.map((route) => [route.replace('/api', ''), scopeOf.get(route)]).sort(),
    expected.filter(([route]) => !route?.endsWith('/export')),
  );
});

test('another site may post to the addresses of applications alone', async () => {
  const open: string[] = [];
  const headers = { 'sec-fetch-site': 'cross-site', ...asJson };
  for (const { method, url, name } of added) {
    if (method !== 'POST') continue;
    const { statusCode, body } = await janua.app.inject({ method, url, headers });
    if (statusCode !== 403 || !body.includes('was sent by another site')) open.push(name);
  }
  assert.deepEqual(
    open.sort(),
    ['auth', 'device-authorization', 'introspection', 'logout', 'par', 'revocation', 'token', 'userinfo'].map(
      (name) => `POST /oidc/${name}`,
    ),
  );
});

/** The pages whose forms need a fresh proof, with what is sent from each of them. A new one has to be entered here. */
const askingPages: Record<string, readonly string[]> = {
  '/account/password': ['password'],
  '/account/email': ['email'],
  '/account/handle': ['handle'],
  '/account/confirm-email': ['confirm-email'],
  '/account/delete': ['delete'],
  '/account/tokens': ['tokens'],
  '/account/security': [
    ...['totp/begin', 'totp/remove', 'recovery-codes', 'trusted-browsers/end'].map((name) => `security/${name}`),
    ...['passkeys', 'passkeys/options', 'passkeys/rename', 'passkeys/remove'].map((name) => `security/${name}`),
  ],
  '/account/security/totp': ['security/totp'],
  '/account/sign-in-methods': ['begin', 'link', 'unlink'].map((name) => `sign-in-methods/${name}`),
  '/admin/users/add': ['users'],
  ...Object.fromEntries(
    [
      'name',
      'handle',
      'offer-email',
      'set-email',
      'enable',
      'send-reset',
      'groups',
      'claims',
      'verify',
      'remove-factors',
      'delete',
    ]
      .map((name) => `users/:id/${name}`)
      .map((form) => [`/admin/${form}`, [form]]),
  ),
  '/admin/groups': ['groups', 'groups/scopes', 'groups/claims', 'groups/remove'],
  '/account/sessions': ['sessions/end', 'sessions/end-others'],
  '/admin/users/import': ['users/import'],
  '/admin/users/imports': ['users/imports/undo'],
  '/admin/users/invite-links': ['users/invite-links', 'users/invite-links/revoke'],
  ...Object.fromEntries(
    [
      'add',
      ':id/change',
      ':id/claims',
      ':id/picture',
      ':id/add-secret',
      ':id/remove-secret',
      ':id/rotate-secret',
      ':id/remove',
    ]
      .map((name) => `clients/${name}`)
      .map((form) => [`/admin/${form}`, [form]]),
  ),
  '/admin/resources': ['resources', 'resources/remove'],
  '/admin/resources/exchange': ['resources/exchange'],
  '/admin/resources/secret': ['resources/secret'],
};

/** Those that show what there is without a proof, and have forms only afterwards. */
const listPages = [
  '/account/sessions',
  '/account/tokens',
  '/account/security',
  '/account/sign-in-methods',
  '/admin/groups',
  '/admin/resources',
  '/admin/users/imports',
  '/admin/users/invite-links',
];

describe('a fresh proof of identity', () => {
  const filled = (path: string) => path.replaceAll(/:\w+/g, 'x');
  const confirms = (page: string) => `/auth/confirm?next=${encodeURIComponent(filled(page))}`;
  let headers: Record<string, string>;
  before(async () => {
    const [username, groups] = ['admin@example.com', ['admins']];
    await janua.services.administration.add({ ...ann, username, password, groups });
    headers = (await janua.logIn(username)).cookie;
    janua.pass(601_000);
  });

  test('is wanted by these forms, and no others', () => {
    const wanted = added.filter(
      // A route that wants a second factor too asks for it first.
      ({ method, url, config }) =>
        method === 'POST' && config?.freshProof && config.signedIn === true && !/^.api/.test(url),
    );
    const expected = Object.entries(askingPages).flatMap(([page, forms]) =>
      forms.map((form) => `${page.split('/', 2).join('/')}/${form}`),
    );
    assert.deepEqual(wanted.map(({ url }) => url).sort(), expected.sort());
  });

  for (const [page, forms] of Object.entries(askingPages)) {
    test(`is asked for before ${page} shows its form, and for a form that was open for too long`, async () => {
      const opened = await janua.get(filled(page), headers);
      if (listPages.includes(page)) {
        assert.ok(opened.statusCode === 200 && opened.body.includes(`<a href="${confirms(page)}">`), opened.body);
        for (const form of forms)
          assert.ok(!opened.body.includes(`action="${page.split('/', 2).join('/')}/${form}"`), form);
      } else assert.deepEqual([opened.statusCode, opened.headers.location], [303, confirms(page)]);
      const { body } = await janua.get(confirms(page), headers);
      assert.match(body, /To go on to “[^”]+”, please confirm that it is you/);
      const back = /<a href="([^"]+)">Cancel</.exec(body)?.[1] ?? '';
      assert.ok(back === '/auth/home' ? /^.admin.\w+$/.test(page) : filled(page).startsWith(`${back}/`), back);
      // A program gets no form.
      assert.notEqual((await janua.get(`/api${filled(page)}`, headers)).statusCode, 401);
      for (const form of forms) {
        const url = filled(`${page.split('/', 2).join('/')}/${form}`);
        const sent = await janua.post(url, undefined, headers);
        assert.equal(sent.headers.location, confirms(`${page}?unsent=1`), form);
        const program = await janua.post(`/api${url}`, undefined, headers);
        assert.deepEqual([program.statusCode, program.json().error], [401, 'insufficient_user_authentication'], form);
      }
    });
  }

  test('keeps what a page cannot be shown without, and lets the page be opened', async () => {
    const sent = form({ token: 'x', email: 'new@example.com' });
    const late = await janua.app.inject({
      ...{ method: 'POST', url: '/account/confirm-email', ...sent },
      headers: { ...sent.headers, ...headers },
    });
    assert.equal(late.headers.location, confirms('/account/confirm-email?unsent=1&token=x'));
    const proved = await janua.post('/auth/confirm', { password, next: '/account/tokens?unsent=1' }, headers);
    assert.equal(proved.headers.location, '/account/tokens?unsent=1');
    const cookie = { cookie: `session=${sessionCookie(proved)}` };
    janua.pass(599_000);
    for (const [url, says] of [
      ['/account/tokens?unsent=1', true],
      ['/account/tokens', false],
    ] as const) {
      const { statusCode, body } = await janua.get(url, cookie);
      assert.deepEqual([statusCode, body.includes('Nothing was sent or changed')], [200, says]);
      assert.ok(body.includes('action="/account/tokens"'));
    }
  });
});

test('SECURITY.md names every grant that there is', async () => {
  const page = await readFile(new URL('../../SECURITY.md', import.meta.url), 'utf8');
  const { grant_types_supported: ofClients } = (await janua.get('/.well-known/openid-configuration')).json();
  const { securitySchemes } = (await janua.get('/openapi.json')).json().components;
  const flows = Object.values<{ flows?: object }>(securitySchemes).flatMap(({ flows = {} }) => Object.keys(flows));
  const named = [...page.matchAll(/`(password|[a-z]+_[a-z]+|urn:[\w:-]+)`/g)].map(([, name]) => name);
  assert.deepEqual(named.sort(), [...ofClients, ...flows].sort());
});

interface Input {
  readonly type?: string;
  readonly description?: string;
  readonly maxLength?: number;
}

interface Operation {
  readonly parameters?: readonly { name: string; schema?: Input; description?: string }[];
  readonly requestBody?: {
    readonly content: Record<string, { schema: { properties: Record<string, Input>; required: readonly string[] } }>;
  };
}

test('every parameter of a route has a description or a type', async () => {
  let count = 0;
  for (const { parameters = [] } of await readOperations()) {
    for (const { name, schema, description } of parameters) {
      assert.ok(description !== undefined || schema?.type !== undefined, name);
      count++;
    }
  }
  assert.ok(count > 5);
});

test('every field of a body has a type and a description, and every required text has limits', async () => {
  const required: string[] = [];
  for (const { requestBody } of await readOperations()) {
    for (const [type, { schema }] of Object.entries(requestBody?.content ?? {})) {
      for (const [name, field] of Object.entries(schema.properties)) {
        assert.ok(field.type !== undefined && field.description !== undefined, `${type}: ${name}`);
        if (field.type === 'string' && schema.required.includes(name)) {
          assert.ok(field.maxLength !== undefined, `${type}: ${name}`);
          required.push(name);
        }
      }
    }
  }
  assert.deepEqual([...new Set(required)].sort(), [
    'answer',
    'client_id',
    'code',
    'decision',
    'email',
    'first_name',
    'handle',
    'id',
    'label',
    'last_name',
    'link',
    'name',
    'new_password',
    'password',
    'rows',
    'upstream',
    'uri',
    'user_code',
    'username',
  ]);
});

async function readOperations(): Promise<Operation[]> {
  const { paths } = (await janua.get('/openapi.json')).json();
  return Object.values<Record<string, Operation>>(paths).flatMap((methods) => Object.values(methods));
}

/** Headers that have bypassed the guard of other systems: names of programs, paths, and headers of proxies (RFC 9110 7.6, 10.1.5). */
const tricks: Record<string, string>[] = [
  {},
  { 'user-agent': 'kube-probe/1.30' },
  { 'user-agent': 'GoogleHC/1.0' },
  { 'x-original-url': '/health/live' },
  { 'x-rewrite-url': '/health/live' },
  { 'x-forwarded-uri': '/health/live' },
  { 'x-forwarded-for': '127.0.0.1' },
  { 'x-forwarded-user': 'ann@example.com' },
  { authorization: 'Basic YW5uQGV4YW1wbGUuY29tOmNvcnJlY3QgaG9yc2UgYmF0dGVyeQ==' },
  { cookie: 'session=undefined' },
  { cookie: 'browser=x' },
];

/** Without a mailed link, they say that it has expired. */
const takesLink = (path: string) => path.endsWith('/confirm-email');

for (const [route, who] of Object.entries(routes).filter(([, allowed]) => allowed === 'signed in')) {
  const [method = '', path = ''] = route.split(' ');
  const ask = (url: string, headers: Record<string, string>) =>
    janua.app.inject({ method: method as 'GET' | 'POST', url, headers });
  describe(`${route} is only for users who are ${who}`, () => {
    for (const headers of tricks) {
      test(`and refuses ${JSON.stringify(headers)}`, async () => {
        for (const url of [path, `${path}?x=/health/live`, `http://localhost${path}`]) {
          for (const format of [{}, asJson]) {
            const answer = await ask(url, { ...headers, ...format });
            assert.ok([303, 401].includes(answer.statusCode), `${url} ${answer.statusCode}`);
            assert.doesNotMatch(answer.body, /Archer/);
          }
        }
      });
    }

    test('and accepts a cookie or a token', async () => {
      for (const kind of ['cookie', 'bearer'] as const) {
        // An action may end the account.
        const username = `${kind}-${route.replaceAll(/\W/g, '')}@example.com`;
        await janua.people.add({ ...ann, username, password });
        const { statusCode, headers: sent } = await ask(path, (await janua.logIn(username))[kind]);
        // Without a body, an action has something else to refuse.
        if (method === 'GET') assert.equal(statusCode, path.includes(':') ? 400 : takesLink(path) ? 410 : 200);
        assert.ok(statusCode !== 401 && !sent.location?.startsWith('/auth/login?state=2'), String(statusCode));
      }
    });
  });
}

for (const path of [
  '/health/live/../admin/me',
  '/health/live/..%2fadmin/me',
  '/admin/me;x',
  '/admin/./me',
  '/%2e/admin/me',
  '/admin/me%00',
  '/api//me',
]) {
  test(`${path} does not bypass the guard`, async () => {
    const answer = await janua.get(path);
    assert.ok([303, 401, 404].includes(answer.statusCode), String(answer.statusCode));
    const { cookie } = await janua.logIn();
    const known = await janua.get(path, { cookie: `${cookie.cookie}x` });
    assert.doesNotMatch(known.body, /Archer/);
  });
}
