import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type {} from 'fastify';
import { openTestDatabase } from '../ground/database/open.ts';
import { ann, password, startJanua, type TestOptions } from '../janua.ts';
import { createTemporaryFolder } from '../servers/process-end.ts';

const publicUrl = 'https://auth.example.com';
const newPassword = 'a much better password than before';

/** A server with the demo's mailbox, and a person for each step. */
async function open(options: TestOptions = {}) {
  const janua = await startJanua({ ...options, settings: { SIGN_UP: 'on', ...options.settings } });
  let people = 0;
  return {
    ...janua,
    async addPerson() {
      const username = `person${people++}@example.com`;
      await janua.people.add({ ...ann, username, password });
      return { username, ...(await janua.logIn(username)) };
    },
  };
}

/** Every way to name another host in a request. */
const forged: Readonly<Record<string, string>> = {
  host: 'evil.example',
  forwarded: 'for=192.0.2.1;host=evil.example;proto=http',
  'x-forwarded-host': 'evil.example',
  'x-forwarded-proto': 'http',
  'x-forwarded-server': 'evil.example',
  'x-forwarded-port': '81',
  'x-original-host': 'evil.example',
  'x-host': 'evil.example',
  origin: 'https://evil.example',
  'sec-fetch-site': 'same-origin',
  'user-agent': 'another program',
};

describe('a link leads to PUBLIC_URL, whatever host the request names', () => {
  for (const [where, proxies] of [
    ['from any client', []],
    ['from a trusted proxy', ['127.0.0.1']],
  ] as const)
    test(where, async () => {
      const settings = {
        PUBLIC_URL: publicUrl,
        TRUSTED_PROXIES: proxies,
        ADMINISTRATORS: ['person0@example.com'],
        LOGIN_NOTICES: 'on',
      } as const;
      await using opened = await open({ settings });
      const { addPerson, post, mails } = opened;
      const administrator = await addPerson();
      for (const origin of ['', 'http://evil.example']) {
        const { username, bearer } = await addPerson();
        const email = `new-${username}`;
        for (const [url, address, headers] of [
          ['/auth/forgot-password', username, {}],
          ['/api/forgot-password', username, {}],
          ['/auth/sign-up', email, {}],
          ['/api/sign-up', username, {}],
          ['/account/email', email, bearer],
          ['/api/login', username, {}],
        ] as const) {
          const fields = { email: address, username: address, password };
          const before = await mails(address);
          const sent = await post(`${origin}${url}`, fields, { ...forged, ...headers });
          assert.ok([200, 202, 303].includes(sent.statusCode), `${url} ${sent.statusCode}`);
          const [mail, ...others] = await mails(address);
          assert.equal(others.length, before.length, url);
          const links = `${mail?.text} ${mail?.html}`.match(/https?:[^\s"<]+/g) ?? [];
          assert.ok(links.length > 1, url);
          for (const link of links) assert.ok(link.startsWith(`${publicUrl}/`), link);
          assert.doesNotMatch(JSON.stringify(mail), /evil/);
        }
        // An administrator hands the link over.
        for (const url of ['/admin/users', '/api/admin/users']) {
          const added = { email: `added-${url.length}-${email}`, first_name: 'Eve', last_name: 'Evans' };
          const answer = await post(`${origin}${url}`, added, { ...forged, ...administrator.bearer });
          assert.equal(answer.statusCode, 201, url);
          const [link = ''] = /https?:[^\s"<]+token=/.exec(answer.body) ?? [];
          assert.ok(link.startsWith(`${publicUrl}/`), `${url} ${link}`);
        }
      }
    });
});

test('a request of another site, or a GET, sends no mail, uses no link up and changes no account', async () => {
  await using opened = await open();
  const { app, addPerson, post, mails, tokenTo } = opened;
  const { username, cookie } = await addPerson();
  await post('/api/forgot-password', { email: username });
  const token = await tokenTo(username);
  for (const headers of [
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
    { origin: 'https://evil.example' },
    { origin: 'null' },
  ]) {
    for (const [url, fields] of [
      ['/auth/forgot-password', { email: username }],
      ['/api/forgot-password', { email: username }],
      ['/auth/sign-up', { email: username }],
      ['/api/sign-up', { email: username }],
      ['/account/email', { email: username, current_password: password }],
      ['/api/account/email', { email: username, current_password: password }],
      ['/auth/reset-password', { token, password: newPassword }],
      ['/api/reset-password', { token, password: newPassword }],
      ['/account/password', { new_password: newPassword }],
      ['/account/delete', { current_password: password }],
      ['/account/sessions/end-others', {}],
    ] as const) {
      const refused = await post(url, fields, { ...cookie, ...headers });
      assert.equal(refused.statusCode, 403, `${url} ${JSON.stringify(headers)}`);
      for (const method of ['GET', 'HEAD'] as const)
        await app.inject({ method, url: `${url}?${new URLSearchParams(fields)}`, headers: { ...cookie, ...headers } });
    }
  }
  assert.ok(await opened.isSignedIn(cookie));
  assert.equal((await mails(username)).length, 1);
  assert.equal((await post('/api/reset-password', { token, password: newPassword })).statusCode, 200);
});

/** Names of columns and of fields of other systems, as texts and in their own types. */
const extras = (victimId: string) => ({
  id: victimId,
  user_id: victimId,
  userId: victimId,
  sub: victimId,
  username: 'evil@example.com',
  email: 'evil@example.com',
  demo: 1,
  disabled: true,
  verified: true,
  email_verified: true,
  admin: true,
  role: 'admin',
  scope: 'admin',
  stamp: 'evil',
  password_hash: 'evil',
  source_key: 'evil',
  language: 'vi',
  purpose: 'sign-up',
  address: 'evil@example.com',
  created_at: 1,
  expires_at: 9e12,
  password_changed_at: 1,
  'user[disabled]': '1',
});

test('a field that a form does not have changes nothing, in any form and as JSON', async () => {
  const folder = createTemporaryFolder('accounts');
  try {
    const url = `sqlite:${join(folder.path, 'janua.db')}`;
    await using opened = await open({ settings: { DATABASE_URL: url } });
    const { addPerson, post, tokenTo } = opened;
    const victim = await addPerson();
    const victimId = (await opened.services.users.findByUsername(victim.username))?.user.id ?? '';
    const rowOf = async (username: string) => {
      await using reading = await openTestDatabase(url);
      const users = reading.database.selectFrom('janua_users').selectAll();
      return await users.where('username', '=', username).executeTakeFirst();
    };
    const before = await rowOf(victim.username);

    /** The columns that an action may change. A lock of the account counts in `changes`. */
    const actions: [url: string, changed: string[], fields: (person: string) => Promise<object>][] = [
      ['/forgot-password', [], async (email) => ({ email })],
      ['/sign-up', [], async (email) => ({ email })],
      [
        '/account/profile',
        ['first_name', 'last_name', 'changes'],
        async () => ({ first_name: 'Eve', last_name: 'Evans' }),
      ],
      ['/confirm', [], async () => ({ password })],
      ['/account/email', ['changes'], async (person) => ({ email: `new-${person}` })],
      ['/language', ['language'], async () => ({})],
      // A new stamp ends what lasts without a session.
      ['/account/sessions/end-others', ['stamp', 'changes'], async () => ({})],
      ['/account/tokens', ['changes'], async () => ({ name: 'report', expires_in_days: '30', scope: '' })],
      [
        '/reset-password',
        // The link in the mail proves the address.
        [
          ...['password', 'stamp', 'password_changed_at', 'changes'],
          ...['verified_address', 'verified_how', 'verified_at'],
        ],
        async (email) => {
          await post('/api/forgot-password', { email });
          return { token: await tokenTo(email), password: newPassword };
        },
      ],
      [
        '/account/password',
        ['password', 'stamp', 'password_changed_at', 'changes'],
        async () => ({ new_password: newPassword }),
      ],
    ];
    for (const [path, changed, fieldsOf] of actions) {
      for (const asJson of [false, true]) {
        const { username, cookie } = await addPerson();
        const own = await rowOf(username);
        const fields = { ...extras(victimId), ...(await fieldsOf(username)) };
        const page = path.startsWith('/account') ? path : `/auth${path}`;
        const sent = await post(asJson ? `/api${path}` : page, fields, cookie);
        assert.ok(sent.statusCode < 400, `${path} ${sent.statusCode} ${sent.body}`);
        const now = await rowOf(username);
        assert.ok(own && now, path);
        const different = Object.keys(own).filter((name) => own[name as 'id'] !== now[name as 'id']);
        assert.deepEqual(
          different.filter((name) => !changed.includes(name)),
          [],
          path,
        );
        assert.notEqual(now.stamp, 'evil');
        assert.deepEqual(await rowOf(victim.username), before, path);
      }
    }

    assert.ok(await opened.isSignedIn(victim.cookie));
    const tokens = await opened.get('/api/account/tokens', victim.cookie);
    assert.deepEqual(tokens.json(), { tokens: [] });

    for (const finish of ['/auth/sign-up/finish', '/api/sign-up/finish']) {
      const email = `new${finish.length}@example.com`;
      await post('/api/sign-up', { ...extras(victimId), email });
      const fields = { ...extras(victimId), token: await tokenTo(email), first_name: 'A', last_name: 'B' };
      const sent = await post(finish, { ...fields, password: newPassword });
      assert.ok(sent.statusCode < 400, sent.body);
      const row = await rowOf(email);
      assert.deepEqual([row?.demo, row?.disabled, row?.first_name, row?.language], [0, 0, 'A', null]);
      assert.ok(row?.id !== victimId && row?.stamp !== 'evil' && row?.password.startsWith('$argon2id$'));
      assert.ok(Number(row?.created_at) > 1);
    }

    const { username, bearer } = await addPerson();
    await post('/api/account/email', { ...extras(victimId), email: 'moved@example.com' }, bearer);
    const token = await tokenTo('moved@example.com');
    assert.equal((await post('/api/confirm-email', { ...extras(victimId), token })).statusCode, 200);
    assert.equal(await rowOf(username), undefined);
    assert.equal((await rowOf('moved@example.com'))?.disabled, 0);
    const deleted = await post('/api/account/delete', { ...extras(victimId), current_password: password }, bearer);
    assert.equal(deleted.statusCode, 200);
    assert.equal(await rowOf('moved@example.com'), undefined);
    assert.equal(await rowOf('evil@example.com'), undefined);
    assert.deepEqual(await rowOf(victim.username), before);
  } finally {
    folder.remove();
  }
});

test('an address in another spelling is the same account, for sign-up and for a change of address', async () => {
  await using opened = await open();
  const { addPerson, post, mails, tokenTo } = opened;
  const composed = 'zoé@example.com';
  await opened.people.add({ ...ann, username: composed, password });
  const { username, bearer } = await addPerson();
  const spellings = ['ZOÉ@EXAMPLE.COM', ' zoé@example.com ', 'zoe\u0301@example.com', 'Zoe\u0301@Example.com'];
  for (const [index, email] of spellings.entries()) {
    await post('/api/sign-up', { email });
    const told = await mails(composed);
    assert.equal(told.length, 2 * index + 1, email);
    assert.ok(told.every(({ text }) => !text.includes('/sign-up/finish')));
    assert.equal((await post('/api/account/email', { email }, bearer)).statusCode, 202);
    const token = await tokenTo(composed);
    const taken = await post('/api/confirm-email', { token });
    assert.equal(taken.statusCode, 410, taken.body);
  }
  assert.equal((await opened.services.users.findByUsername(composed))?.user.firstName, ann.firstName);
  assert.equal((await opened.get('/api/me', bearer)).json().username, username);
});

test('a link that was opened serves no request without its token, from the same client either', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const { username } = await addPerson();
  const { bearer } = await addPerson();
  const fields = { password: newPassword, first_name: 'A', last_name: 'B' };
  for (const [asked, path, email] of [
    ['/forgot-password', '/reset-password', username],
    ['/account/email', '/confirm-email', 'moved@example.com'],
    ['/sign-up', '/sign-up/finish', 'new@example.com'],
  ] as const) {
    await post(`/api${asked}`, { email }, bearer);
    const token = await tokenTo(email);
    for (const url of [`/auth${path}`, `/api${path}`]) {
      assert.equal((await opened.get(`${url}?token=${token}`)).statusCode, 200, url);
      const { statusCode } = await post(url, fields);
      assert.ok(statusCode >= 400, `${url} ${statusCode}`);
    }
    assert.ok((await post(`/api${path}`, { ...fields, token })).statusCode < 300, path);
  }
});

test('of two redemptions of a link to a new address at the same time, one succeeds', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const { users } = opened.services;
  const email = 'new@example.com';
  await post('/api/account/email', { email }, (await addPerson()).bearer);
  const token = await tokenTo(email);
  const confirm = async () => (await post('/api/confirm-email', { token })).statusCode;
  const statuses: number[] = [];
  const { findById } = users;
  Object.assign(users, {
    // The other request comes and goes after this one has found the link good.
    async findById(id: string) {
      Object.assign(users, { findById });
      const found = await findById(id);
      statuses.push(await confirm());
      return found;
    },
  });
  statuses.push(await confirm());
  assert.deepEqual(statuses, [200, 410]);
});

test('an address that is taken while its link is used leaves the account and the link as they were', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const { users } = opened.services;
  const { username, bearer } = await addPerson();
  const email = 'new@example.com';
  await post('/api/account/email', { email }, bearer);
  const token = await tokenTo(email);
  const confirm = async () => (await post('/api/confirm-email', { token })).statusCode;
  const readName = async () => (await opened.get('/api/me', bearer)).json().username;
  const { findById } = users;
  Object.assign(users, {
    async findById(id: string) {
      Object.assign(users, { findById });
      await opened.people.add({ ...ann, username: email, password });
      return findById(id);
    },
  });
  assert.deepEqual([await confirm(), await readName()], [410, username]);
  await opened.people.remove(email);
  assert.deepEqual([await confirm(), await readName()], [200, email]);
});

test('what a user asks for, makes and ends is recorded', async () => {
  await using opened = await open();
  const { addPerson, post } = opened;
  const { username, bearer } = await addPerson();
  await post('/api/sign-up', { email: 'new@example.com' });
  await post('/api/account/email', { email: 'moved@example.com' }, bearer);
  const made = await post('/api/account/tokens', { name: 'Report', expires_in_days: 1 }, bearer);
  await post('/api/account/tokens/end', { id: made.json().id }, bearer);
  await opened.get('/api/account/export', bearer);
  const { user } = await opened.account(username);
  const recorded = (await opened.events()).map(({ kind, userId }) => `${kind} ${userId}`);
  assert.ok(recorded.includes('sign-up-requested undefined'));
  for (const kind of ['email-change-requested', 'token-made', 'token-ended', 'account-exported'])
    assert.ok(recorded.includes(`${kind} ${user.id}`), kind);
});

test('behind HTTPS, every cookie of these routes is for this host, this scheme and HTTP only', async () => {
  await using opened = await open({ settings: { PUBLIC_URL: publicUrl } });
  const { addPerson, post, tokenTo } = opened;
  const { username, bearer } = await addPerson();
  await post('/auth/sign-up', { email: 'new@example.com' });
  const newcomer = { token: await tokenTo('new@example.com'), first_name: 'A', last_name: 'B', password: newPassword };
  await post('/auth/forgot-password', { email: username });
  const remembered = await post('/auth/token', { username, password, remember: 'on' });
  const own = { cookie: remembered.cookies.map(({ name, value }) => `${name}=${value}`).join('; ') };
  const answers = [
    remembered,
    await post('/auth/sign-up/finish', newcomer),
    await post('/auth/confirm', { password }, bearer),
    await post('/account/password', { current_password: password, new_password: newPassword }, own),
    await post('/auth/language', { language: 'de' }),
  ];
  let cookies = 0;
  for (const { headers, body } of answers) {
    for (const cookie of [headers['set-cookie'] ?? []].flat()) {
      assert.match(cookie, /^__Host-[a-z-]+=[\w.-]+; Path=\/; HttpOnly; SameSite=Lax; Secure(; Max-Age=\d+)?$/, body);
      cookies += 1;
    }
  }
  assert.ok(cookies >= 7, `${cookies} cookies`);
});

test('no answer repeats a password, in any form and as JSON', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const { username, cookie } = await addPerson();
  await post('/api/forgot-password', { email: username });
  await post('/api/sign-up', { email: 'new@example.com' });
  const token = await tokenTo(username);
  const newcomer = { token: await tokenTo('new@example.com'), first_name: '', last_name: 'B' };
  const canaries = ['canary-weak', `canary${'y'.repeat(1024)}`, 'canary canary canary', `canary of ${username}`];
  for (const canary of canaries) {
    for (const [path, fields, status] of [
      ['/reset-password', { token, password: canary }, 422],
      ['/sign-up/finish', { ...newcomer, password: canary }, 422],
      ['/confirm', { password: canary }, 422],
      ['/account/password', { current_password: canary, new_password: canary }, 422],
      ['/account/email', { current_password: canary, email: 'x@example.com' }, 422],
      ['/account/delete', { current_password: canary }, 422],
      ['/token', { username, password: canary }, 400],
    ] as const) {
      // A phrase is a good password.
      if (canary === canaries[2] && path === '/reset-password') continue;
      for (const url of [
        path.startsWith('/account') ? path : `/auth${path}`,
        `/api${path.replace('/token', '/login')}`,
      ]) {
        const sent = await post(url, fields, cookie);
        if (status === 422) assert.equal(sent.statusCode, 422, `${url} ${sent.body}`);
        assert.ok(!JSON.stringify([sent.headers, sent.body]).includes('canary'), `${url} ${sent.body}`);
      }
    }
  }
});

test('a reset and a change of the password lift the wait after wrong ones', async () => {
  await using opened = await open({ settings: { THROTTLE: 'on' }, time: Date.now() });
  const { addPerson, post, tokenTo } = opened;
  const tryToLogIn = async (username: string, secret: string) =>
    (await post('/api/login', { username, password: secret })).statusCode;
  for (const [what, change] of Object.entries({
    async reset({ username }: { username: string }) {
      await post('/api/forgot-password', { email: username });
      return post('/api/reset-password', { token: await tokenTo(username), password: newPassword });
    },
    change: ({ bearer }: { bearer: Record<string, string> }) =>
      post('/api/account/password', { new_password: newPassword }, bearer),
  })) {
    const person = await addPerson();
    while ((await tryToLogIn(person.username, 'wrong')) !== 429);
    assert.equal((await change(person)).statusCode, 200, what);
    assert.equal(await tryToLogIn(person.username, newPassword), 200, what);
    // The address of the client is forgiven.
    opened.pass(3_600_000);
  }
});

test('a new password ends the sessions even if they cannot be removed at that moment', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const fail = async () => {
    throw new Error('the store of the sessions is away');
  };
  Object.assign(opened.services.sessions, { endAllOf: fail, endOthersOf: fail });
  const reset = await addPerson();
  await post('/api/forgot-password', { email: reset.username });
  await post('/api/reset-password', { token: await tokenTo(reset.username), password: newPassword });
  const changed = await addPerson();
  const other = await opened.logIn(changed.username);
  const answer = await post('/api/account/password', { new_password: newPassword }, changed.bearer);
  for (const credential of [reset.cookie, reset.bearer, changed.bearer, other.cookie, other.bearer])
    assert.equal(await opened.isSignedIn(credential), false);
  assert.equal(await opened.isSignedIn({ authorization: `Bearer ${answer.json().access_token}` }), true);
});

test('a password, a disabling or a removal by an operator voids the links of the user', async () => {
  await using opened = await open();
  const { addPerson, post, tokenTo } = opened;
  const { administration } = opened.services;
  for (const change of [
    (username: string) => administration.setPassword(username, 'chosen by the operator'),
    async (username: string) => {
      await administration.disable(username);
      await administration.enable(username);
    },
    async (username: string) => {
      await administration.remove(username);
      await opened.people.add({ ...ann, username, password });
    },
  ]) {
    const { username, bearer } = await addPerson();
    await post('/api/forgot-password', { email: username });
    const reset = await tokenTo(username);
    await post('/api/account/email', { email: `new-${username}` }, bearer);
    const confirm = await tokenTo(`new-${username}`);
    await change(username);
    assert.equal((await post('/api/reset-password', { token: reset, password: newPassword })).statusCode, 410);
    assert.equal((await post('/api/confirm-email', { token: confirm })).statusCode, 410);
  }
});

test('a password counts however long ago it was chosen', async () => {
  const folder = createTemporaryFolder('accounts');
  try {
    const url = `sqlite:${join(folder.path, 'janua.db')}`;
    await using janua = await startJanua({ settings: { DATABASE_URL: url } });
    await using writing = await openTestDatabase(url);
    await writing.database.updateTable('janua_users').set({ password_changed_at: 1, created_at: 1 }).execute();
    assert.ok(await janua.isSignedIn((await janua.logIn()).cookie));
  } finally {
    folder.remove();
  }
});
