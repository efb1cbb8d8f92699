import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { defaultSettings } from '../../src/capabilities/oidc/clients/clients.ts';
import { stampOf } from '../../src/core/users/account.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { admins } from '../../src/core/users/scopes.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { rows } from '../../src/ground/database/schema.ts';
import { codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { ann, caller, type TestJanua } from '../janua.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { asJson, form } from '../web/faces.ts';
import { type Route, startWithRoutes } from './routes.ts';

const folder = createTemporaryFolder('every-answer');
const goodbye = 'https://wiki.example.com/goodbye';
const databaseUrl = `sqlite:${folder.path}/janua.db`;
let janua: TestJanua;
let routes: Route[];
/** What stands in an address for `:id`. */
let ids: Readonly<Record<string, string>>;
let signedIn: { readonly cookie: string };
let answers: Awaited<ReturnType<typeof ask>>;
/** What an application gets that logs a user in, what the user gets who decides about it, and a logout of a user who is not signed in. */
let led: { name: string; answer: LightMyRequestResponse }[];
/** The values of columns that no answer may show, with the names of the columns. */
const secrets = new Map<string, Set<string>>();

/** Signs in anew, as an administrator: some of the requests below end the session. */
async function signIn() {
  const { users, sessions } = janua.services;
  const account = await users.findByUsername(ann.username);
  assert.ok(account);
  const session = await sessions.start(
    { userId: account.user.id, stamp: stampOf(account) },
    { methods: ['pwd', 'otp', 'mfa'] },
  );
  return { cookie: `session=${session.cookie}` };
}

/** Hashes, and what they are compared with. */
const secretColumn = /hash|fingerprint|stamp|secret|^(?:value|password|password_print)$/;

async function readSecrets(): Promise<void> {
  await using opened = await openTestDatabase(databaseUrl);
  for (const [table, columns] of Object.entries(rows))
    for (const column of Object.keys(columns).filter((name) => secretColumn.test(name))) {
      const query = sql<{ value: unknown }>`select ${sql.ref(column)} as value from ${sql.table(table)}`;
      for (const { value } of (await query.execute(opened.database)).rows) {
        const text = String(value ?? '');
        if (text.length >= 16) secrets.set(text, (secrets.get(text) ?? new Set()).add(`${table}.${column}`));
      }
    }
}

/** The answers to an administrator who has just logged in. The changes want fields, so that nearly all of them change nothing. */
async function ask() {
  const answers: { name: string; url: string; route: Route; answer: LightMyRequestResponse }[] = [];
  for (const route of routes.toSorted((one, other) => placeOf(one) - placeOf(other))) {
    const path = route.url.replace(/([^/]+)\/:id/, (_, kind) => `${kind}/${ids[kind] ?? 'x'}`).replace('*', '');
    const url = path + (queries[route.url] ?? '');
    for (const face of [{}, asJson]) {
      const sent = route.method === 'GET' ? {} : form({});
      const request = { method: route.method, url, ...sent, headers: { ...sent.headers, ...face, ...signedIn } };
      const answer = await janua.app.inject(request as InjectOptions);
      answers.push({ name: `${route.name} ${answer.statusCode}`, url, route, answer });
      if (!(await janua.isSignedIn(signedIn))) signedIn = await signIn();
    }
  }
  return answers;
}

/** What a route needs to give what it is for. */
const queries: Readonly<Record<string, string>> = {
  '/admin/audit/export': '?format=csv',
  '/admin/users/export': '?format=csv',
};

/** Pages come first, the end of the factor late, because its codes are shown anew before, and the end of the account last. */
const placeOf = ({ method, url }: Route) =>
  method === 'GET' ? 0 : url.endsWith('/account/delete') ? 3 : url.endsWith('/totp/remove') ? 2 : 1;

before(async () => {
  const settings = {
    SIGN_UP: 'on',
    HANDLES: 'users',
    PUBLIC_URL: 'http://localhost:5000',
    DATABASE_URL: databaseUrl,
    UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
  } as const;
  ({ janua, routes } = await startWithRoutes({ settings }));
  const { services } = janua;
  const { administration, users, personalTokens } = services;
  // Something of each kind that is secret.
  const account = await users.findByUsername(ann.username);
  assert.ok(account);
  const { client } = await services.clientAdministration.addClient({
    ...defaultSettings,
    ...{ name: 'Wiki', redirectUris: ['https://wiki.example.com/callback'] },
    ...{ postLogoutRedirectUris: [goodbye], isPublic: false },
  });
  const made = { name: 'Report', scopes: [], days: 1 };
  await services.hold(provedBy(account), (held) => personalTokens.create(held, made));
  const token = (await services.createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
  const { secret } = await services.enrolment.begin(token, caller);
  await services.enrolment.finish(token, codeOf(secret, Date.now()), 'en', caller);
  // The new factor ends former links.
  await janua.post('/api/forgot-password', { email: ann.username });
  await services.mail?.settled();
  await administration.changeGroups(ann.username, { add: [admins] });
  const [event] = await janua.events({ order: 'newest-first' });
  ids = { users: account.user.id, clients: client.id, audit: event?.id ?? '' };
  signedIn = await signIn();
  await readSecrets();
  const back = new URLSearchParams({ client_id: client.id, post_logout_redirect_uri: goodbye });
  const welcome = new URLSearchParams({
    ...{ client_id: client.id, redirect_uri: client.redirectUris[0] ?? '', response_type: 'code' },
    ...{ scope: 'openid', nonce: 'n' },
  });
  led = await Promise.all(
    ['/oidc/logout', `/oidc/logout?${back}`, `/oidc/auth?${welcome}`].map(async (name) => ({
      name,
      answer: await janua.get(name, name.includes('logout') ? {} : signedIn),
    })),
  );
  for (const decision of ['another', 'allow']) {
    const asked = await janua.get(`/oidc/auth?${welcome}`, signedIn);
    const url = String(asked.headers.location);
    assert.match(url, /^\/oidc\/interaction\//);
    const cookie = [signedIn.cookie, ...asked.cookies.map(({ name, value }) => `${name}=${value}`)].join('; ');
    const answer = await janua.post(url, { decision }, { cookie });
    led.push({ name: `${decision} at ${url}`, answer });
  }
  answers = await ask();
  assert.ok(answers.length > 200);
});
after(async () => {
  await janua[Symbol.asyncDispose]();
  folder.remove();
});

test('no answer shows a hash, a stamp or a key', () => {
  const columns = new Set([...secrets.values()].flatMap((names) => [...names]));
  for (const name of ['janua_users.password', 'janua_users.stamp', 'janua_clients.secrets', 'janua_tokens.hash'])
    assert.ok(columns.has(name), name);
  for (const { name, answer } of answers) {
    const sent = answer.body + JSON.stringify(answer.headers);
    for (const [secret, columns] of secrets) assert.ok(!sent.includes(secret), `${name} shows ${[...columns]}`);
  }
});

test('no answer may be cached, but for the files of pages and the description of the API', () => {
  const others = answers.filter(({ route }) => !/^\/(?:assets\/|docs\/|favicon\.ico$|openapi\.json$)/.test(route.url));
  assert.ok(others.length > 200);
  for (const { name, answer } of others) assert.equal(answer.headers['cache-control'], 'no-store', name);
});

test('every cookie is HttpOnly, and comes with no post of another site', () => {
  const names = new Set<string>();
  for (const { name, answer } of [...answers, ...led])
    for (const cookie of [answer.headers['set-cookie'] ?? []].flat()) {
      names.add(cookie.split('=')[0] ?? '');
      assert.match(cookie, /; httponly(?:;|$)/i, `${name} ${cookie}`);
      assert.match(cookie, /; samesite=(?:lax|strict)(?:;|$)/i, `${name} ${cookie}`);
    }
  for (const name of ['session', 'oidc-interaction', 'oidc-resume']) assert.ok(names.has(name), [...names].join());
});

test('every redirect is a 303', () => {
  const redirects = answers.filter(({ answer }) => answer.headers.location !== undefined);
  assert.ok(redirects.length > 20, String(redirects.length));
  for (const { name, answer } of [...redirects, ...led])
    assert.ok([201, 303].includes(answer.statusCode), `${name} ${answer.statusCode}`);
});

test('every 401 has a challenge', () => {
  const refused = answers.filter(({ answer }) => answer.statusCode === 401);
  assert.ok(refused.some(({ route }) => route.url === '/oidc/userinfo'));
  for (const { name, answer } of refused)
    assert.match(String(answer.headers['www-authenticate']), /^Bearer realm="[^"]+"/, name);
});

test('every page for signed-in users can log out', () => {
  const pages: string[] = [];
  for (const { name, route, answer } of answers) {
    if (!route.config?.signedIn && route.config?.scope === undefined) continue;
    if (!String(answer.headers['content-type']).startsWith('text/html') || answer.body === '') continue;
    // An error page leads to the home page.
    if (answer.body.includes('<p class="status">')) continue;
    pages.push(name);
    assert.match(answer.body, /<form method="post" action="\/auth\/logout"><button/, name);
  }
  assert.ok(pages.length > 50, pages.join('\n'));
  assert.ok(pages.includes('POST /account/security/recovery-codes 200'), pages.join('\n'));
});

test('no page shows a message for a state that it does not know', async () => {
  const pages = answers.filter(({ route, name, answer }) => {
    const isPage = String(answer.headers['content-type']).startsWith('text/html');
    return route.method === 'GET' && isPage && name.endsWith(' 200');
  });
  const urls = new Set(pages.map(({ url }) => url));
  assert.ok(urls.size > 30, [...urls].join('\n'));
  // A table of messages has inherited names, too.
  for (const url of urls) {
    const sent = { url: `${url.replace(/\?.*/, '')}?state=toString`, headers: signedIn };
    assert.doesNotMatch((await janua.app.inject(sent)).body, /native code|role="status"/, url);
  }
});

test('every redirect that answers a POST is a 303', () => {
  const redirects = answers.filter(({ route, answer }) => route.method !== 'GET' && answer.headers.location);
  assert.ok(redirects.length > 10, String(redirects.length));
  for (const { name, answer } of redirects) assert.equal(answer.statusCode, 303, name);
});
