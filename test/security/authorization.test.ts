import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { stampOf } from '../../src/core/users/account.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { admins, ownScopes } from '../../src/core/users/scopes.ts';
import type { TestJanua } from '../janua.ts';
import { type Route, startWithRoutes } from './routes.ts';

let routes: Route[];
let janua: TestJanua;

before(async () => {
  const settings = {
    SIGN_UP: 'on',
    HANDLES: 'users',
    PUBLIC_URL: 'http://localhost:5000',
    UPSTREAMS_FILE: 'test/capabilities/upstream/upstreams.json',
  } as const;
  ({ janua, routes } = await startWithRoutes({ settings }));
  for (const scope of Object.keys(ownScopes))
    await janua.services.groups.add({ name: groupOf(scope), description: '', scopes: [scope] });
});
after(() => janua[Symbol.asyncDispose]());

const groupOf = (scope: string) => scope.replace(':', '-');

/** Who asks: a client without a credential, a user without groups, one with each scope, and an administrator. */
const roles: Readonly<Record<string, readonly string[] | undefined>> = {
  anonymous: undefined,
  user: [],
  ...Object.fromEntries(Object.keys(ownScopes).map((scope) => [scope, [groupOf(scope)]])),
  administrator: [admins],
};

type Credential = 'cookie' | 'token' | 'narrowed token' | 'personal token';
const credentials: readonly Credential[] = ['cookie', 'token', 'narrowed token', 'personal token'];

let count = 0;

const kept = new Map<string, Record<string, string>>();

/** The same user for each request that the guard refuses. */
async function keepCredential(groups: readonly string[], kind: Credential): Promise<Record<string, string>> {
  const key = `${kind} ${groups}`;
  const credential = kept.get(key) ?? (await createCredential(groups, kind));
  kept.set(key, credential);
  return credential;
}

/** A new user for a request that may end the account or the session. */
async function createCredential(groups: readonly string[], kind: Credential): Promise<Record<string, string>> {
  const { users, registry, hold, groups: store, sessions, personalTokens } = janua.services;
  const username = `user-${++count}@example.com`;
  const id = await registry?.add({ username, firstName: 'A', lastName: 'B', passwordHash: 'none', demo: false });
  assert.ok(id);
  const added = await users.findById(id);
  assert.ok(added);
  await hold(provedBy(added), (held) => store.setGroupsOf(held, () => groups), { groups: true });
  const account = await users.findById(id);
  assert.ok(account);
  if (kind === 'personal token') {
    const made = { name: 'x', scopes: account.scopes, days: 1 };
    const { token } = await hold(provedBy(account), (held) => personalTokens.create(held, made));
    return { authorization: `Bearer ${token}` };
  }
  const session = await sessions.start(
    { userId: id, stamp: stampOf(account) },
    { methods: ['pwd'], ...(kind === 'narrowed token' && { tokenScope: '' }) },
  );
  return kind === 'cookie'
    ? { cookie: `session=${session.cookie}` }
    : { authorization: `Bearer ${session.accessToken}` };
}

function requestTo({ method, url }: Route, face: 'page' | 'json'): InjectOptions {
  const headers = face === 'json' ? { 'x-expected-format': 'application/json' } : {};
  return method === 'POST'
    ? { method, url, headers: { ...headers, 'content-type': 'application/json' }, payload: '{}' }
    : { method: method as 'GET', url, headers };
}

/** What the guard decided, from the answer. */
function decisionOf({ statusCode, headers, body }: LightMyRequestResponse, isJson: boolean): string {
  // The guard has let the request in.
  if (statusCode === 403 && /Only members of admins/.test(body)) return 'passes';
  if (isJson) {
    const { error, detail } = headers['content-type']?.toString().includes('json') ? JSON.parse(body) : {};
    if (statusCode === 401 && /^(?:Not authenticated|Invalid authentication credentials)$/.test(detail))
      return 'log in';
    if (statusCode === 403 && error === 'insufficient_scope') return `403 ${headers['www-authenticate']}`;
    return 'passes';
  }
  if (statusCode === 303 && /^\/auth\/login\?state=2/.test(String(headers.location))) return 'log in';
  if (statusCode === 403) return `403 ${/permission ([\w:]+)/.exec(body)?.[1] ?? 'limited'}`;
  return 'passes';
}

const challenge = (scope?: string) =>
  `403 Bearer realm="janua", error="insufficient_scope"${scope === undefined ? '' : `, scope="${scope}"`}`;

/** The decision that the route should have led to, as `decisionOf` says it. */
function expectedOf({ method, url, config }: Route, role: string, kind: Credential | undefined, face: 'page' | 'json') {
  if (kind === undefined) return 'log in';
  const { scope } = config ?? {};
  const held = role === 'administrator' ? Object.keys(ownScopes) : [role];
  const carried: readonly string[] = kind === 'narrowed token' ? [] : held;
  if (scope !== undefined && !carried.includes(scope)) return face === 'json' ? challenge(scope) : `403 ${scope}`;
  // A route without a scope is about the account of its own user. An export gives all of it.
  const refusesLimited = scope === undefined && (method === 'POST' || url.endsWith('/account/export'));
  const isLimited = kind === 'narrowed token' || kind === 'personal token';
  if (refusesLimited && isLimited) return face === 'json' ? challenge() : '403 limited';
  return 'passes';
}

describe('every route that wants a user', () => {
  test('under /admin wants a scope, but for the one that says who is signed in', () => {
    const administrative = routes.filter(({ url }) => /^\/(?:api\/)?admin(?:\/|$)/.test(url) && url !== '/admin/me');
    for (const { name, config } of administrative)
      assert.ok(Object.hasOwn(ownScopes, config?.scope ?? ''), `${name} wants ${config?.scope}`);
  });

  for (const [role, groups] of Object.entries(roles))
    test(`answers ${role} rightly, by each credential and in each format`, async () => {
      const guarded = routes.filter(({ config }) => config?.signedIn || config?.scope !== undefined);
      assert.ok(guarded.length > 30);
      for (const route of guarded)
        for (const kind of groups === undefined ? [undefined] : credentials)
          for (const face of route.url.startsWith('/api/') ? (['json'] as const) : (['page', 'json'] as const)) {
            const expected = expectedOf(route, role, kind, face);
            const create = expected === 'passes' && route.method !== 'GET' ? createCredential : keepCredential;
            const headers = kind && groups ? await create(groups, kind) : {};
            const request = requestTo(route, face);
            const answer = await janua.send(request, headers);
            const sent = `${route.name} as ${face} by ${kind}`;
            assert.equal(decisionOf(answer, face === 'json'), expected, sent);
            assert.notEqual(answer.statusCode, 500, sent);
          }
    });
});
