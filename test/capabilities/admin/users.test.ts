import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { provedBy } from '../../../src/core/users/held.ts';
import { admins, type ownScopes } from '../../../src/core/users/scopes.ts';
import { sql } from '../../../src/ground/database/kysely.ts';
import { queueOf } from '../../core/mail/post-office.ts';
import { ann, password, startJanua } from '../../janua.ts';
import { codeAt, stepOf } from '../../model/factors.ts';
import { missing } from '../../servers/missing.ts';
import { form, json, logIn, sessionCookie } from '../../web/faces.ts';
import { signInAs, signInWith } from './administrator.ts';

type Scope = keyof typeof ownScopes;

const everything: Scope[] = ['users:read', 'users:write', 'sessions:write', 'audit:read'];

/** @param scopes of the administrator. Default: a member of `admins` */
async function open(scopes?: Scope[], overrides = {}, further = {}) {
  const settings = { PUBLIC_URL: 'http://localhost:5000', SIGN_UP: 'off', ...further } as const;
  const janua = await startJanua({ settings, overrides });
  const { app, services } = janua;
  const headers = await (scopes ? signInWith(janua, ...scopes) : signInAs(janua, [admins]));
  const idOf = async (username: string) => (await services.users.findByUsername(username))?.user.id ?? '';
  return {
    ...janua,
    headers,
    idOf,
    annId: await idOf(ann.username),
    get: (url: string) => app.inject({ url, headers }),
    post(url: string, body: Record<string, unknown> = {}) {
      const sent = url.startsWith('/api/') ? json(body) : form(body);
      return app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } });
    },
    eventsOf: (kind: string) => Array.fromAsync(services.auditTrail.find({ order: 'newest-first', kind })),
  };
}

type Opened = Awaited<ReturnType<typeof open>>;

describe('the page of a user', () => {
  test('shows the user, the sessions and the last events, and what can be done, and no hash', async () => {
    await using janua = await open();
    const { app, get, annId } = janua;
    await logIn(app);
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.deepEqual(
      [user.username, user.first_name, user.last_name, user.disabled, user.groups, user.factors],
      [ann.username, ann.firstName, ann.lastName, false, [], []],
    );
    assert.ok(Date.now() - Date.parse(user.last_login_at) < 60_000);
    assert.equal(user.sessions.length, 1);
    assert.equal(user.events[0].kind, 'login-succeeded');
    assert.match(user.events[0].decision, /The user logged in/);
    assert.deepEqual(user.actions, [
      ...['name', 'offer-email', 'set-email', 'disable', 'end-sessions', 'lift'],
      ...['send-reset', 'groups', 'verify', 'delete'],
    ]);
    assert.deepEqual([user.email_verified, user.verification], [false, null]);
    const page = (await get(`/admin/users/${annId}`)).body;
    assert.match(page, /Ann Archer/);
    assert.match(page, new RegExp(`href="/admin/users/${annId}/end-sessions"`));
    assert.match(page, new RegExp(`href="/admin/users/${annId}/delete"`));
    assert.match((await get('/admin/users?q=ann')).body, new RegExp(`href="/admin/users/${annId}"`));
    const account = await janua.services.users.findById(annId);
    const hash = account?.passwordHash ?? assert.fail();
    for (const url of ['/api/admin/users', '/admin/users', `/api/admin/users/${annId}`, `/admin/users/${annId}`])
      assert.ok(!(await get(url)).body.includes(hash.slice(-20)), url);
  });

  test('offers nothing for a user who may do more, on no page', async () => {
    await using janua = await open(['users:read', 'users:write', 'sessions:write']);
    await janua.services.administration.changeGroups(ann.username, { add: [admins] });
    assert.deepEqual((await janua.get(`/api/admin/users/${janua.annId}`)).json().actions, []);
    for (const [url, body] of [
      [`/api/admin/users/${janua.annId}/lift`, {}],
      ['/api/admin/throttle/lift', { user_id: janua.annId }],
    ] as const)
      assert.equal((await janua.post(url, body)).statusCode, 403, url);
  });

  test('cannot take a user out of a group by a setting, nor put one in for good', async () => {
    await using janua = await startJanua({ settings: { ADMINISTRATORS: [ann.username] } });
    const { app, services } = janua;
    const account = await services.users.findByUsername(ann.username);
    assert.deepEqual(account?.user.groups, [admins]);
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    const { cookie } = await logIn(app);
    await services.administration.changeGroups(ann.username, { add: ['staff'] });
    const { body } = await app.inject({ url: `/admin/users/${account?.user.id}/groups`, headers: cookie });
    assert.match(body, /value="staff" checked/);
    assert.match(body, /value="admins" checked disabled>/);
    const url = `/api/admin/users/${account?.user.id}/groups`;
    const change = (groups: string[]) =>
      app.inject({ method: 'POST', url, ...json({ groups }), headers: { ...json({}).headers, ...cookie } });
    assert.equal((await change([])).statusCode, 409);
    assert.equal((await change(['staff', admins])).statusCode, 200);
    assert.deepEqual(await services.groups.namesOf(account?.user ?? assert.fail()), ['staff']);
  });

  test('offers what the scopes of the administrator allow', async () => {
    await using janua = await open(['users:read']);
    const user = (await janua.get(`/api/admin/users/${janua.annId}`)).json();
    assert.deepEqual([user.actions, user.events], [[], []]);
    assert.equal((await janua.post(`/api/admin/users/${janua.annId}/lift`)).statusCode, 403);
  });

  test('is missing for an id that no user has', async () => {
    await using janua = await open();
    const decodedTwice = `%25${janua.annId.charCodeAt(0).toString(16)}${janua.annId.slice(1)}`;
    for (const id of ['x', '%00', '..', 'x'.repeat(90), decodedTwice])
      for (const path of ['', '/disable', '/delete'])
        assert.equal((await janua.get(`/api/admin/users/${id}${path}`)).statusCode, 404, id + path);
    assert.equal((await janua.post('/api/admin/users/x/disable')).statusCode, 404);
  });
});

describe('an administrator', () => {
  test('disables a user, which ends the sessions, and enables the user again', async () => {
    await using janua = await open();
    const { app, post, get, annId, eventsOf, headers } = janua;
    const { cookie } = await logIn(app);
    assert.deepEqual((await post(`/api/admin/users/${annId}/disable`)).json(), { detail: 'User disabled' });
    assert.equal((await app.inject({ url: '/api/me', headers: cookie })).statusCode, 401);
    assert.deepEqual((await get(`/api/admin/users/${annId}`)).json().disabled, true);
    assert.equal((await post(`/api/admin/users/${annId}/send-reset`)).statusCode, 409);
    const answer = await post(`/admin/users/${annId}/enable`);
    assert.equal(answer.headers.location, `/admin/users/${annId}?state=enable`);
    assert.match((await get(String(answer.headers.location))).body, /The user is enabled\./);
    await logIn(app);
    const actor = (await app.inject({ url: '/api/account', headers })).json().username;
    const [event] = await eventsOf('user-disabled');
    assert.ok(event && !('unreadable' in event));
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf(actor)]);
  });

  test('ends sessions, lifts waits, and has a link mailed', async () => {
    await using janua = await open(undefined, {}, { THROTTLE: 'on' });
    const { app, post, annId, services, eventsOf } = janua;
    const { cookie } = await logIn(app);
    const wrong = json({ username: ann.username, password: 'wrong' });
    assert.equal((await app.inject({ method: 'POST', url: '/api/login', ...wrong })).statusCode, 400);
    assert.equal((await post(`/api/admin/users/${annId}/end-sessions`)).statusCode, 200);
    assert.equal((await app.inject({ url: '/api/me', headers: cookie })).statusCode, 401);
    assert.equal((await post(`/api/admin/users/${annId}/lift`)).statusCode, 200);
    assert.equal((await post(`/api/admin/users/${annId}/send-reset`)).statusCode, 200);
    await services.mail?.settled();
    const [mail] = await services.outbox.listKept(1);
    assert.match(String(mail?.link), /\/auth\/reset-password\?token=/);
    for (const kind of ['sessions-ended', 'reset-sent']) assert.equal((await eventsOf(kind)).length, 1, kind);
    assert.equal((await eventsOf('throttle-lifted')).length, 1);
  });

  test('deletes a user and changes groups only after a fresh proof', async () => {
    await using janua = await open();
    const { app, post, get, annId, services } = janua;
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    assert.match((await get(`/admin/users/${annId}/groups`)).body, /name="groups" value="staff"/);
    assert.equal((await post(`/api/admin/users/${annId}/groups`)).statusCode, 422);
    assert.equal((await post(`/api/admin/users/${annId}/groups`, { groups: ['nothing'] })).statusCode, 404);
    assert.equal((await post(`/api/admin/users/${annId}/groups`, { groups: ['staff'] })).statusCode, 200);
    assert.deepEqual((await services.users.findById(annId))?.user.groups, ['staff']);
    // A token that was given away never counts as a fresh proof.
    const account = await services.users.findByUsername('admins@example.com');
    assert.ok(account);
    const made = { name: 'x', scopes: account.scopes, days: 1 };
    const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
    for (const action of ['groups', 'delete', 'remove-factors']) {
      const sent = json({ groups: [] });
      const stale = { ...sent.headers, authorization: `Bearer ${token}` };
      const url = `/api/admin/users/${annId}/${action}`;
      const refused = await app.inject({ method: 'POST', url, payload: sent.payload ?? '', headers: stale });
      assert.deepEqual([refused.statusCode, refused.json().error], [401, 'insufficient_user_authentication'], action);
    }
    assert.equal((await post(`/admin/users/${annId}/groups`)).statusCode, 303);
    assert.deepEqual((await services.users.findById(annId))?.user.groups, []);
    const { location } = (await post(`/admin/users/${annId}/delete`)).headers;
    assert.equal(location, '/admin/users?deleted=1');
    assert.match((await get(String(location))).body, /role="status">The user is deleted\./);
    assert.equal(await services.users.findById(annId), undefined);
  });

  test('changes no user who may do more, and lets no one do more', async () => {
    await using janua = await open(['users:read', 'users:write']);
    const { post, annId, services, eventsOf } = janua;
    await services.groups.add({ name: 'clients', description: '', scopes: ['clients:write'] });
    for (const groups of [['clients'], [admins]]) {
      const refused = await post(`/api/admin/users/${annId}/groups`, { groups });
      assert.deepEqual([refused.statusCode, refused.json().error], [403, 'insufficient_scope']);
      const added = await post('/api/admin/users', { email: 'eve@example.com', groups, invite: false });
      assert.equal(added.statusCode, 403);
    }
    await services.administration.changeGroups(ann.username, { add: [admins] });
    for (const action of ['disable', 'delete', 'send-reset', 'remove-factors'])
      assert.equal((await post(`/api/admin/users/${annId}/${action}`)).statusCode, 403, action);
    const [event] = await eventsOf('permission-refused');
    assert.ok(event && !('unreadable' in event));
    assert.deepEqual([event.reason, event.userId], ['beyond-own', await janua.idOf('group-1@example.com')]);
  });

  test('says that an address is the one of a user, which its page shows, with who said so', async () => {
    await using janua = await open();
    const { get, post, annId, eventsOf, idOf } = janua;
    assert.match((await get(`/admin/users/${annId}`)).body, /Not verified/);
    assert.match((await get(`/admin/users/${annId}/verify`)).body, /may link accounts by it/);
    const answer = await post(`/admin/users/${annId}/verify`);
    assert.equal(answer.headers.location, `/admin/users/${annId}?state=verify`);
    const page = (await get(String(answer.headers.location))).body;
    assert.match(page, /The address is verified\./);
    assert.match(page, /Verified by an administrator on [^(]+ \(admins@example\.com\)/);
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.equal(user.email_verified, true);
    assert.deepEqual([user.verification.how, user.verification.by], ['administrator', 'admins@example.com']);
    assert.ok(!user.actions.includes('verify'));
    const [listed] = (await get('/api/admin/users?q=ann')).json().users;
    assert.equal(listed.email_verified, true);
    const [event] = await eventsOf('address-verified');
    assert.ok(event && !('unreadable' in event));
    assert.deepEqual([event.userId, event.actorId], [annId, await idOf('admins@example.com')]);
  });

  test('says so only as a member of admins, with a fresh proof', async () => {
    const clock = { time: Date.now() };
    const overrides = { now: () => clock.time };
    await using janua = await open(['users:read', 'users:write'], overrides);
    const { app, annId, services, eventsOf } = janua;
    const url = `/api/admin/users/${annId}/verify`;
    assert.ok(!(await janua.get(`/api/admin/users/${annId}`)).json().actions.includes('verify'));
    for (const answer of [
      await janua.post(url),
      await janua.post(url.replace('/api', '')),
      await janua.get(url.replace('/api', '')),
    ])
      assert.equal(answer.statusCode, 403);
    const [event] = await eventsOf('permission-refused');
    assert.ok(event && !('unreadable' in event));
    assert.equal(event.reason, 'only-admins');
    const { cookie } = await signInAs(janua, [admins]);
    const account = (await services.users.findByUsername('admins@example.com')) ?? assert.fail();
    const made = { name: 'x', scopes: account.scopes, days: 1 };
    const { token } = await services.hold(provedBy(account), (held) => services.personalTokens.create(held, made));
    const tokenScope = account.scopes.join(' ');
    const narrowed = await services.sessions.start(provedBy(account), { methods: ['pwd'], tokenScope });
    const verify = async (headers: Record<string, string>, minutes = 0) => {
      clock.time += minutes * 60_000;
      const sent = json({});
      return app.inject({ method: 'POST', url, ...sent, headers: { ...sent.headers, ...headers } });
    };
    for (const [limited, status] of [
      [token, 401],
      [narrowed.accessToken, 403],
    ] as const)
      assert.equal((await verify({ authorization: `Bearer ${limited}` })).statusCode, status);
    assert.equal((await verify({ cookie }, 11)).json().error, 'insufficient_user_authentication');
    assert.equal((await services.users.findById(annId))?.isAddressVerified, false);
    const fresh = await services.sessions.start(provedBy(account), { methods: ['pwd'] });
    assert.equal((await verify({ cookie: `session=${fresh.cookie}` })).statusCode, 200);
  });

  test('removes the second factors of a user', async () => {
    await using janua = await open();
    const { post, get, annId, services, eventsOf } = janua;
    const account = await services.users.findById(annId);
    assert.ok(account);
    const { totp } = services.factors;
    const { secret } = await totp.begin(account.user, ann.username);
    const code = codeAt(secret, stepOf(Date.now()));
    assert.ok(await services.hold(provedBy(account), (held) => totp.enable(held, code)));
    assert.deepEqual((await get(`/api/admin/users/${annId}`)).json().factors, ['app']);
    assert.equal((await post(`/api/admin/users/${annId}/remove-factors`)).statusCode, 200);
    assert.equal((await eventsOf('factors-removed')).length, 1);
    assert.ok(!(await get(`/api/admin/users/${annId}`)).json().actions.includes('remove-factors'));
  });
});

describe('a correction', () => {
  const other = 'ann.archer@example.com';
  const mails = async ({ services }: Opened) => {
    await services.mail?.settled();
    return services.outbox.listKept(9);
  };
  const tokenIn = (link: string | undefined) => /token=([\w-]{43})/.exec(link ?? '')?.[1] ?? assert.fail('no link');

  test('of the name keeps the sessions, and wants both names of a program', async () => {
    await using janua = await open();
    const { app, get, post, annId, eventsOf } = janua;
    const { cookie } = await logIn(app);
    assert.match((await get(`/admin/users/${annId}/name`)).body, /value="Archer"/);
    const sent = { first_name: 'Anne', last_name: 'Archer-Smith' };
    assert.equal((await post(`/api/admin/users/${annId}/name`, { first_name: 'Anne' })).statusCode, 422);
    assert.equal((await post(`/api/admin/users/${annId}/name`, { ...sent, last_name: 'a\nb' })).statusCode, 422);
    const answer = await post(`/admin/users/${annId}/name`, sent);
    assert.match((await get(String(answer.headers.location))).body, /The name is changed\./);
    const user = (await get('/api/admin/users?q=archer-smith')).json().users[0];
    assert.deepEqual([user.first_name, user.last_name], ['Anne', 'Archer-Smith']);
    assert.equal((await app.inject({ url: '/api/me', headers: cookie })).statusCode, 200);
    const [event] = await eventsOf('user-renamed');
    assert.ok(event && !('unreadable' in event));
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf('admins@example.com')]);
  });

  test('of the address at once ends what the former one led to, verifies the new one, and tells both', async () => {
    await using janua = await open();
    const { app, get, post, annId, services, eventsOf } = janua;
    const { cookie } = await logIn(app);
    const before = (await services.users.findById(annId)) ?? assert.fail();
    const made = { name: 'x', scopes: [], days: 1 };
    const { token } = await services.hold(provedBy(before), (held) => services.personalTokens.create(held, made));
    await app.inject({ method: 'POST', url: '/api/forgot-password', ...json({ email: ann.username }) });
    const [reset] = await mails(janua);
    const answer = await post(`/admin/users/${annId}/set-email`, { email: ` ${other.toUpperCase()} ` });
    assert.match((await get(String(answer.headers.location))).body, /both addresses are told/);
    for (const headers of [cookie, { authorization: `Bearer ${token}` }])
      assert.equal((await app.inject({ url: '/api/me', headers: headers as Record<string, string> })).statusCode, 401);
    const used = json({ token: tokenIn(reset?.link), password: 'a few words with spaces' });
    assert.equal((await app.inject({ method: 'POST', url: '/api/reset-password', ...used })).statusCode, 410);
    // What still waits for the former address.
    const { userId, stamp } = provedBy(before);
    const details = { email: 'mallory@example.com', former: ann.username };
    for (const purpose of ['confirm-email', 'confirm-offered-email'])
      await queueOf(services).add({ purpose, address: details.email, language: 'en', userId, stamp, details });
    await queueOf(services).add({ purpose: 'reset-password', address: ann.username, language: 'en' });
    const told = (await mails(janua)).filter(({ subject }) => subject === 'Your address was changed');
    assert.deepEqual(told.map(({ to }) => to).sort(), [other, ann.username].sort());
    const dropped = (await eventsOf('mail-not-sent')).map((event) => 'reason' in event && event.reason);
    assert.deepEqual(dropped.sort(), ['no-account', 'outdated', 'outdated']);
    await logIn(app, other);
    const user = (await get(`/api/admin/users/${annId}`)).json();
    assert.deepEqual(
      [user.username, user.verification.how, user.verification.by],
      [other, 'administrator', 'admins@example.com'],
    );
    const [event] = await eventsOf('user-email-changed');
    assert.ok(event && !('unreadable' in event));
    assert.deepEqual([event.userId, event.actorId], [annId, await janua.idOf('admins@example.com')]);
  });

  test('of the address at once is for members of admins, and by a link it takes the user who signs in', async () => {
    await using janua = await open(everything, {}, { THROTTLE: 'on' });
    const { app, get, post, annId, services, headers, eventsOf } = janua;
    const url = `/api/admin/users/${annId}`;
    const mailbox = 'mallory@example.com';
    assert.deepEqual((await get(url)).json().actions.slice(0, 3), ['name', 'offer-email', 'disable']);
    for (const refused of [
      await post(`${url}/set-email`, { email: mailbox }),
      await post(`${url.replace('/api', '')}/set-email`, { email: mailbox }),
      await get(`${url.replace('/api', '')}/set-email`),
    ])
      assert.equal(refused.statusCode, 403);
    const [refusal] = await eventsOf('permission-refused');
    assert.ok(refusal && 'reason' in refusal && refusal.reason === 'only-admins');
    assert.equal((await post(`${url}/offer-email`, { email: mailbox })).statusCode, 200);
    const sent = await mails(janua);
    assert.deepEqual(sent.map(({ to }) => to).sort(), [ann.username, mailbox].sort());
    const again = await post(`${url}/offer-email`, { email: mailbox });
    assert.deepEqual([again.statusCode, again.headers['retry-after']], [429, '60']);
    const [unsent] = await eventsOf('mail-not-sent');
    assert.ok(unsent && 'reason' in unsent);
    // The reader of the audit knows that the administrator was told.
    assert.deepEqual(
      [unsent.reason, unsent.userId, unsent.actorId],
      ['too-many-by-administrator', annId, await janua.idOf('group-1@example.com')],
    );
    const token = tokenIn(sent.find(({ to }) => to === mailbox)?.link);
    const page = `/account/confirm-email?token=${token}`;
    const confirm = (by: Record<string, string>) => {
      const body = json({ token });
      return app.inject({
        method: 'POST',
        url: '/api/account/confirm-email',
        ...body,
        headers: { ...body.headers, ...by },
      });
    };
    // The administrator reads the mailbox.
    assert.deepEqual([(await confirm(headers)).statusCode, (await confirm({})).statusCode], [410, 401]);
    assert.match((await app.inject({ url: page, headers })).body, /or belongs to another account/);
    assert.match(
      String((await app.inject(page)).headers.location),
      /^\/auth\/login\?.*next=%2Faccount%2Fconfirm-email/,
    );
    for (const way of ['/api/confirm-email', '/api/reset-password', '/api/sign-up/finish']) {
      const body = json({ token, password: 'a few words with spaces', first_name: 'a', last_name: 'b' });
      assert.equal((await app.inject({ method: 'POST', url: way, ...body })).statusCode, 410, way);
    }
    assert.equal((await services.users.findById(annId))?.user.username, ann.username);
    const { cookie } = await logIn(app);
    assert.match(
      (await app.inject({ url: page, headers: cookie })).body,
      /offers mallory@example\.com as the address of your account, in place of ann@example\.com/,
    );
    const confirmed = await confirm(cookie);
    assert.equal(confirmed.statusCode, 200, confirmed.body);
    assert.equal((await confirm(cookie)).statusCode, 410);
    const { username, verification } = (await get(url)).json();
    assert.deepEqual([username, verification.how], [mailbox, 'mail']);
    assert.equal((await app.inject({ url: '/api/me', headers: cookie })).statusCode, 200);
    const told = (await mails(janua)).filter(({ subject }) => subject === 'Your address was changed');
    assert.deepEqual(told.map(({ to }) => to).sort(), [ann.username, mailbox].sort());
  });

  test('by a link is void once the account has changed, and a late proof does not confirm it', async () => {
    const clock = { time: Date.now() };
    await using janua = await open(undefined, { now: () => clock.time });
    const { app, post, annId, services } = janua;
    assert.equal((await post(`/api/admin/users/${annId}/offer-email`, { email: other })).statusCode, 200);
    const token = tokenIn((await mails(janua)).find(({ to }) => to === other)?.link);
    const page = `/account/confirm-email?token=${token}`;
    const { cookie } = await logIn(app);
    clock.time += 11 * 60_000;
    const asked = await app.inject({ url: page, headers: cookie });
    assert.equal(asked.headers.location, `/auth/confirm?next=${encodeURIComponent(page)}`);
    const body = json({ token });
    const late = await app.inject({
      ...{ method: 'POST', url: '/api/account/confirm-email', ...body },
      headers: { ...body.headers, ...cookie },
    });
    assert.equal(late.json().error, 'insufficient_user_authentication');
    await services.administration.setPassword(ann.username, 'a few words with spaces');
    const account = (await services.users.findById(annId)) ?? assert.fail();
    const session = await services.sessions.start(provedBy(account), { methods: ['pwd'] });
    const again = { cookie: `session=${session.cookie}` };
    assert.equal((await app.inject({ url: page, headers: again })).statusCode, 410);
  });

  test('is refused for an address that another user has, a disabled user, and one who may do more', async () => {
    await using janua = await open(everything);
    const { post, annId, services } = janua;
    const url = `/api/admin/users/${annId}`;
    const taken = await post(`${url}/offer-email`, { email: 'group-1@example.com' });
    assert.deepEqual([taken.statusCode, taken.json().errors[0].field], [422, 'email']);
    assert.equal((await post(`${url}/offer-email`, { email: 'x' })).statusCode, 422);
    await services.administration.disable(ann.username);
    assert.equal((await post(`${url}/offer-email`, { email: other })).statusCode, 409);
    await services.administration.enable(ann.username);
    await services.administration.changeGroups(ann.username, { add: [admins] });
    assert.equal((await post(`${url}/offer-email`, { email: other })).statusCode, 403);
    assert.equal((await post(`${url}/name`, { first_name: 'a', last_name: 'b' })).statusCode, 403);
    const { cookie } = await signInAs(janua, [admins]);
    const sent = json({ email: 'group-1@example.com' });
    const answer = await janua.app.inject({
      ...{ method: 'POST', url: `${url}/set-email`, ...sent },
      headers: { ...sent.headers, cookie },
    });
    assert.deepEqual([answer.statusCode, answer.json().errors?.[0].field], [422, 'email'], answer.body);
    assert.equal((await services.users.findById(annId))?.user.username, ann.username);
  });

  test('that is refused leads back to its page, and without the user to the list', async () => {
    await using janua = await open();
    const own = `/admin/users/${await janua.idOf('admins@example.com')}/disable`;
    for (const [path, status, back] of [
      [own, 409, own],
      ['/admin/users/none/disable', 404, '/admin/users'],
    ] as const) {
      const { statusCode, body } = await janua.post(path);
      assert.deepEqual([statusCode, /class="button" href="([^"]*)"/.exec(body)?.[1]], [status, back]);
      assert.match(body, /<a class="quiet" href="\/admin\/users" aria-current="true">/);
    }
  });

  test('of the address keeps the last administrator whom a setting makes', async () => {
    await using janua = await startJanua({ settings: { ADMINISTRATORS: [ann.username] } });
    const { app, services } = janua;
    const { cookie } = await logIn(app);
    const id = (await services.users.findByUsername(ann.username))?.user.id;
    const sent = json({ email: other });
    const change = () =>
      app.inject({
        ...{ method: 'POST', url: `/api/admin/users/${id}/set-email`, ...sent },
        headers: { ...sent.headers, ...cookie },
      });
    assert.equal((await change()).json().detail, 'This is the last administrator. Make another one first');
    await signInAs(janua, [admins]);
    assert.equal((await change()).statusCode, 200);
    assert.deepEqual((await services.users.findByUsername(other))?.user.groups, []);
  });
});

describe('a user who is added', () => {
  const eve = { email: 'Eve@example.com', first_name: 'Eve', last_name: 'Evans' };

  test('by an invitation chooses a password by the mailed link, where SIGN_UP is off too', async () => {
    await using janua = await open();
    const { app, post, get, services } = janua;
    await services.groups.add({ name: 'staff', description: '', scopes: [] });
    const added = await post('/api/admin/users', {
      ...{ ...eve, groups: ['staff'], invite: true },
      // No field of a request proves an address, or sets a password.
      ...{ address_proof: 'mail', verified: true, password_hash: 'x', disabled: true, scopes: ['users:write'] },
    });
    assert.equal(added.statusCode, 201, added.body);
    assert.deepEqual(Object.keys(added.json()), ['id']);
    const early = json({ username: 'eve@example.com', password: '' });
    assert.notEqual((await app.inject({ method: 'POST', url: '/api/login', ...early })).statusCode, 200);
    await services.mail?.settled();
    const [mail] = await services.outbox.listKept(1);
    assert.match(String(mail?.text), /added an account for you/);
    const link = new URL(String(mail?.link));
    const page = await app.inject(link.pathname + link.search);
    assert.match(page.body, /value="Eve"/);
    const token = link.searchParams.get('token');
    const entered = { token, first_name: 'Eva', last_name: 'Evans', password: 'a few words with spaces' };
    const finished = await app.inject({ method: 'POST', url: link.pathname, ...form(entered) });
    assert.equal(finished.headers.location, '/auth/home', finished.body);
    assert.ok(sessionCookie(finished));
    const user = (await get(`/api/admin/users/${added.json().id}`)).json();
    assert.deepEqual([user.first_name, user.groups, user.username], ['Eva', ['staff'], 'eve@example.com']);
    assert.deepEqual((await services.users.findById(user.id))?.scopes, []);
    const again = await app.inject({ method: 'POST', url: link.pathname, ...form(entered) });
    assert.equal(again.statusCode, 410);
  });

  test('by an invitation to a wrong address gets another one when it is corrected, until the user has begun', async () => {
    await using janua = await open();
    const { app, post, get, services, eventsOf } = janua;
    const { id } = (await post('/api/admin/users', { ...eve, invite: true })).json();
    const correct = async (email: string) =>
      (await get(String((await post(`/admin/users/${id}/set-email`, { email })).headers.location))).body;
    // The first invitation waits, the second one was mailed.
    assert.match(await correct('eve@example.net'), /an invitation is on its way/);
    await services.mail?.settled();
    assert.match(await correct('eve@example.org'), /an invitation is on its way/);
    await services.mail?.settled();
    const mails = (await services.outbox.listKept(9)).filter(({ subject }) => subject.startsWith('You are invited'));
    assert.deepEqual(
      mails.map(({ to }) => to),
      ['eve@example.org', 'eve@example.net'],
    );
    const finish = (link: string | undefined) => {
      const entered = { token: new URL(String(link)).searchParams.get('token'), password: 'a few words with spaces' };
      const sent = json({ ...entered, first_name: 'Eve', last_name: 'Evans' });
      return app.inject({ method: 'POST', url: '/api/sign-up/finish', ...sent });
    };
    assert.equal((await finish(mails[1]?.link)).statusCode, 410);
    assert.equal((await finish(mails[0]?.link)).statusCode, 201);
    assert.match(await correct('eve@example.com'), /both addresses are told/);
    const reasons = (await eventsOf('user-invited')).map((event) => 'kind' in event && event.reason);
    assert.deepEqual(reasons, ['again', 'again', undefined]);
  });

  test('by an invitation is shown as invited until the user has begun, and gets it again', async () => {
    let time = Date.now();
    await using janua = await open(undefined, { now: () => time });
    const { app, post, get, services, eventsOf } = janua;
    await post('/api/admin/users', { ...eve, invite: true });
    const id = await janua.idOf('eve@example.com');
    const read = async () => {
      const page = (await get(`/admin/users/${id}`)).body;
      const [, shown] = /(Invited;[^<\n]*|Never signed in)/.exec(page) ?? [];
      const { invitation } = (await get(`/api/admin/users/${id}`)).json();
      return [shown, page.includes('>Send the invitation again<'), invitation?.state, invitation?.repeatable];
    };
    const send = async () => {
      const { body } = await get(`/admin/users/${id}/send-reset`);
      assert.match(body, /<title>Janua Send the invitation again: eve@example.com<.*<h1>Send the invitation again</s);
      assert.equal((await post(`/api/admin/users/${id}/send-reset`)).statusCode, 200);
      await services.mail?.settled();
      return String((await services.outbox.listKept(1))[0]?.link);
    };
    const unsent = ['Invited; a mail with a link still waits to be sent (', true, 'waiting', true];
    assert.deepEqual(await read(), unsent);
    await services.mail?.settled();
    assert.deepEqual(await read(), ['Invited; the link is valid until ', true, 'open', true]);
    const { expires_at } = (await get(`/api/admin/users/${id}`)).json().invitation;
    assert.equal(Math.round((Date.parse(expires_at) - time) / 3_600_000), 7 * 24);
    assert.match(await send(), /\/auth\/sign-up\/finish\?token=/);
    // A link that was handed over proves no address, so the mail is a reset, which does.
    const { id: handed } = (await post('/api/admin/users', { ...eve, email: 'eva@example.com' })).json();
    const page = (await get(`/admin/users/${handed}`)).body;
    assert.match(page, /Invited; the link is valid until/);
    assert.match(page, />Mail a link for a new password</);
    time += 8 * 24 * 3_600_000;
    // The session of the administrator has ended meanwhile.
    Object.assign(janua.headers, await signInWith(janua, 'users:read', 'users:write'));
    assert.deepEqual(await read(), ['Invited; the link no longer works', true, 'expired', true]);
    const token = new URL(await send()).searchParams.get('token');
    const sent = json({ token, first_name: 'Eve', last_name: 'Evans', password: 'a few words with spaces' });
    assert.equal((await app.inject({ method: 'POST', url: '/api/sign-up/finish', ...sent })).statusCode, 201);
    assert.deepEqual(await read(), [undefined, false, undefined, undefined]);
    const reasons = (await eventsOf('user-invited')).map((event) => 'kind' in event && event.reason);
    assert.deepEqual(reasons, ['repeated', undefined, 'repeated', undefined]);
    assert.deepEqual(await eventsOf('reset-sent'), []);
  });

  test('by an invitation that no mail server takes is shown as not having it, with the way to the mails', async () => {
    const further = { MAIL_URL: 'smtp://127.0.0.1:1', MAIL_FROM: 'janua@example.com' };
    await using janua = await open(undefined, { demoMailbox: false }, further);
    const { id } = (await janua.post('/api/admin/users', { ...eve, invite: true })).json();
    await janua.services.mail?.settled();
    // The attempt has made a link.
    const [mail] = await Array.fromAsync(janua.services.outbox.list());
    assert.match(String(mail?.failure), /ECONNREFUSED/);
    assert.equal((await janua.get(`/api/admin/users/${id}`)).json().invitation.state, 'waiting');
    const notSent = 'Invited; a mail with a link still waits to be sent';
    const { body } = await janua.get(`/admin/users/${id}`);
    assert.ok(body.includes(`${notSent} (<a href="/admin/mail">Mail</a>)`), body);
    const headers = await signInWith(janua, 'users:read');
    const page = (await janua.app.inject({ url: `/admin/users/${id}`, headers })).body;
    assert.ok(page.includes(notSent) && !page.includes('/admin/mail'), page);
  });

  test('gets a link to be handed over, which proves no address', async () => {
    await using janua = await startJanua({
      settings: { PUBLIC_URL: 'http://localhost:5000', SIGN_UP: 'off', ADMINISTRATORS: ['eve@example.com'] },
    });
    const headers = await signInAs(janua, [admins]);
    const { app, services } = janua;
    const sent = form(eve);
    const page = await app.inject({
      method: 'POST',
      url: '/admin/users',
      ...sent,
      headers: { ...sent.headers, ...headers },
    });
    assert.equal(page.statusCode, 201);
    const token = /token=([\w-]{43})/.exec(page.body)?.[1];
    await services.mail?.settled();
    assert.deepEqual(await services.outbox.listKept(9), []);
    const entered = { token, first_name: 'Eve', last_name: 'Evans', password: 'a few words with spaces' };
    const finished = await app.inject({ method: 'POST', url: '/api/sign-up/finish', ...json(entered) });
    assert.equal(finished.statusCode, 201, finished.body);
    assert.deepEqual((await services.users.findByUsername('eve@example.com'))?.user.groups, []);
  });

  test('is refused with a word for each field, and the link dies with the account', async () => {
    await using janua = await open();
    const { app, post } = janua;
    for (const [body, field] of [
      [{ ...eve, email: ann.username }, 'email'],
      [{ ...eve, email: 'eve' }, 'email'],
      [{}, 'email'],
      [{ ...eve, first_name: 'a\nb' }, 'first_name'],
    ] as const) {
      const refused = await post('/api/admin/users', body);
      assert.deepEqual([refused.statusCode, refused.json().errors[0].field], [422, field]);
      const page = await post('/admin/users', body);
      assert.equal(page.statusCode, 422);
      assert.match(page.body, new RegExp(`id="${field}-error"`));
    }
    const { id, link } = (await post('/api/admin/users', { ...eve, invite: false })).json();
    await post(`/api/admin/users/${id}/disable`);
    const { pathname, search } = new URL(link);
    const ended = await app.inject(pathname + search);
    assert.equal(ended.statusCode, 410);
    assert.match(ended.body, /was used already, or was withdrawn\. If you were invited/);
  });
});

for (const users of ['SQLite', 'PostgreSQL', 'MariaDB'] as const) {
  test(`of two administrators in ${users} who go at once, one remains`, { skip: missing(users) }, async () => {
    await using janua = await startJanua({ stores: { users, sessions: 'SQL' } });
    const { services } = janua;
    const { administration, registry } = services;
    const bob = { username: 'bob@example.com', firstName: 'B', lastName: 'B', passwordHash: 'x', demo: false };
    for (const ways of [
      ['disable', 'disable'],
      ['groups', 'groups'],
      ['disable', 'groups'],
      ['delete', 'disable'],
      ['delete', 'delete'],
    ] as const) {
      for (const name of [ann.username, bob.username]) {
        await registry?.add({ ...bob, username: name });
        await administration.enable(name);
        await administration.changeGroups(name, { add: [admins] });
      }
      const ids = (await Array.fromAsync(services.users.list())).filter(({ groups }) => groups.includes(admins));
      const change = {
        disable: administration.disable,
        delete: administration.remove,
        groups: (user: { readonly userId: string }) => administration.setGroups(user, []),
      };
      const outcomes = await Promise.all(
        ways.map((way, index) =>
          change[way]({ userId: ids[index]?.id ?? '' }).then(
            () => 'changed',
            ({ code }) => code,
          ),
        ),
      );
      const left = (await Array.fromAsync(services.users.list())).filter(
        ({ disabled, groups }) => !disabled && groups.includes(admins),
      );
      assert.deepEqual([left.length, outcomes.sort()], [1, ['changed', 'last-administrator']], ways.join(' and '));
    }
  });
}

test('a user of an own table is changed as far as Janua can', async () => {
  const stores = { users: 'SQLite', sessions: 'SQL', ownTable: true } as const;
  await using janua = await startJanua({ stores, settings: { PUBLIC_URL: 'http://localhost:5000' } });
  const { app, services, people } = janua;
  await services.groups.add({ name: 'helpers', description: '', scopes: everything });
  await people.add({ ...ann, username: 'ada@example.com', password });
  const [ada, id] = await Promise.all(
    ['ada@example.com', ann.username].map(async (name) => (await services.users.adoptByUsername(name))?.user),
  );
  assert.ok(ada && id);
  await services.administration.setGroups(ada.username, ['helpers']);
  const { cookie } = await logIn(app, ada.username);
  const url = `/api/admin/users/${id.id}`;
  const user = (await app.inject({ url, headers: cookie })).json();
  assert.equal(user.username, ann.username);
  assert.deepEqual(user.actions, ['end-sessions', 'lift', 'send-reset', 'groups']);
  const post = (path: string, body: Record<string, unknown> = {}) => {
    const sent = json(body);
    return app.inject({ method: 'POST', url: path, ...sent, headers: { ...sent.headers, ...cookie } });
  };
  for (const action of ['disable', 'enable', 'delete']) {
    const refused = await post(`${url}/${action}`);
    assert.equal(refused.statusCode, 409);
    assert.match(refused.json().detail, /USERS_TABLE.*Change them in your application/);
  }
  assert.equal((await post('/api/admin/users', { email: 'eve@example.com', invite: true })).statusCode, 409);
  await services.administration.verify(ann.username);
  assert.equal((await services.users.findByUsername(ann.username))?.isAddressVerified, true);
  assert.equal((await post(`${url}/groups`, { groups: ['helpers'] })).statusCode, 200);
  const page = await app.inject({ url: '/admin/users?q=ann', headers: cookie });
  assert.match(page.body, /ann@example\.com/);
});

test('a page of administrators that is missing or refused keeps the menu, and leads to one that the user may open', async () => {
  for (const [scopes, url, back] of [
    [undefined, '/admin/nothing', '/admin'],
    [['users:read'], '/admin/nothing', '/admin/users'],
    [['users:read'], '/admin/audit', '/admin/users'],
  ] as const) {
    await using janua = await open(scopes && [...scopes]);
    const { body } = await janua.get(url);
    assert.equal(/class="button" href="([^"]*)"/.exec(body)?.[1], back);
    assert.match(body, /<a class="quiet" href="\/admin\/users"/);
    const language = /name="next" value="([^"]*)"/.exec(body)?.[1] ?? '';
    assert.equal(language, url === '/admin/nothing' ? back : url, 'another language leads to a page that is there');
  }
});

test('the list of users offers the names of the groups to filter by', async () => {
  await using janua = await open(['users:read']);
  await janua.services.groups.add({ name: 'staff', description: '', scopes: [] });
  const page = (await janua.get('/admin/users')).body;
  assert.match(page, /<input id="group"[^>]* list="groups">/);
  assert.match(page, /<datalist id="groups">.*<option value="staff"><\/option><\/datalist>/);
});

test('the list of users says how many there are, up to 100,000', async () => {
  await using janua = await open();
  assert.equal((await janua.get('/api/admin/users')).json().total, 2);
  assert.match((await janua.get('/admin/users')).body, />2 users</);
  assert.equal((await janua.get('/api/admin/users?q=ann')).json().total, null);
  await sql`insert into janua_users (id, login_name, username, password, first_name, last_name, disabled, demo, created_at)
    with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 99_999)
    select n, n || '@example.com', n || '@example.com', '', '', '', 0, 0, 0 from numbers`.execute(
    janua.services.database,
  );
  assert.equal((await janua.get('/api/admin/users')).json().total, null);
  assert.match((await janua.get('/admin/users')).body, />More than 100,000 users</);
});
