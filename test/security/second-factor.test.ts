import assert from 'node:assert/strict';
import { StatementSync } from 'node:sqlite';
import { after, before, describe, test } from 'node:test';
import type { InjectOptions, LightMyRequestResponse } from 'fastify';
import { issueFirstAdministrator } from '../../src/core/changes/first-administrator.ts';
import { provedBy } from '../../src/core/users/held.ts';
import { sql } from '../../src/ground/database/kysely.ts';
import { createAuthenticator } from '../capabilities/second-factor/authenticator.ts';
import { addApp, codeOf } from '../capabilities/second-factor/authenticator-app.ts';
import type { Client } from '../client.ts';
import { openTestDatabase } from '../ground/database/open.ts';
import { ann, caller, password, startJanua, type TestJanua } from '../janua.ts';
import { missing } from '../servers/missing.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';
import { asJson, type BodyFace, bodyFaces, form, json, sessionCookie } from '../web/faces.ts';

interface Operation {
  readonly security?: readonly object[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { schema: { properties?: object } }>> };
  readonly responses: Readonly<
    Record<string, { headers?: object; content?: Record<string, { schema?: { properties?: object } }> }>
  >;
}

let janua: TestJanua;
let operations: { readonly method: 'GET' | 'POST'; readonly path: string; readonly operation: Operation }[];
/** Of the authenticator app. */
let secret: string;
let userId: string;

before(async () => {
  janua = await startJanua({ settings: { SIGN_UP: 'on' }, time: Date.now() });
  const { services } = janua;
  const account = await janua.account();
  userId = account.user.id;
  const token = (await services.createEnrolmentLink(provedBy(account))).split('=')[1] ?? '';
  secret = (await services.enrolment.begin(token, caller)).secret;
  await services.enrolment.finish(token, codeOf(secret, janua.now()), 'en', caller);
  const { paths } = (await janua.get('/openapi.json')).json<{ paths: Record<string, Record<string, Operation>> }>();
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase() as 'GET' | 'POST',
      path,
      operation,
    })),
  );
});
after(() => janua[Symbol.asyncDispose]());

const post: Client['post'] = (...request) => janua.post(...request);

/** A code that was not used yet. */
function nextCode(): string {
  janua.pass(30_000);
  return codeOf(secret, janua.now());
}

/** A login that waits. */
async function startPending(): Promise<string> {
  // Only the latest logins that wait are kept.
  janua.pass(1);
  const answer = await post('/api/login', { username: ann.username, password });
  const { error, title, status, detail, mfa_token } = answer.json();
  assert.deepEqual([error, title, status, typeof detail], ['mfa_required', 'Forbidden', 403, 'string']);
  return mfa_token;
}

/** Whether a response gives a session, as a cookie or as a token. */
const givesSession = (answer: LightMyRequestResponse) =>
  (sessionCookie(answer) ?? '') !== '' || /janua_[\w-]{20,}/.test(answer.body);

async function assertNone(answer: LightMyRequestResponse, what: string): Promise<void> {
  assert.equal(givesSession(answer), false, what);
  assert.deepEqual(await janua.services.sessions.listOf(userId, undefined), [], what);
}

/** Every field that some route takes, as an attacker has them who knows only the password. */
const known: Readonly<Record<string, string>> = {
  ...{ username: ann.username, email: ann.username, first_name: 'Ann', last_name: 'Archer' },
  ...{ password, current_password: password, new_password: 'another horse battery', grant_type: 'password' },
  ...{ method: 'totp', code: '000000', remember: 'on', trust_browser: 'on', next: '/admin/me' },
  ...{ token: 'x'.repeat(43), id: 'x', name: 'x', language: 'en', credential: '{}' },
};

test('no route gives a session of an account with a second factor to an attacker who knows the password', async () => {
  for (const { method, path, operation } of operations) {
    const fields = Object.values(operation.requestBody?.content ?? {}).flatMap(({ schema }) =>
      Object.keys(schema.properties ?? {}),
    );
    const pending = await startPending();
    const body = Object.fromEntries(fields.flatMap((name) => (known[name] === undefined ? [] : [[name, known[name]]])));
    if (fields.includes('mfa_token')) body.mfa_token = pending;
    const credentials: Record<string, string>[] = [
      {},
      { cookie: `pending=${pending}` },
      { cookie: `session=${pending}; pending=${pending}; trusted=${pending}` },
      { authorization: `Bearer ${pending}` },
      { authorization: `Basic ${Buffer.from(`${ann.username}:${password}`).toString('base64')}` },
    ];
    for (const headers of credentials) {
      const sent = [form(body), { ...json(body), headers: { ...json(body).headers, ...asJson } }];
      for (const face of method === 'GET' ? [{}, { headers: asJson }] : sent) {
        const request: InjectOptions = { method, url: path, ...face, headers: { ...face.headers, ...headers } };
        const answer = await janua.send(request);
        await assertNone(answer, `${method} ${path} with ${JSON.stringify(headers)}`);
      }
    }
  }
});

test('a login that waits opens nothing that wants a session', async () => {
  // An empty requirement means that a route takes a session, and needs none. A logout is confirmed by what its page sent.
  const guarded = operations
    .filter(
      ({ operation: { security = [] } }) => security.length > 0 && security.every((one) => Object.keys(one).length > 0),
    )
    .filter(({ path }) => path !== '/oidc/logout/confirm');
  assert.ok(guarded.length > 50, String(guarded.length));
  const pending = await startPending();
  const page = { accept: 'text/html' };
  for (const { method, path } of guarded)
    for (const headers of [
      { cookie: `pending=${pending}` },
      { cookie: `session=${pending}; pending=${pending}` },
      { authorization: `Bearer ${pending}` },
    ])
      for (const format of [asJson, page]) {
        const url = path.replaceAll(/\{\w+\}/g, 'x');
        const answer = await janua.app.inject({ method, url, headers: { ...headers, ...format } });
        const isRefused = answer.statusCode === 401 || /^\/auth\/login\b/.test(String(answer.headers.location));
        assert.ok(isRefused, `${method} ${path} with ${JSON.stringify(headers)}: ${answer.statusCode}`);
      }
});

test('the secret of a login that waits is not read from an address', async () => {
  const pending = await startPending();
  for (const path of ['/api/second-factor', '/auth/second-factor'])
    for (const [headers, status] of [
      [{}, 400],
      [{ cookie: `pending=${pending}` }, 200],
    ] as const) {
      const request = { url: `${path}?mfa_token=${pending}`, headers: { ...headers, ...asJson } };
      assert.equal((await janua.send(request)).statusCode, status, path);
    }
});

test('whichever look at the factors fails during a login, a password starts no session', async ({ mock }) => {
  let [looks, failing] = [0, 0];
  const { all } = StatementSync.prototype;
  mock.method(StatementSync.prototype, 'all', function (this: StatementSync, ...given: Parameters<typeof all>) {
    if (/janua_(?:passkeys|totp|recovery_codes|trusted_browsers)/.test(this.sourceSQL)) {
      looks += 1;
      if (looks === failing) throw new Error('the table cannot be read');
    }
    return all.apply(this, given);
  });
  do {
    [looks, failing] = [0, failing + 1];
    const trusted = { cookie: `trusted=${'A'.repeat(43)}` };
    const answer = await post('/api/login', { username: ann.username, password }, trusted);
    await assertNone(answer, `${answer.statusCode} though look ${failing} fails`);
    assert.equal(answer.statusCode, looks < failing ? 403 : 503);
  } while (looks >= failing);
  assert.ok(failing > 3, String(failing));
});

/** What gives a session, and what an attacker with the password, the mails and a passkey of their own sends there. */
const attacks: Readonly<Record<string, (face: BodyFace) => Promise<InjectOptions[]>>> = {
  '/auth/token /api/login': async ({ request }) => [
    request({ username: ann.username, password }),
    request({ username: ann.username, password, remember: 'on', next: '/admin/me', code: '000000', mfa: 'true' }),
    request({ username: ann.username.toUpperCase(), password, grant_type: 'password' }),
  ],
  '/auth/second-factor /api/second-factor': async ({ request }) => {
    const late = await startPending();
    janua.pass(600_000);
    const mfa_token = await startPending();
    const used = nextCode();
    const done = await post('/api/second-factor', { mfa_token: await startPending(), code: used });
    assert.ok(givesSession(done), 'the right code gives a session, which this test sees');
    await janua.services.sessions.endAllOf(userId);
    return [
      request({ mfa_token, method: 'totp', code: used }),
      request({ mfa_token, method: 'totp', code: password }),
      request({ mfa_token, method: 'pwd', code: password }),
      request({ mfa_token, method: 'recovery_code', code: '' }),
      request({ mfa_token: late, method: 'totp', code: nextCode() }),
      request({ method: 'totp', code: nextCode() }),
    ];
  },
  '/auth/passkey /api/passkey': async ({ request }) => {
    const options = await post('/api/passkey/options', {});
    const cookie = options.cookies.map(({ name, value }) => `${name}=${value}`).join('; ');
    const userHandle = Buffer.from(userId).toString('base64url');
    const authenticator = createAuthenticator();
    const credential = JSON.stringify(authenticator.get(options.json(), { userHandle }));
    const sent = request({ credential, username: ann.username, password });
    return [{ ...sent, headers: { ...sent.headers, cookie } }];
  },
  '/auth/first-administrator /api/first-administrator': async ({ request }) => {
    await post('/api/forgot-password', { email: ann.username });
    const link = await issueFirstAdministrator(janua.services.database);
    const own = { email: ann.username, first_name: 'A', last_name: 'A', password };
    // The link adds an account. It opens none that exists.
    return [link, await janua.tokenTo(ann.username)].map((token = '') => request({ token, ...own }));
  },
  '/auth/sign-up/finish /api/sign-up/finish': async ({ request }) => {
    const tokens: string[] = [];
    for (const url of ['/api/sign-up', '/api/forgot-password']) {
      await post(url, { email: ann.username });
      tokens.push(...(await janua.mails()).flatMap(({ text }) => /token=([\w-]{43})/.exec(text)?.[1] ?? []));
    }
    assert.ok(tokens.length > 0);
    return tokens.map((token) => request({ token, first_name: 'A', last_name: 'A', password }));
  },
};

describe('a route that can start a session', () => {
  test('is one of these, and every other wants a session first', () => {
    const giving = operations.filter(({ operation }) =>
      Object.values(operation.responses).some(({ content = {} }) =>
        Object.values(content).some(({ schema }) => 'access_token' in (schema?.properties ?? {})),
      ),
    );
    const open = giving.filter(({ operation }) => !operation.security?.length).map(({ path }) => path);
    assert.deepEqual(open.sort(), Object.keys(attacks).join(' ').split(' ').sort());
  });

  for (const [addresses, attack] of Object.entries(attacks)) {
    const [page = '', api = ''] = addresses.split(' ');
    for (const face of bodyFaces(page, api))
      test(`gives none without the factor: ${face.name}`, async () => {
        for (const request of await attack(face)) {
          const answer = await janua.send(request);
          await assertNone(answer, `${face.name}: ${String(request.payload)} gets ${answer.statusCode}`);
        }
      });
  }

  test('is not opened by a new password from a link, which removes no factor', async () => {
    await post('/api/forgot-password', { email: ann.username });
    const [token] = (await janua.mails()).flatMap(
      ({ text }) => /reset-password\?token=([\w-]{43})/.exec(text)?.[1] ?? [],
    );
    const reset = await post('/api/reset-password', { token, password: 'another horse battery' });
    assert.equal(reset.statusCode, 200, reset.body);
    await assertNone(reset, 'reset');
    const login = await post('/api/login', { username: ann.username, password: 'another horse battery' });
    assert.equal(login.json().error, 'mfa_required');
    await assertNone(login, 'login');
  });
});

describe('while a table of factors cannot be read, a password starts no session', () => {
  for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const)
    test(`in ${users}`, { skip: missing(users) }, async () => {
      const folder = createTemporaryFolder('factors');
      const settings = users === 'SQLite' ? { DATABASE_URL: `sqlite:${folder.path}/janua.db` } : {};
      await using other = await startJanua({ stores: { users, sessions: 'SQL' }, settings });
      await using opened = await openTestDatabase(other.databaseUrl);
      const { services, app } = other;
      const account = await other.account();
      await addApp(other, account);
      const logIn = async () => {
        const answers: LightMyRequestResponse[] = [];
        for (const { request } of bodyFaces('/auth/token', '/api/login'))
          answers.push(await app.inject(request({ username: ann.username, password })));
        return answers;
      };
      for (const table of ['janua_passkeys', 'janua_totp', 'janua_recovery_codes']) {
        await sql.raw(`alter table ${table} rename to elsewhere`).execute(opened.database);
        for (const answer of await logIn()) {
          assert.ok(answer.statusCode >= 500, `${table} ${answer.statusCode}`);
          assert.equal(givesSession(answer), false, table);
        }
        assert.deepEqual(await services.sessions.listOf(account.user.id, undefined), [], table);
        await sql.raw(`alter table elsewhere rename to ${table}`).execute(opened.database);
      }
      for (const answer of await logIn()) assert.ok([303, 403].includes(answer.statusCode), 'the login waits again');
      folder.remove();
    });
});
